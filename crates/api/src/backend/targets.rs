//! What is scraped.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Labels, Metadata, Timestamp};

/// The targets of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Those that are scraped, in order of their pools; empty if they were not asked for.
    pub active: Vec<ActiveTarget>,
    /// Those that relabelling dropped, in order of their pools, as far as they are remembered; empty if they were not
    /// asked for.
    pub dropped: Vec<DroppedTarget>,
    /// How many targets relabelling dropped, by pool; empty if they were not asked for.
    pub dropped_counts: BTreeMap<String, u64>,
}

/// Which targets are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetStates {
    /// Those that are scraped.
    Active,
    /// Those that relabelling dropped.
    Dropped,
    /// Both.
    Any,
}

/// A target that is scraped.
#[derive(Clone, Debug, Default)]
pub struct ActiveTarget {
    /// Its labels before relabelling.
    pub discovered_labels: Labels,
    /// The labels that its series get.
    pub labels: Labels,
    /// The scrape pool it belongs to: the name of its job's settings.
    pub scrape_pool: String,
    /// What is fetched.
    pub scrape_url: String,
    /// The same for somebody on another machine.
    pub global_url: String,
    /// Why the last scrape failed; empty if it did not.
    pub last_error: String,
    /// When the last scrape began; `None` before the first.
    pub last_scrape: Option<Timestamp>,
    /// How long the last scrape took.
    pub last_scrape_duration: Duration,
    /// Whether the last scrape went well.
    pub health: Health,
    /// The time between two scrapes, such as `15s`.
    pub scrape_interval: String,
    /// How long a scrape may take, such as `10s`.
    pub scrape_timeout: String,
}

/// A target that relabelling dropped.
#[derive(Clone, Debug)]
pub struct DroppedTarget {
    /// Its labels before relabelling.
    pub discovered_labels: Labels,
    /// The scrape pool it would belong to.
    pub scrape_pool: String,
}

/// Whether a target's last scrape went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// It was not scraped yet.
    #[default]
    Unknown,
    /// It went well.
    Up,
    /// It failed.
    Down,
}

/// What a target says about one of its metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetMetadata {
    /// The labels that the target's series get.
    pub target: Labels,
    /// The metric.
    pub metric: Box<str>,
    /// What is said.
    pub metadata: Metadata,
}

impl TargetStates {
    /// Whether targets that are scraped are among them.
    pub fn has_active(self) -> bool {
        self != Self::Dropped
    }

    /// Whether targets that were dropped are among them.
    pub fn has_dropped(self) -> bool {
        self != Self::Active
    }
}

impl Health {
    /// The name in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}
