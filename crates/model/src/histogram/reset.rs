//! Whether a counter started again between two histograms.

use super::bucket::Side;
use super::custom::{Mapping, common_bounds};
use super::layout::reduced_index;
use super::{CounterReset, Histogram};

impl Histogram {
    /// Takes down what Prometheus' chunks tell about a reset of a histogram behind `previous`: that there was none, if both
    /// fit into one chunk; else nothing, since chunks know nothing of each other. A gauge stays one.
    ///
    /// What the source said about a reset is not asked: a chunk begins wherever it said that there was one.
    pub fn observe_reset(&mut self, previous: Option<&Self>) {
        if self.counter_reset == CounterReset::Gauge {
            return;
        }
        let said = std::mem::replace(&mut self.counter_reset, CounterReset::Unknown);
        let fits = |previous: &Self| {
            let has_same_layout = self.schema == previous.schema
                && self.zero_threshold == previous.zero_threshold
                && self.custom_values == previous.custom_values;
            self.is_stale() || (!previous.is_stale() && has_same_layout && !self.is_reset_after(previous))
        };
        let previous = previous.filter(|previous| previous.counter_reset != CounterReset::Gauge);
        if said != CounterReset::Reset && previous.is_some_and(fits) {
            self.counter_reset = CounterReset::NotReset;
        }
    }

    /// Whether the counter started again after `previous`: this histogram says so, or says nothing and has less than
    /// `previous` somewhere, or a layout that can only come from a new start (a finer schema, a narrower zero bucket).
    ///
    /// A gauge is looked at as if it were a counter.
    pub fn is_reset_after(&self, previous: &Self) -> bool {
        match self.counter_reset {
            CounterReset::Reset => return true,
            CounterReset::NotReset => return false,
            CounterReset::Unknown | CounterReset::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.has_custom_buckets() {
            if !previous.has_custom_buckets() {
                return true;
            }
            if self.custom_values != previous.custom_values {
                return self.has_less_in_common_buckets(previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let (threshold, zero_count) = previous.wider_zero_bucket(self.zero_threshold, None);
        if threshold != self.zero_threshold || self.zero_count < zero_count.sum {
            return true;
        }
        [Side::Positive, Side::Negative].into_iter().any(|side| {
            let current = self.outer_counts(side, self.schema, self.zero_threshold);
            let previous = previous.outer_counts(side, self.schema, self.zero_threshold);
            has_less(current, previous)
        })
    }

    fn has_less_in_common_buckets(&self, previous: &Self) -> bool {
        let counts = |histogram: &Self| {
            let mut mapping = Mapping::new(common_bounds(&self.custom_values, &previous.custom_values));
            mapping.add(histogram, &[], 1.0);
            mapping
        };
        let (current, previous) = (counts(self), counts(previous));
        current.counts().iter().zip(previous.counts()).any(|(current, previous)| current.sum < previous.sum)
    }

    /// The buckets of a side as they would be in a coarser schema, without those within the zero bucket.
    fn outer_counts(&self, side: Side, schema: i8, zero_threshold: f64) -> impl Iterator<Item = (i32, f64)> + '_ {
        let mut counts = self.counts(side).peekable();
        let mut is_hidden = zero_threshold > 0.0 && !self.has_custom_buckets();
        std::iter::from_fn(move || {
            loop {
                let (index, mut count) = counts.next()?;
                let target = reduced_index(index, self.schema, schema);
                let same = |(other, _): &(i32, f64)| reduced_index(*other, self.schema, schema) == target;
                while let Some((_, other)) = counts.next_if(same) {
                    count += other;
                }
                is_hidden = is_hidden && super::bound::exponential_bound(target, schema) <= zero_threshold;
                if !is_hidden {
                    return Some((target, count));
                }
            }
        })
    }
}

/// Whether one of the previous buckets has more than the current one of the same index, or is populated and has none.
fn has_less(current: impl Iterator<Item = (i32, f64)>, previous: impl Iterator<Item = (i32, f64)>) -> bool {
    let mut current = current.peekable();
    for (index, before) in previous {
        while current.next_if(|(other, _)| *other < index).is_some() {}
        let is_less = match current.peek() {
            Some((other, now)) if *other == index => *now < before,
            _ => before != 0.0,
        };
        if is_less {
            return true;
        }
    }
    false
}
