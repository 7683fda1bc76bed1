//! What to scrape, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use exposition::{EscapingScheme, ScrapeProtocol};
use model::{NameScheme, quote};
use yaml::{At, Node, record};

use crate::discovery::Discovery;
use crate::global::Global;
use crate::http::HttpSettings;
use crate::protocol::{check_protocol, check_protocols, default_escaping, escaping_scheme};
use crate::relabel::{RelabelRule, validate_rules};
use crate::values::{Bytes, FilePath, NameSetting};

record! {
    /// What to scrape, and how. What a document leaves out is what [`Global`] says.
    pub struct ScrapeConfig: "*config.ScrapeConfig", check = check_own {
        /// The value of the label `job`; unique.
        pub job_name: String => always,
        /// Whether labels on a page win over those of the target.
        pub honor_labels: bool,
        /// Whether timestamps on a page are believed.
        pub honor_timestamps: bool = true => always,
        /// Whether series with timestamps of their own get staleness markers.
        pub track_timestamps_staleness: bool => always,
        /// Parameters of the URL.
        pub params: BTreeMap<String, Vec<String>>,
        /// How often to scrape.
        pub scrape_interval: Duration,
        /// How long a scrape may take; at most the interval.
        pub scrape_timeout: Duration,
        scrape_protocols: Vec<String>,
        fallback_scrape_protocol: String,
        /// Whether to scrape native histograms.
        pub scrape_native_histograms: bool => always,
        /// Whether classic histograms are kept beside native ones.
        pub always_scrape_classic_histograms: bool => always,
        /// Whether classic histograms become native ones with custom buckets.
        pub convert_classic_histograms_to_nhcb: bool => always,
        /// Where failed scrapes are logged.
        pub scrape_failure_log_file: FilePath,
        /// The path of the URL.
        pub metrics_path: String = "/metrics".to_owned(),
        /// The scheme of the URL.
        pub scheme: String = "http".to_owned(),
        /// Whether targets may compress pages.
        pub enable_compression: bool = true => always,
        /// The largest page to take, uncompressed; 0 for no limit.
        pub body_size_limit: Bytes,
        /// How many samples a page may have; 0 for no limit.
        pub sample_limit: u64,
        /// How many targets there may be; 0 for no limit.
        pub target_limit: u64,
        /// How many labels a sample may have; 0 for no limit.
        pub label_limit: u64,
        /// How long a label's name may be, in bytes; 0 for no limit.
        pub label_name_length_limit: u64,
        /// How long a label's value may be, in bytes; 0 for no limit.
        pub label_value_length_limit: u64,
        /// How many buckets a native histogram may have before they are merged; 0 for no limit.
        pub native_histogram_bucket_limit: u64,
        /// By what factor each bucket of a native histogram must be wider than the last; 0 for any.
        pub native_histogram_min_bucket_factor: f64,
        /// How many dropped targets to remember; 0 for all.
        pub keep_dropped_targets: u64,
        pub(crate) metric_name_validation_scheme: NameSetting,
        metric_name_escaping_scheme: String,
        /// Whether each scrape also reports its limits.
        pub extra_scrape_metrics: bool => always,
        /// How to talk to targets.
        pub http: HttpSettings => inline,
        /// Rules for targets.
        pub relabel_configs: Vec<RelabelRule>,
        /// Rules for samples.
        pub metric_relabel_configs: Vec<RelabelRule>,
        /// Where targets come from.
        pub discovery: Discovery => inline,
    }
}

impl ScrapeConfig {
    /// The settings of this scrape pool with all defaults and without secrets, as Prometheus shows them.
    pub fn to_yaml(&self) -> String {
        yaml::to_text(self)
    }

    /// The formats to ask for, best first; at least one.
    pub fn protocols(&self) -> Vec<ScrapeProtocol> {
        self.scrape_protocols.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// [`protocols`](Self::protocols) where it matters when counters began: protobuf says it best, and comes before the usual
    /// ones.
    pub fn protocols_with_starts(&self) -> Vec<ScrapeProtocol> {
        let protocols = self.protocols();
        if protocols == ScrapeProtocol::DEFAULT { ScrapeProtocol::PROTOBUF_FIRST.to_vec() } else { protocols }
    }

    /// The format of pages that do not say theirs.
    pub fn fallback_protocol(&self) -> Option<ScrapeProtocol> {
        self.fallback_scrape_protocol.parse().ok()
    }

    /// Which names are valid.
    pub fn names(&self) -> NameScheme {
        self.metric_name_validation_scheme.0.unwrap_or_default()
    }

    /// How targets shall write names that are not valid.
    pub fn escaping_scheme(&self) -> EscapingScheme {
        escaping_scheme(&self.metric_name_escaping_scheme).unwrap_or_default()
    }

    /// Checks what can be checked without the rest of the document.
    fn check_own(&mut self, at: &mut At<'_>) {
        self.discovery.check_sections(at);
        if self.job_name.is_empty() {
            at.invalid_key("job_name", "job_name is empty");
        }
        self.http.validate(at);
        if self.relabel_configs.is_empty() {
            self.discovery.check_static_targets(at);
        }
    }

    /// Fills in what `global` says, and checks the rest. `at` is where this stands.
    pub(crate) fn complete(&mut self, global: &Global, at: &mut At<'_>) {
        let job = quote(&self.job_name);
        self.inherit(global, at.node());
        if self.scrape_timeout > self.scrape_interval {
            let message = format!("scrape timeout greater than scrape interval for scrape config with job name {job}");
            at.invalid_key("scrape_timeout", message);
        }
        if self.scrape_timeout.is_zero() {
            self.scrape_timeout = global.scrape_timeout.min(self.scrape_interval);
        }
        if let Err(problem) = check_protocols(&self.scrape_protocols) {
            at.invalid_key("scrape_protocols", format!("{problem} for scrape config with job name {job}"));
        }
        if !self.fallback_scrape_protocol.is_empty()
            && let Err(problem) = check_protocol(&self.fallback_scrape_protocol)
        {
            let message = format!("invalid fallback_scrape_protocol for scrape config with job name {job}: {problem}");
            at.invalid_key("fallback_scrape_protocol", message);
        }
        self.complete_names(global, at);
        let names = self.names();
        let null = "empty or null target relabeling rule in scrape config";
        validate_rules(&self.relabel_configs, "relabel_configs", names, null, at);
        let null = "empty or null metric relabeling rule in scrape config";
        validate_rules(&self.metric_relabel_configs, "metric_relabel_configs", names, null, at);
    }

    /// Takes from `global` what was not written: limits and intervals that are zero, switches that are absent or null.
    fn inherit(&mut self, global: &Global, node: &Node) {
        inherit(&mut self.scrape_interval, &global.scrape_interval);
        inherit(&mut self.body_size_limit, &global.body_size_limit);
        inherit(&mut self.sample_limit, &global.sample_limit);
        inherit(&mut self.target_limit, &global.target_limit);
        inherit(&mut self.label_limit, &global.label_limit);
        inherit(&mut self.label_name_length_limit, &global.label_name_length_limit);
        inherit(&mut self.label_value_length_limit, &global.label_value_length_limit);
        inherit(&mut self.keep_dropped_targets, &global.keep_dropped_targets);
        inherit(&mut self.scrape_failure_log_file, &global.scrape_failure_log_file);
        let is_written = |key: &str| node.get(key).is_some_and(|value| !value.is_null());
        for (key, own, inherited) in [
            ("scrape_native_histograms", &mut self.scrape_native_histograms, global.scrape_native_histograms),
            ("extra_scrape_metrics", &mut self.extra_scrape_metrics, global.extra_scrape_metrics),
            (
                "always_scrape_classic_histograms",
                &mut self.always_scrape_classic_histograms,
                Some(global.always_scrape_classic_histograms),
            ),
            (
                "convert_classic_histograms_to_nhcb",
                &mut self.convert_classic_histograms_to_nhcb,
                Some(global.convert_classic_histograms_to_nhcb),
            ),
        ] {
            if !is_written(key) {
                *own = inherited.unwrap_or_default();
            }
        }
        if !is_written("scrape_protocols") {
            self.scrape_protocols = match global.scrape_protocols.as_slice() {
                [] if self.scrape_native_histograms => names(&ScrapeProtocol::PROTOBUF_FIRST),
                [] => names(&ScrapeProtocol::DEFAULT),
                all => all.to_vec(),
            };
        }
    }

    /// Settles which names are valid and how others are written.
    fn complete_names(&mut self, global: &Global, at: &mut At<'_>) {
        let is_unset = self.metric_name_validation_scheme.0.is_none();
        if is_unset {
            self.metric_name_validation_scheme = global.metric_name_validation_scheme;
        }
        let known = "must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got";
        let global_escaping = match global.metric_name_escaping_scheme.as_str() {
            "" => default_escaping(global.names()).as_str(),
            written if escaping_scheme(written).is_some() => written,
            unknown => {
                at.invalid(format!("unknown global name escaping method specified, {known} {}", quote(unknown)));
                return;
            }
        };
        if self.metric_name_escaping_scheme.is_empty() {
            let own = default_escaping(self.names()).as_str();
            self.metric_name_escaping_scheme = if is_unset { global_escaping } else { own }.to_owned();
        }
        let key = "metric_name_escaping_scheme";
        match escaping_scheme(&self.metric_name_escaping_scheme) {
            Some(EscapingScheme::AllowUtf8) if self.names() != NameScheme::Utf8 => {
                at.invalid_key(key, "utf8 metric names requested but validation scheme is not set to UTF8");
            }
            Some(_) => {}
            None => {
                let written = quote(&self.metric_name_escaping_scheme);
                at.invalid_key(key, format!("unknown scrape config name escaping method specified, {known} {written}"));
            }
        }
    }
}

fn names(protocols: &[ScrapeProtocol]) -> Vec<String> {
    protocols.iter().map(ToString::to_string).collect()
}

/// Takes `inherited` if nothing was written.
fn inherit<T: Clone + Default + PartialEq>(own: &mut T, inherited: &T) {
    if *own == T::default() {
        own.clone_from(inherited);
    }
}
