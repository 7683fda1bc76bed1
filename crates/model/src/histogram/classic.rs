//! Classic histograms: counters per bucket, each with all observations up to its bound.

use crate::number::format_float_g as g;
use crate::{CUSTOM_BUCKETS_SCHEMA, Histogram, Span};

/// A classic histogram, put together from its samples in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicHistogram {
    /// Upper bounds, ascending, each with the observations up to it.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Why a classic histogram has no native form. The messages are Prometheus'.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ClassicHistogramError {
    /// A bound that is NaN.
    #[error("bucket boundary must not be NaN")]
    NanBound,
    /// A bound with fewer than no observations.
    #[error("bucket count must be non-negative: le={}, count={}", g(*.0), g(*.1))]
    NegativeBucket(f64, f64),
    /// Fewer than no observations.
    #[error("count must be non-negative: count={}", g(*.0))]
    NegativeCount(f64),
    /// A bound with fewer observations than the one before.
    #[error("count is not cumulative: {} < {}", g(*.0), g(*.1))]
    NotCumulative(f64, f64),
    /// The bucket of everything has not everything.
    #[error("count mismatch: count={} != le=+Inf count={}", g(*.0), g(*.1))]
    CountMismatch(f64, f64),
}

impl ClassicHistogram {
    /// Sets the observations up to a bound. Of equal bounds the first one counts.
    pub fn set_bucket(&mut self, upper_bound: f64, cumulative_count: f64) {
        let at = self.buckets.partition_point(|(bound, _)| *bound < upper_bound);
        if self.buckets.get(at).is_none_or(|(bound, _)| *bound != upper_bound) {
            self.buckets.insert(at, (upper_bound, cumulative_count));
        }
    }

    /// Sets the number of all observations. Without it, that of the last bucket counts.
    pub fn set_count(&mut self, count: f64) {
        self.count = Some(count);
    }

    /// Sets the sum of all observations.
    pub fn set_sum(&mut self, sum: f64) {
        self.sum = sum;
    }

    /// The histogram in native form, with [`CUSTOM_BUCKETS_SCHEMA`]; compact, but for up to two empty buckets in a row if all
    /// counts are whole numbers, as in Prometheus, which stores these as differences.
    ///
    /// # Errors
    /// If its samples contradict each other.
    pub fn to_native(&self) -> Result<Histogram, ClassicHistogramError> {
        if self.buckets.iter().any(|(bound, _)| bound.is_nan()) {
            return Err(ClassicHistogramError::NanBound);
        }
        if let Some((bound, count)) = self.buckets.iter().find(|(_, count)| *count < 0.0) {
            return Err(ClassicHistogramError::NegativeBucket(*bound, *count));
        }
        let last = self.buckets.last().copied();
        let count = self.count.or(last.map(|(_, count)| count)).unwrap_or(0.0);
        if count < 0.0 {
            return Err(ClassicHistogramError::NegativeCount(count));
        }
        let mut buckets = self.buckets.clone();
        match last {
            Some((bound, everything)) if bound == f64::INFINITY => {
                if count != everything {
                    return Err(ClassicHistogramError::CountMismatch(count, everything));
                }
            }
            _ => buckets.push((f64::INFINITY, count)),
        }
        let mut before = 0.0;
        let mut populations = Vec::with_capacity(buckets.len());
        for (_, cumulative) in &buckets {
            if *cumulative < before || cumulative.is_nan() {
                return Err(ClassicHistogramError::NotCumulative(*cumulative, before));
            }
            populations.push(cumulative - before);
            before = *cumulative;
        }
        let is_whole = count.fract() == 0.0 && populations.iter().all(|count| count.fract() == 0.0);
        let bounds = buckets.iter().map(|(bound, _)| *bound);
        let mut histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive_spans: vec![Span { offset: 0, length: u32::try_from(populations.len()).unwrap_or(u32::MAX) }],
            positive_buckets: populations,
            custom_values: bounds.filter(|bound| *bound != f64::INFINITY).collect(),
            ..Histogram::default()
        };
        histogram.compact(if is_whole { 2 } else { 0 });
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classic(count: Option<f64>, buckets: &[(f64, f64)]) -> ClassicHistogram {
        let mut classic = ClassicHistogram::default();
        for (bound, count) in buckets {
            classic.set_bucket(*bound, *count);
        }
        if let Some(count) = count {
            classic.set_count(count);
        }
        classic.set_sum(7.5);
        classic
    }

    #[test]
    fn buckets_become_native_ones() {
        let everything = f64::INFINITY;
        for buckets in [
            &[(1.0, 2.0), (5.0, 2.0), (10.0, 5.0), (everything, 6.0)][..],
            &[(1.0, 2.0), (5.0, 2.0), (10.0, 5.0)],
            &[(10.0, 5.0), (1.0, 2.0), (1.0, 99.0), (5.0, 2.0)],
        ] {
            let native = classic(Some(6.0), buckets).to_native().unwrap();
            assert_eq!((native.schema, native.count, native.sum), (CUSTOM_BUCKETS_SCHEMA, 6.0, 7.5));
            assert_eq!(native.custom_values, [1.0, 5.0, 10.0]);
            assert_eq!(native.positive_buckets, [2.0, 0.0, 3.0, 1.0]);
            assert_eq!(native.positive_spans, [Span { offset: 0, length: 4 }]);
        }
        let broken = classic(Some(6.5), &[(1.0, 2.0), (5.0, 2.0), (10.0, 5.0)]).to_native().unwrap();
        assert_eq!(broken.positive_spans, [Span { offset: 0, length: 1 }, Span { offset: 1, length: 2 }]);
        let only_count = classic(Some(2.5), &[]).to_native().unwrap();
        assert_eq!((only_count.custom_values, only_count.positive_buckets), (vec![], vec![2.5]));
        assert_eq!(classic(None, &[(1.0, 4.0)]).to_native().unwrap().count, 4.0);
        assert_eq!(classic(None, &[]).to_native().unwrap().positive_spans, []);
    }

    #[test]
    fn contradictions_are_told() {
        for (count, buckets, message) in [
            (None, &[(f64::NAN, 1.0)][..], "bucket boundary must not be NaN"),
            (None, &[(0.5, -1.0)], "bucket count must be non-negative: le=0.5, count=-1"),
            (Some(-2.0), &[], "count must be non-negative: count=-2"),
            (None, &[(1.0, 3.0), (2.0, 1.0)], "count is not cumulative: 1 < 3"),
            (Some(2.0), &[(1.0, 3.0)], "count is not cumulative: 2 < 3"),
            (Some(2e6), &[(f64::INFINITY, 3.0)], "count mismatch: count=2e+06 != le=+Inf count=3"),
        ] {
            assert_eq!(classic(count, buckets).to_native().unwrap_err().to_string(), message);
        }
    }
}
