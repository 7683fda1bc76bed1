//! The settings of mechanisms, already valid.

use std::path::PathBuf;
use std::time::Duration;

use http_client::HttpClientConfig;

use crate::discoverer::{Context, Mechanism};
use crate::file::Files;
use crate::group::TargetGroup;
use crate::http::Urls;

/// The settings of one mechanism. Equal ones are the same mechanism, which goes on running when settings are reloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MechanismConfig {
    /// Targets that are given.
    Static(Vec<TargetGroup>),
    /// Targets in files.
    File(FileConfig),
    /// Targets at a URL.
    Http(Box<HttpConfig>),
}

/// Where files with targets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// Files, or patterns with special characters in their last part, as [`matching_files`](crate::matching_files) takes
    /// them. What ends with `.json` is JSON, all else YAML.
    pub patterns: Vec<PathBuf>,
    /// How often all files are read again, changed or not.
    pub refresh_interval: Duration,
}

/// Which server knows targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// What to ask for.
    pub url: String,
    /// How often.
    pub refresh_interval: Duration,
    /// How to talk to the server.
    pub client: HttpClientConfig,
}

impl MechanismConfig {
    /// The mechanism's name, in metrics and logs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Static(_) => "static",
            Self::File(_) => "file",
            Self::Http(_) => "http",
        }
    }

    /// The mechanism.
    ///
    /// # Errors
    /// If it cannot work with these settings, in words for users.
    pub(crate) fn build(&self, context: &Context) -> Result<Box<dyn Mechanism>, String> {
        Ok(match self {
            Self::Static(groups) => Box::new(groups.clone()),
            Self::File(config) => Box::new(Files::new(config.clone(), context)),
            Self::Http(config) => Box::new(Urls::new(HttpConfig::clone(config), context)?),
        })
    }
}
