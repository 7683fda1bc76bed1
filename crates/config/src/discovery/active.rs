//! From what users write to the mechanisms that there are.

use ::discovery::{FileConfig, HttpConfig, MechanismConfig, TargetGroup};
use model::Labels;

use super::{Discovery, FileSd, HttpSd, StaticGroup};
use crate::values::FilePath;

impl Discovery {
    /// The settings of those mechanisms that Ringwood has; the notices of a configuration name the others.
    pub fn mechanisms(&self) -> Vec<MechanismConfig> {
        let groups: Vec<_> = self.static_configs.iter().enumerate().map(|(index, group)| group.group(index)).collect();
        let fixed = (!groups.is_empty()).then_some(MechanismConfig::Static(groups));
        let files = self.file_sd_configs.iter().map(FileSd::mechanism);
        let urls = self.http_sd_configs.iter().map(HttpSd::mechanism);
        fixed.into_iter().chain(files).chain(urls).collect()
    }
}

impl StaticGroup {
    fn group(&self, index: usize) -> TargetGroup {
        let labels = self.labels.iter().map(|(name, value)| (name.0.as_str(), value.as_str()));
        let targets = self.targets.iter().map(String::as_str);
        TargetGroup::new(index.to_string(), targets, Labels::from_pairs(labels))
    }
}

impl FileSd {
    fn mechanism(&self) -> MechanismConfig {
        let patterns = self.files.iter().filter_map(FilePath::to_path).collect();
        MechanismConfig::File(FileConfig { patterns, refresh_interval: self.refresh_interval })
    }
}

impl HttpSd {
    fn mechanism(&self) -> MechanismConfig {
        MechanismConfig::Http(Box::new(HttpConfig {
            url: self.url.clone(),
            refresh_interval: self.refresh_interval,
            client: self.http.client(),
        }))
    }
}
