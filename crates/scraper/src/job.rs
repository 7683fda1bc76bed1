//! What to scrape, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use exposition::{EscapingScheme, ScrapeProtocol};
use http_client::HttpClientConfig;
use model::NameScheme;
use relabel::Rule;

/// One `scrape_config`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The job's name in the configuration, and the label `job` of targets that have none. Unique.
    pub name: String,
    /// The time between two scrapes of a target. Not zero.
    pub interval: Duration,
    /// How long a scrape may take. Not zero, and at most the interval.
    pub timeout: Duration,
    /// `http` or `https`.
    pub scheme: String,
    /// The path of a target's page.
    pub metrics_path: String,
    /// Parameters of the URL.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels of the page win over those of the target.
    pub honor_labels: bool,
    /// Whether samples have the time that the page says.
    pub honor_timestamps: bool,
    /// Whether series whose samples bear their own time end, too, when they are gone from the page.
    pub track_timestamps_staleness: bool,
    /// The formats to ask for, the best first.
    pub protocols: Vec<ScrapeProtocol>,
    /// The format of pages that do not say theirs.
    pub fallback_protocol: Option<ScrapeProtocol>,
    /// Whether pages may come compressed.
    pub enable_compression: bool,
    /// Which names are valid.
    pub names: NameScheme,
    /// What targets are asked to do with names that are not.
    pub escaping: EscapingScheme,
    /// How to change, keep and drop targets.
    pub relabel_rules: Vec<Rule>,
    /// How to change, keep and drop samples.
    pub metric_relabel_rules: Vec<Rule>,
    /// What is too much.
    pub limits: Limits,
    /// How histograms are read.
    pub histograms: Histograms,
    /// Whether start timestamps are read.
    pub start_timestamps: bool,
    /// Whether series get the type and the unit of their family as labels, `__type__` and `__unit__`.
    pub type_and_unit_labels: bool,
    /// Whether each scrape also reports its timeout, its sample limit and the size of its page.
    pub extra_scrape_metrics: bool,
    /// How many dropped targets to remember; 0: all.
    pub keep_dropped_targets: usize,
    /// How to talk to targets.
    pub http: HttpClientConfig,
}

/// What is too much for one job. 0 always means that there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a page, uncompressed; a page as large as this is too large.
    pub body_size: u64,
    /// Samples of a page, counted after relabelling.
    pub samples: u64,
    /// Labels of a series.
    pub labels: u64,
    /// Bytes of a label's name.
    pub label_name_length: u64,
    /// Bytes of a label's value.
    pub label_value_length: u64,
    /// Targets of the job. When there are more, none is scraped.
    pub targets: u64,
    /// Buckets of a native histogram. Its resolution is reduced first.
    pub histogram_buckets: u64,
}

/// How histograms are read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Histograms {
    /// Whether native ones are.
    pub native: bool,
    /// Whether classic ones are, where there is a native one too.
    pub always_classic: bool,
    /// Whether classic ones become native ones with custom buckets.
    pub convert_classic: bool,
    /// By what factor each bucket of a native one is to be wider than the last, at least; up to 1 means any.
    pub min_bucket_factor: f64,
}

// A factor comes from a configuration, which has no NaN.
impl Eq for Histograms {}

impl Job {
    /// A job with the defaults of Prometheus.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            scheme: "http".to_owned(),
            metrics_path: "/metrics".to_owned(),
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            protocols: ScrapeProtocol::DEFAULT.to_vec(),
            fallback_protocol: None,
            enable_compression: true,
            names: NameScheme::Utf8,
            escaping: EscapingScheme::AllowUtf8,
            relabel_rules: Vec::new(),
            metric_relabel_rules: Vec::new(),
            limits: Limits::default(),
            histograms: Histograms::default(),
            start_timestamps: false,
            type_and_unit_labels: false,
            extra_scrape_metrics: false,
            keep_dropped_targets: 0,
            http: HttpClientConfig::default(),
        }
    }
}
