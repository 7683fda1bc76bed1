//! From what lies between samples to what lies in a range.

use super::RateKind;
use crate::scalar::seconds;

/// Samples in a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampled {
    /// The range.
    pub(super) start: i64,
    pub(super) end: i64,
    /// The times of the first and of the last sample.
    pub(super) first: i64,
    pub(super) last: i64,
    /// How many samples there are beside the first.
    pub(super) gaps: usize,
}

impl Sampled {
    /// When the counter of the first sample began, if that is in the range and before the sample.
    pub(super) fn beginning(&self, start_time: i64) -> Option<i64> {
        (start_time != 0 && start_time > self.start && start_time < self.first).then_some(start_time)
    }

    /// What the change between the samples must be multiplied by to get the one over the range, or per second.
    ///
    /// Samples that are about as near to an edge of the range as to each other are taken to go on up to that edge, others to
    /// begin or end half a gap from there, or, on the left, where a counter is 0: `from_zero` is its first value by its
    /// change. With a beginning nothing needs to be guessed on the left.
    #[inline]
    pub(super) fn factor(
        &self,
        kind: RateKind,
        range_seconds: f64,
        beginning: Option<i64>,
        from_zero: Option<f64>,
    ) -> f64 {
        let mut to_start = seconds(self.first - self.start);
        let mut to_end = seconds(self.end - self.last);
        let mut interval = seconds(self.last - self.first);
        let average = if self.gaps > 0 { interval / self.gaps as f64 } else { 0.0 };
        let threshold = average * 1.1;
        if let Some(beginning) = beginning {
            to_start = 0.0;
            interval = seconds(self.last - beginning);
        } else {
            if to_start >= threshold {
                to_start = average / 2.0;
            }
            if let Some(from_zero) = from_zero {
                let to_zero = interval * from_zero;
                if to_zero < to_start {
                    to_start = to_zero;
                }
            }
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let factor = if interval == 0.0 { 1.0 } else { (interval + to_start + to_end) / interval };
        if kind == RateKind::Rate { factor / range_seconds } else { factor }
    }
}
