//! What a process says about itself.

use model::Timestamp;

/// How much the heads hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadStats {
    /// How many series there are, replicas counted once.
    pub series: u64,
    /// How many different labels they have.
    pub label_pairs: u64,
    /// How many chunks.
    pub chunks: u64,
    /// The time of the oldest sample; `None` if there is none.
    pub min_time: Option<Timestamp>,
    /// The time of the newest sample; `None` if there is none.
    pub max_time: Option<Timestamp>,
}

/// How a process runs.
#[derive(Clone, Debug, Default)]
pub struct RuntimeInfo {
    /// When it began.
    pub start_time: Timestamp,
    /// The directory it runs in.
    pub working_directory: String,
    /// The machine's name.
    pub hostname: String,
    /// Whether the configuration was loaded the last time that this was tried.
    pub config_is_loaded: bool,
    /// When the configuration in use was loaded.
    pub config_time: Timestamp,
    /// How often data were found to be damaged.
    pub corruption_count: u64,
    /// How many tasks there are: what goroutines are to Prometheus.
    pub task_count: u64,
    /// How many threads work on them.
    pub thread_count: u64,
    /// How long data are kept, as `15d or 512MB`.
    pub storage_retention: String,
}

/// Which build of the software this is.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// The version of Prometheus whose API is offered. Clients decide by it what they may ask.
    pub version: String,
    /// The commit.
    pub revision: String,
    /// The branch it is on.
    pub branch: String,
    /// Who built it.
    pub build_user: String,
    /// When.
    pub build_date: String,
    /// The compiler.
    pub compiler: String,
}

/// The version of Prometheus whose API this is.
const PROMETHEUS_VERSION: &str = "3.15.0";

impl Default for BuildInfo {
    fn default() -> Self {
        Self {
            version: PROMETHEUS_VERSION.to_owned(),
            revision: String::new(),
            branch: String::new(),
            build_user: String::new(),
            build_date: String::new(),
            compiler: String::new(),
        }
    }
}
