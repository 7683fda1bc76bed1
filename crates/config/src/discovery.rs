//! Where targets come from.

mod active;
mod checks;
mod entry;
mod files;
mod kubernetes;
mod mechanisms;
mod target_group;
mod urls;

use yaml::{At, Fields, Node, Output, Reader, Record, Value, read_record};

pub use entry::{Entry, Mechanism};
pub use files::FileSd;
pub use kubernetes::{AttachMetadata, KubernetesSd, Namespaces, Role, Selector};
pub use target_group::StaticGroup;
pub use urls::HttpSd;

use entry::Entries;
use mechanisms::MECHANISMS;

pub(crate) use files::is_pattern;

/// Where targets come from: what the keys `static_configs` and `*_sd_configs` say, each a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// Targets that are written down.
    pub static_configs: Vec<StaticGroup>,
    /// Targets in files.
    pub file_sd_configs: Vec<FileSd>,
    /// Targets at URLs.
    pub http_sd_configs: Vec<HttpSd>,
    /// Targets in Kubernetes.
    pub kubernetes_sd_configs: Vec<KubernetesSd>,
    /// Targets that other systems know, which are read, checked and shown but not asked yet: a list for each known one.
    pub others: Vec<Entries>,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            static_configs: Vec::new(),
            file_sd_configs: Vec::new(),
            http_sd_configs: Vec::new(),
            kubernetes_sd_configs: Vec::new(),
            others: MECHANISMS.iter().map(Entries::new).collect(),
        }
    }
}

/// A list of [`Discovery`] with its key.
type List<'a> = (&'static str, &'a dyn Value);

impl Discovery {
    /// Every list with its key, in order of the keys, in which they are also written.
    fn lists(&self) -> Vec<List<'_>> {
        let mut lists: Vec<List<'_>> = vec![
            ("static_configs", &self.static_configs),
            ("file_sd_configs", &self.file_sd_configs),
            ("http_sd_configs", &self.http_sd_configs),
            ("kubernetes_sd_configs", &self.kubernetes_sd_configs),
        ];
        lists.extend(self.others.iter().map(|entries| (entries.key(), entries as &dyn Value)));
        lists.sort_by_key(|(key, _)| *key);
        lists
    }

    /// Checks that no list of the mapping `at` has an entry that is null.
    pub(crate) fn check_sections(&self, at: &mut At<'_>) {
        for (key, _) in self.lists() {
            let nulls = at.node().get(key).into_iter().flat_map(Node::items).enumerate();
            let nulls: Vec<_> = nulls.filter(|(_, node)| node.is_null()).map(|(index, _)| index).collect();
            for index in nulls {
                at.invalid_item(key, index, format!("empty or null section in {key}"));
            }
        }
    }

    /// Checks that nobody wrote URLs where hosts and ports belong. Rules may turn them into something, so this is only for
    /// configurations without any.
    pub(crate) fn check_static_targets(&self, at: &mut At<'_>) {
        for (index, group) in self.static_configs.iter().enumerate() {
            let Some(target) = group.targets.iter().find(|target| target.contains('/')) else { continue };
            let message = format!("{} is not a valid hostname", model::quote(target));
            at.invalid_item("static_configs", index, message);
        }
    }
}

impl Record for Discovery {
    fn name_for_keys(&self) -> String {
        "discovery.Configs".to_owned()
    }

    fn field(&mut self, key: &str) -> Option<&mut dyn Value> {
        match key {
            "static_configs" => Some(&mut self.static_configs),
            "file_sd_configs" => Some(&mut self.file_sd_configs),
            "http_sd_configs" => Some(&mut self.http_sd_configs),
            "kubernetes_sd_configs" => Some(&mut self.kubernetes_sd_configs),
            _ => self.others.iter_mut().find(|entries| entries.key() == key).map(|entries| entries as &mut dyn Value),
        }
    }

    fn fields(&self, fields: &mut Fields) {
        self.lists().into_iter().for_each(|(key, list)| fields.put(key, list));
    }

    fn check(&mut self, at: &mut At<'_>) {
        self.check_sections(at);
    }
}

impl Value for Discovery {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        read_record(self, node, reader);
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn is_empty(&self) -> bool {
        self.lists().iter().all(|(_, list)| list.is_empty())
    }

    fn write(&self) -> Output {
        let mut fields = Fields::default();
        self.fields(&mut fields);
        fields.into_output()
    }

    fn go_type(&self) -> String {
        self.name_for_keys()
    }
}
