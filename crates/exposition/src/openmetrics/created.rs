//! Lines whose names end with `_created`, which tell when series started.

use model::{BUCKET_LABEL, MetricType, QUANTILE_LABEL, Timestamp};

use super::{Exemplars, Reader, milliseconds};
use crate::entry::{Entry, SampleParts};

const SUFFIX: &[u8] = b"_created";

/// Start times of series, found by looking ahead in the page.
///
/// As in Prometheus, the time of a series is on the next line that tells one, before the next line of metadata, if that line
/// is about the same family and labels; and it stays known for the series that follow with these.
#[derive(Default)]
pub(super) struct StartTimes {
    /// The series whose start was found last.
    known: Option<StartTime>,
    ahead: Ahead,
    scratch: SampleParts,
}

/// What a line tells.
#[derive(Clone)]
struct StartTime {
    key: Vec<u8>,
    time: Timestamp,
}

/// The next line that tells a start time, if any. All lines before it see the same one, so that each is looked at once.
#[derive(Default)]
struct Ahead {
    /// Where in the page the look ahead ended.
    until: usize,
    found: Option<StartTime>,
}

impl StartTimes {
    /// The start of the series that `reader` has just read into `sample`.
    pub(super) fn of(&mut self, sample: &SampleParts, reader: &Reader<'_>) -> Option<Timestamp> {
        if !tells_start(reader.family.metric_type) {
            self.known = None;
            return None;
        }
        let name = sample.name.clone().unwrap_or_default();
        let family = name.start..name.start + reader.family.name_length;
        let family = reader.page().get(family).unwrap_or_default();
        let key = key(sample, reader, family);
        if self.known.as_ref().is_none_or(|known| known.key != key) {
            if self.ahead.until <= reader.lexer.cursor.at() {
                self.look_ahead(reader.clone());
            }
            self.known = self.ahead.found.clone().filter(|found| found.key == key);
        }
        self.known.as_ref().map(|known| known.time).filter(|time| *time != Timestamp(0))
    }

    fn look_ahead(&mut self, mut reader: Reader<'_>) {
        self.ahead.found = None;
        loop {
            let entry = reader.advance(&mut self.scratch, Exemplars::Skip);
            // Where this line starts, another look ahead would find what follows it.
            self.ahead.until = reader.lexer.cursor.at();
            if !matches!(entry, Ok(Some(Entry::Sample))) {
                return;
            }
            let name = self.scratch.name.clone().unwrap_or_default();
            if let Some(family) = reader.page()[name].strip_suffix(SUFFIX) {
                self.ahead.found = Some(StartTime {
                    key: key(&self.scratch, &reader, family),
                    time: milliseconds(self.scratch.value),
                });
                return;
            }
        }
    }
}

impl Reader<'_> {
    /// Whether the sample tells a start time and nothing else.
    pub(super) fn is_start_time(&self, sample: &SampleParts) -> bool {
        let name = sample.name.clone().unwrap_or_default();
        tells_start(self.family.metric_type) && self.page()[name].ends_with(SUFFIX)
    }
}

fn tells_start(metric_type: MetricType) -> bool {
    matches!(metric_type, MetricType::Counter | MetricType::Summary | MetricType::Histogram)
}

/// What the lines of one series share: the labels but for bucket and quantile, in the page's order, and the family's name.
fn key(sample: &SampleParts, reader: &Reader<'_>, family: &[u8]) -> Vec<u8> {
    let page = reader.page();
    let left_out = match reader.family.metric_type {
        MetricType::Summary => QUANTILE_LABEL.as_bytes(),
        MetricType::Histogram => BUCKET_LABEL.as_bytes(),
        _ => b"",
    };
    let mut key = Vec::new();
    for label in &sample.labels {
        let name = &page[label.name.clone()];
        if name != left_out {
            key.extend_from_slice(name);
            key.extend_from_slice(&page[label.value.clone()]);
        }
    }
    key.extend_from_slice(family);
    key
}
