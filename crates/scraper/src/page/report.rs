//! What a scrape says about itself.

use model::{Labels, LabelsBuilder, METRIC_NAME};

use super::Counts;
use crate::status::Health;

/// Planned and real time of a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The planned time, in ms: the scrape's name.
    pub(crate) tick_ms: i64,
    /// The time of its samples, in ms.
    pub(crate) timestamp_ms: i64,
    /// This node's clock, in ms.
    pub(crate) wall_ms: i64,
}

/// The series that a scrape reports about itself, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportSeries {
    Up,
    Duration,
    Scraped,
    PostRelabel,
    Added,
    Timeout,
    SampleLimit,
    BodySize,
}

use ReportSeries::{Added, BodySize, Duration, PostRelabel, SampleLimit, Scraped, Timeout, Up};

const SERIES: [(ReportSeries, &str); 5] = [
    (Up, "up"),
    (Duration, "scrape_duration_seconds"),
    (Scraped, "scrape_samples_scraped"),
    (PostRelabel, "scrape_samples_post_metric_relabeling"),
    (Added, "scrape_series_added"),
];

const EXTRA_SERIES: [(ReportSeries, &str); 3] =
    [(Timeout, "scrape_timeout_seconds"), (SampleLimit, "scrape_sample_limit"), (BodySize, "scrape_body_size_bytes")];

/// What a scrape says about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) health: Health,
    pub(crate) duration_seconds: f64,
    pub(crate) counts: Counts,
    pub(crate) timeout_seconds: f64,
    pub(crate) sample_limit: u64,
    /// Uncompressed; −1 if it was too large, 0 if the scrape failed otherwise.
    pub(crate) body_size: i64,
}

impl Report {
    pub(super) fn value(&self, series: ReportSeries) -> f64 {
        match series {
            Up => f64::from(u8::from(self.health == Health::Up)),
            Duration => self.duration_seconds,
            Scraped => self.counts.scraped.into(),
            PostRelabel => self.counts.post_relabel.into(),
            Added => self.counts.added.into(),
            Timeout => self.timeout_seconds,
            SampleLimit => self.sample_limit as f64,
            BodySize => self.body_size as f64,
        }
    }
}

/// The report series of a target with their labels.
pub(super) fn report_series(target: &Labels, extra: bool) -> Vec<(ReportSeries, Labels)> {
    let extra = if extra { &EXTRA_SERIES[..] } else { &[] };
    let series = SERIES.iter().chain(extra);
    series.map(|(series, name)| (*series, LabelsBuilder::from(target).set(METRIC_NAME, name).build())).collect()
}
