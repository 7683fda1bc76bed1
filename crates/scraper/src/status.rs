//! What is known of a target, for people.

use std::sync::Arc;
use std::time::Duration;

use model::{Labels, Metadata};
use parking_lot::Mutex;

use crate::target::Target;

/// Whether a target answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not scraped yet, or not by this scraper.
    #[default]
    Unknown,
    /// The last scrape was good.
    Up,
    /// The last scrape failed.
    Down,
}

impl Health {
    /// The word of Prometheus' API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What a page says about families, in its order: their names as they are written there, types, help texts and units.
pub type Families = Arc<[(Box<str>, Metadata)]>;

/// What came of the last scrape of a target by this scraper.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScrapeStatus {
    /// Whether it was good.
    pub health: Health,
    /// Why it was not, in Prometheus' words; else empty.
    pub last_error: String,
    /// When it began, in ms since the epoch; `None` if there was none.
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    pub last_duration: Duration,
    /// What the last page that could be read says about its families.
    pub families: Families,
}

/// A target that is to be scraped.
#[derive(Clone, Debug)]
pub struct ActiveTarget {
    /// What it is.
    pub target: Arc<Target>,
    /// Whether this scraper owns it now. If not, somebody else knows how it is.
    pub is_owned: bool,
    /// How it is.
    pub status: ScrapeStatus,
}

/// The targets of one job.
#[derive(Clone, Debug)]
pub struct PoolTargets {
    /// The job's name.
    pub scrape_pool: String,
    /// The targets that are to be scraped, by all scrapers together.
    pub active: Vec<ActiveTarget>,
    /// The discovered labels of targets that relabelling dropped, as many as the job remembers.
    pub dropped: Vec<Labels>,
    /// How many were dropped.
    pub dropped_count: usize,
}

/// A status that a scrape loop writes and people read.
pub(crate) type SharedStatus = Arc<Mutex<ScrapeStatus>>;
