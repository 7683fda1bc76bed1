//! A whole configuration.

use std::collections::BTreeMap;

use model::quote;
use yaml::{At, record};

use crate::alerting::Alerting;
use crate::discovery::is_pattern;
use crate::environment;
use crate::global::Global;
use crate::otlp::Otlp;
use crate::remote_read::RemoteRead;
use crate::remote_write::RemoteWrite;
use crate::runtime::Runtime;
use crate::scrape::ScrapeConfig;
use crate::storage::Storage;
use crate::tracing::Tracing;
use crate::values::FilePath;

record! {
    /// A whole configuration, as Prometheus knows it: complete and checked.
    pub struct Config: plain "config.Config" {
        /// What holds for everything that says nothing else.
        pub global: Global => always,
        /// How Prometheus' process behaves.
        pub runtime: Runtime,
        /// Where alerts go.
        pub alerting: Alerting,
        /// Files with rules, or patterns of them.
        pub rule_files: Vec<FilePath>,
        /// Files with further scrape configurations, or patterns of them.
        pub scrape_config_files: Vec<FilePath>,
        /// What to scrape, without what stands in other files: see [`Loaded::scrape_configs`](crate::Loaded).
        pub scrape_configs: Vec<ScrapeConfig>,
        /// How samples are kept.
        pub storage: Storage,
        /// Where our own traces go.
        pub tracing: Tracing,
        /// Whom samples are sent to.
        pub remote_write: Vec<RemoteWrite>,
        /// Whom samples are asked of.
        pub remote_read: Vec<RemoteRead>,
        /// How OpenTelemetry's metrics become Prometheus'.
        pub otlp: Otlp,
    }
}

record! {
    /// A file with scrape configurations.
    pub(crate) struct ScrapeConfigFile: "config.ScrapeConfigs" {
        pub(crate) scrape_configs: Vec<ScrapeConfig>,
    }
}

impl Config {
    /// The configuration with all defaults and without secrets, as Prometheus shows it.
    pub fn to_yaml(&self) -> String {
        yaml::to_text(self)
    }

    /// Fills in what was not written, and checks what concerns several parts of the document. Parts that are wrong in
    /// themselves are passed over, so that no mistake is reported twice. `at` is the root.
    pub(crate) fn complete(&mut self, environment: &mut environment::Reader<'_>, at: &mut At<'_>) {
        if yaml::Value::is_empty(&self.global) {
            self.global = Global::unwritten();
        }
        if yaml::Value::is_empty(&self.runtime) {
            self.runtime = Runtime::default();
        }
        if yaml::Value::is_empty(&self.otlp) {
            self.otlp = Otlp::default();
        }
        self.storage.complete();
        check_patterns("rule_files", "rule file", at);
        check_patterns("scrape_config_files", "scrape config file", at);
        complete_scrape_configs(&mut self.scrape_configs, &self.global, at);
        let names = self.global.names();
        at.in_key("alerting", |at| self.alerting.complete(names, at));
        self.complete_remote(at);
        for value in self.global.external_labels.values_mut() {
            value.0 = environment.expand(&value.0);
        }
        if let None | Some(true) = at.in_key("otlp", |at| at.is_clean()) {
            at.in_key("otlp", |at| self.otlp.complete(names, at));
        }
    }

    fn complete_remote(&self, at: &mut At<'_>) {
        let names = self.global.names();
        at.in_key("remote_write", |at| {
            for (index, remote) in self.remote_write.iter().enumerate() {
                at.in_item(index, |at| {
                    check_section(at, "remote write config");
                    remote.complete(names, at);
                });
            }
            refuse_repeated("remote write", self.remote_write.iter().map(|remote| remote.name.as_str()), at);
        });
        at.in_key("remote_read", |at| {
            for index in 0..self.remote_read.len() {
                at.in_item(index, |at| check_section(at, "remote read config"));
            }
            refuse_repeated("remote read", self.remote_read.iter().map(|remote| remote.name.as_str()), at);
        });
    }
}

/// Completes the `scrape_configs` of the mapping `at`, and checks that no two of them have one name.
pub(crate) fn complete_scrape_configs(configs: &mut [ScrapeConfig], global: &Global, at: &mut At<'_>) {
    at.in_key("scrape_configs", |at| {
        for (index, config) in configs.iter_mut().enumerate() {
            at.in_item(index, |at| {
                check_section(at, "scrape config");
                if at.is_clean() {
                    config.complete(global, at);
                }
            });
        }
        refuse_repeated("scrape", configs.iter().map(|config| config.job_name.as_str()), at);
    });
}

/// Checks that an element of a list is not null.
fn check_section(at: &mut At<'_>, what: &str) {
    if at.node().is_null() {
        at.invalid(format!("empty or null {what} section"));
    }
}

/// Checks that no two elements of the list `at` have one name. Empty names do not count.
fn refuse_repeated<'a>(what: &str, names: impl Iterator<Item = &'a str>, at: &mut At<'_>) {
    let mut seen = BTreeMap::new();
    for (index, name) in names.enumerate().filter(|(_, name)| !name.is_empty()) {
        if seen.insert(name, index).is_some() {
            let key = if what == "scrape" { "job_name" } else { "name" };
            let message = format!("found multiple {what} configs with job name {}", quote(name));
            at.in_item(index, |at| at.invalid_key(key, message));
        }
    }
}

/// Checks that patterns have their star, if any, in their last part: as they are written, not joined with the folder.
fn check_patterns(key: &str, what: &str, at: &mut At<'_>) {
    at.in_key(key, |at| {
        for (index, node) in at.node().items().enumerate() {
            let path = node.text().unwrap_or_default();
            if !is_pattern(path) {
                at.in_item(index, |at| at.invalid(format!("invalid {what} path {}", quote(path))));
            }
        }
    });
}
