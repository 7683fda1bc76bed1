//! Decoded samples.

use std::sync::Arc;

use model::{Histogram, Sample, Timestamp, Value};

/// The samples of one series, decoded: floats and native histograms apart, each ascending in time.
///
/// No time is in both columns, and none twice in one. Staleness markers are values like others: floats with the marker's
/// bits, histograms whose sum has them.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// The times of the floats, in ms.
    pub float_times: Vec<i64>,
    /// Their values.
    pub floats: Vec<f64>,
    /// The times of the histograms, in ms.
    pub histogram_times: Vec<i64>,
    /// Their values.
    pub histograms: Vec<Arc<Histogram>>,
    /// When each float's counter began, in ms, 0 where that is not known; empty if it is known of none.
    pub float_starts: Vec<i64>,
    /// The same for histograms.
    pub histogram_starts: Vec<i64>,
}

impl Samples {
    /// No samples.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all samples and keeps the memory.
    pub fn clear(&mut self) {
        self.float_times.clear();
        self.floats.clear();
        self.histogram_times.clear();
        self.histograms.clear();
        self.float_starts.clear();
        self.histogram_starts.clear();
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// About how many bytes they take in memory.
    pub fn size_bytes(&self) -> usize {
        let times = self.float_times.len() + self.histogram_times.len();
        let starts = self.float_starts.len() + self.histogram_starts.len();
        let histograms: usize = self.histograms.iter().map(|histogram| histogram.size_bytes()).sum();
        8 * (times + starts + self.floats.len()) + histograms
    }

    /// Adds a sample, which must be later than all others of its kind, with the time its counter began (0: unknown).
    pub fn push(&mut self, sample: &Sample, start_ms: i64) {
        let time = sample.timestamp.as_ms();
        match &sample.value {
            Value::Float(value) => {
                push_start(&mut self.float_starts, self.floats.len(), start_ms);
                self.float_times.push(time);
                self.floats.push(*value);
            }
            Value::Histogram(histogram) => {
                push_start(&mut self.histogram_starts, self.histograms.len(), start_ms);
                self.histogram_times.push(time);
                self.histograms.push(histogram.clone());
            }
        }
    }

    /// The samples in order of time.
    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        self.iter_with_starts().map(|(sample, _)| sample)
    }

    /// The samples in order of time, each with the time its counter began, in ms (0: unknown).
    pub fn iter_with_starts(&self) -> impl Iterator<Item = (Sample, i64)> {
        let start = |starts: &[i64], at: usize| starts.get(at).copied().unwrap_or(0);
        let (mut float, mut histogram) = (0, 0);
        std::iter::from_fn(move || {
            let next_float = self.float_times.get(float);
            let next_histogram = self.histogram_times.get(histogram);
            match (next_float, next_histogram) {
                (Some(time), other) if other.is_none_or(|other| time <= other) => {
                    let value = Value::Float(self.floats[float]);
                    float += 1;
                    Some((Sample { timestamp: Timestamp(*time), value }, start(&self.float_starts, float - 1)))
                }
                (_, Some(time)) => {
                    let value = Value::Histogram(self.histograms[histogram].clone());
                    histogram += 1;
                    Some((Sample { timestamp: Timestamp(*time), value }, start(&self.histogram_starts, histogram - 1)))
                }
                _ => None,
            }
        })
    }
}

/// Adds a start to a column that is empty as long as no start is known.
fn push_start(starts: &mut Vec<i64>, len: usize, start_ms: i64) {
    if start_ms != 0 || !starts.is_empty() {
        starts.resize(len, 0);
        starts.push(start_ms);
    }
}
