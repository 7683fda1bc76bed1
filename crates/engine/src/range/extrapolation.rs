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

    /// How the change between the samples goes on up to the edges of the range.
    ///
    /// Samples that are about as near to an edge of the range as to each other are taken to go on up to that edge, others to
    /// begin or end half a gap from there. With a beginning nothing needs to be guessed on the left.
    pub(super) fn extrapolation(&self, kind: RateKind, range_seconds: f64, beginning: Option<i64>) -> Extrapolation {
        let mut to_start = seconds(self.first - self.start);
        let mut to_end = seconds(self.end - self.last);
        let mut interval = seconds(self.last - self.first);
        let average = if self.gaps > 0 { interval / self.gaps as f64 } else { 0.0 };
        let threshold = average * 1.1;
        if let Some(beginning) = beginning {
            to_start = 0.0;
            interval = seconds(self.last - beginning);
        } else if to_start >= threshold {
            to_start = average / 2.0;
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let divisor = if kind == RateKind::PerSecond { range_seconds } else { 1.0 };
        let mut extrapolation = Extrapolation { to_start, to_end, interval, divisor, factor: 0.0 };
        extrapolation.factor = extrapolation.factor_from(to_start);
        extrapolation
    }
}

/// What becomes of a change between samples, as far as their times tell. All is in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extrapolation {
    /// How far the change goes on before the first sample, and behind the last one.
    to_start: f64,
    to_end: f64,
    /// The time between them.
    interval: f64,
    /// What the change over the range is divided by to get the result.
    divisor: f64,
    /// What a change is multiplied by if nothing but times bears on it.
    factor: f64,
}

impl Extrapolation {
    /// What a change must be multiplied by to get the one over the range, or per second.
    pub(super) fn factor(&self) -> f64 {
        self.factor
    }

    /// The same for a counter with this first value. Where it would have been below 0, it was not there yet.
    #[inline]
    pub(super) fn factor_of_counter(&self, first_value: f64, change: f64) -> f64 {
        let is_rising = change > 0.0 && first_value >= 0.0;
        // Mostly it would not, which is seen without a division.
        let reach = self.interval * first_value;
        if !is_rising || reach >= self.to_start * change && reach.is_finite() {
            return self.factor;
        }
        let to_zero = self.interval * (first_value / change);
        if to_zero < self.to_start { self.factor_from(to_zero) } else { self.factor }
    }

    fn factor_from(&self, to_start: f64) -> f64 {
        let factor = if self.interval == 0.0 { 1.0 } else { (self.interval + to_start + self.to_end) / self.interval };
        factor / self.divisor
    }
}
