//! What holds for everything that says nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Labels, NameScheme, quote};
use yaml::{At, record};

use crate::environment::Expanded;
use crate::protocol::check_protocols;
use crate::values::{Bytes, FilePath, LabelName, NameSetting};

record! {
    /// What holds for everything that says nothing else.
    pub struct Global: plain "config.GlobalConfig", check = complete {
        /// How often targets are scraped.
        pub scrape_interval: Duration,
        /// How long a scrape may take.
        pub scrape_timeout: Duration,
        /// The formats to ask targets for, best first; empty if each scrape configuration decides.
        pub scrape_protocols: Vec<String>,
        /// How often rules are evaluated.
        pub evaluation_interval: Duration,
        /// How far in the past rules are evaluated.
        pub rule_query_offset: Duration,
        /// Where queries are logged.
        pub query_log_file: FilePath,
        /// Where failed scrapes are logged.
        pub scrape_failure_log_file: FilePath,
        /// Labels for whoever else sees our series: [`Global::external_labels`].
        pub(crate) external_labels: BTreeMap<LabelName, Expanded>,
        /// The largest page to take, uncompressed; 0 for no limit.
        pub body_size_limit: Bytes,
        /// How many samples a page may have; 0 for no limit.
        pub sample_limit: u64,
        /// How many targets a scrape configuration may have; 0 for no limit.
        pub target_limit: u64,
        /// How many labels a sample may have; 0 for no limit.
        pub label_limit: u64,
        /// How long a label's name may be, in bytes; 0 for no limit.
        pub label_name_length_limit: u64,
        /// How long a label's value may be, in bytes; 0 for no limit.
        pub label_value_length_limit: u64,
        /// How many dropped targets to remember for each scrape configuration; 0 for all.
        pub keep_dropped_targets: u64,
        pub(crate) metric_name_validation_scheme: NameSetting,
        /// How targets shall write names that are not valid; empty if each scrape configuration decides.
        pub metric_name_escaping_scheme: String,
        /// Whether to scrape native histograms.
        pub scrape_native_histograms: Option<bool>,
        /// Whether classic histograms become native ones with custom buckets.
        pub convert_classic_histograms_to_nhcb: bool,
        /// Whether classic histograms are kept beside native ones.
        pub always_scrape_classic_histograms: bool,
        /// Whether each scrape also reports its limits.
        pub extra_scrape_metrics: Option<bool>,
    }
}

/// Prometheus' intervals: a minute, as long as dashboards' shortest useful step.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
/// Prometheus' timeout: targets that take longer are in trouble.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl Global {
    /// Which names are valid.
    pub fn names(&self) -> NameScheme {
        self.metric_name_validation_scheme.0.unwrap_or_default()
    }

    /// Labels for whoever else sees our series, with the environment's values filled in.
    pub fn external_labels(&self) -> Labels {
        Labels::from_pairs(self.external_labels.iter().map(|(name, value)| (name.0.as_str(), value.0.as_str())))
    }

    /// What counts if the document says nothing at all.
    pub(crate) fn unwritten() -> Self {
        Self {
            scrape_interval: DEFAULT_INTERVAL,
            scrape_timeout: DEFAULT_TIMEOUT,
            evaluation_interval: DEFAULT_INTERVAL,
            metric_name_validation_scheme: NameSetting(Some(NameScheme::Utf8)),
            metric_name_escaping_scheme: "allow-utf-8".to_owned(),
            scrape_native_histograms: Some(false),
            extra_scrape_metrics: Some(false),
            ..Self::default()
        }
    }

    fn complete(&mut self, at: &mut At<'_>) {
        self.metric_name_validation_scheme.0.get_or_insert_default();
        let names = self.names();
        for LabelName(name) in self.external_labels.keys() {
            if !names.allows_label(name) {
                let message = format!("{} is not a valid label name", quote(name));
                at.in_key("external_labels", |at| at.invalid_key(name, message));
            }
        }
        or_default(&mut self.scrape_interval, DEFAULT_INTERVAL);
        if self.scrape_timeout > self.scrape_interval {
            at.invalid_key("scrape_timeout", "global scrape timeout greater than scrape interval");
        }
        or_default(&mut self.scrape_timeout, DEFAULT_TIMEOUT.min(self.scrape_interval));
        or_default(&mut self.evaluation_interval, DEFAULT_INTERVAL);
        self.scrape_native_histograms.get_or_insert(false);
        self.extra_scrape_metrics.get_or_insert(false);
        if at.node().get("scrape_protocols").is_some_and(|node| !node.is_null())
            && let Err(problem) = check_protocols(&self.scrape_protocols)
        {
            at.invalid_key("scrape_protocols", format!("{problem} for global config"));
        }
    }
}

fn or_default(value: &mut Duration, default: Duration) {
    if value.is_zero() {
        *value = default;
    }
}
