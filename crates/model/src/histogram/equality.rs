//! Which histograms are the same.

use super::Histogram;
use super::layout::same_spans;

impl Histogram {
    /// Whether both have the same observations in the same buckets, as the operators `==` and `!=` see it.
    ///
    /// Numbers must have the same bits, so that a NaN equals itself; empty buckets count; what is known about resets does
    /// not.
    pub fn equals(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        let same_all = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b));
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && (!self.has_custom_buckets() || self.custom_values == other.custom_values)
            && self.zero_threshold == other.zero_threshold
            && same(self.zero_count, other.zero_count)
            && self.has_same_spans(other)
            && same_all(&self.negative_buckets, &other.negative_buckets)
            && same_all(&self.positive_buckets, &other.positive_buckets)
    }

    /// Whether both have the same buckets in the same spans, where spans of no length do not count.
    pub fn has_same_spans(&self, other: &Self) -> bool {
        same_spans(&self.positive_spans, &other.positive_spans)
            && same_spans(&self.negative_spans, &other.negative_spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CounterReset, Span};

    #[test]
    fn bits_count_and_hints_do_not() {
        let histogram = Histogram { sum: f64::NAN, count: 1.0, ..Histogram::default() };
        let hinted = Histogram { counter_reset: CounterReset::Reset, ..histogram.clone() };
        assert!(histogram.equals(&hinted));
        assert!(!histogram.equals(&Histogram { sum: -f64::NAN, ..histogram.clone() }));
        let spans = vec![Span { offset: 0, length: 1 }];
        let empty_bucket = Histogram { positive_spans: spans, positive_buckets: vec![0.0], ..histogram.clone() };
        assert!(!histogram.equals(&empty_bucket));
    }
}
