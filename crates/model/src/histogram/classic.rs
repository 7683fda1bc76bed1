//! Classic histograms in native form.

use super::{CUSTOM_BUCKETS_SCHEMA, Histogram, Span};
use crate::number::format_float_g;

/// The buckets, count and sum of a classic histogram at one time, being collected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicHistogram {
    /// Upper bounds, ascending, with cumulative counts.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Why a classic histogram has no native form. The messages are Prometheus'.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ClassicError {
    /// A bound is NaN.
    #[error("bucket boundary must not be NaN")]
    NanBound,
    /// A bucket has less than nothing.
    #[error("bucket count must be non-negative: le={}, count={}", format_float_g(*.bound), format_float_g(*.count))]
    NegativeBucket {
        /// Its upper bound.
        bound: f64,
        /// Its count.
        count: f64,
    },
    /// There are fewer observations than none.
    #[error("count must be non-negative: count={}", format_float_g(*.0))]
    NegativeCount(f64),
    /// A bucket has less than one with a lower bound, or more than one with a higher bound.
    #[error("count is not cumulative: {} {relation} {}", format_float_g(*.count), format_float_g(*.other))]
    NotCumulative {
        /// Its count.
        count: f64,
        /// How it compares.
        relation: char,
        /// The count of the other bucket.
        other: f64,
    },
    /// The last bucket does not have all observations.
    #[error(
        "count mismatch: count={} != le={} count={}",
        format_float_g(*.count),
        format_float_g(*.bound),
        format_float_g(*.last)
    )]
    CountMismatch {
        /// All observations.
        count: f64,
        /// The upper bound of the last bucket.
        bound: f64,
        /// Its count.
        last: f64,
    },
}

impl ClassicHistogram {
    /// No buckets yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how many observations are at most `bound`. Of buckets with equal bounds the first one counts.
    ///
    /// # Errors
    /// If that can't be.
    pub fn set_bucket(&mut self, bound: f64, count: f64) -> Result<(), ClassicError> {
        if bound.is_nan() {
            return Err(ClassicError::NanBound);
        }
        if count < 0.0 {
            return Err(ClassicError::NegativeBucket { bound, count });
        }
        let at = self.buckets.partition_point(|(other, _)| *other < bound);
        if self.buckets.get(at).is_some_and(|(other, _)| *other == bound) {
            return Ok(());
        }
        if let Some((_, lower)) = self.buckets[..at].last().filter(|(_, lower)| count < *lower) {
            return Err(ClassicError::NotCumulative { count, relation: '<', other: *lower });
        }
        if let Some((_, upper)) = self.buckets.get(at).filter(|(_, upper)| count > *upper) {
            return Err(ClassicError::NotCumulative { count, relation: '>', other: *upper });
        }
        self.buckets.insert(at, (bound, count));
        Ok(())
    }

    /// Says how many observations there are; else as many as the last bucket has.
    ///
    /// # Errors
    /// If there are fewer than none.
    pub fn set_count(&mut self, count: f64) -> Result<(), ClassicError> {
        if count < 0.0 {
            return Err(ClassicError::NegativeCount(count));
        }
        self.count = Some(count);
        Ok(())
    }

    /// Says what all observations add up to.
    pub fn set_sum(&mut self, sum: f64) {
        self.sum = sum;
    }

    /// The histogram in native form, with a last bucket up to infinity.
    ///
    /// # Errors
    /// If that bucket is given and does not have all observations.
    pub fn to_native(&self) -> Result<Histogram, ClassicError> {
        let mut buckets = self.buckets.clone();
        let count = self.count.or(buckets.last().map(|(_, count)| *count)).unwrap_or_default();
        match buckets.last() {
            Some((bound, last)) if *bound == f64::INFINITY => {
                if *last != count {
                    return Err(ClassicError::CountMismatch { count, bound: *bound, last: *last });
                }
            }
            _ => buckets.push((f64::INFINITY, count)),
        }
        let is_integer = buckets.iter().all(|(_, count)| is_whole(*count)) && is_whole(count);
        let mut before = 0.0;
        let counts = buckets.iter().map(|(_, count)| count - std::mem::replace(&mut before, *count)).collect();
        let bounds = buckets.iter().map(|(bound, _)| *bound).filter(|bound| *bound != f64::INFINITY);
        let mut native = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive_spans: vec![Span { offset: 0, length: buckets.len() as u32 }],
            positive_buckets: counts,
            custom_values: bounds.collect(),
            ..Histogram::default()
        };
        // Integers are written as differences, of which a few zeros are cheaper than a span.
        native.compact(if is_integer { 2 } else { 0 });
        Ok(native)
    }
}

fn is_whole(count: f64) -> bool {
    count == count.round() && count.abs() < (1u64 << 63) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classic(buckets: &[(f64, f64)], count: Option<f64>) -> Result<Histogram, ClassicError> {
        let mut classic = ClassicHistogram::new();
        for (bound, count) in buckets {
            classic.set_bucket(*bound, *count)?;
        }
        if let Some(count) = count {
            classic.set_count(count)?;
        }
        classic.to_native()
    }

    #[test]
    fn cumulative_counts_become_counts_of_buckets() {
        let native = classic(&[(2.0, 3.0), (1.0, 1.0), (f64::INFINITY, 7.0)], None).unwrap();
        assert_eq!((native.count, native.custom_values), (7.0, vec![1.0, 2.0]));
        assert_eq!(native.positive_buckets, [1.0, 2.0, 4.0]);
        let native = classic(&[(1.0, 2.5), (2.0, 2.5)], Some(4.0)).unwrap();
        assert_eq!(native.positive_buckets, [2.5, 1.5]);
        assert_eq!(native.positive_spans, [Span { offset: 0, length: 1 }, Span { offset: 1, length: 1 }]);
    }

    #[test]
    fn what_is_not_cumulative_is_refused() {
        for (buckets, count, message) in [
            (&[(1.0, 2.0), (2.0, 1.0)][..], None, "count is not cumulative: 1 < 2"),
            (&[(2.0, 1.0), (1.0, 2.0)], None, "count is not cumulative: 2 > 1"),
            (&[(1.0, -1.0)], None, "bucket count must be non-negative: le=1, count=-1"),
            (&[(f64::NAN, 1.0)], None, "bucket boundary must not be NaN"),
            (&[], Some(-2.0), "count must be non-negative: count=-2"),
            (&[(f64::INFINITY, 1.0)], Some(2.0), "count mismatch: count=2 != le=+Inf count=1"),
        ] {
            assert_eq!(classic(buckets, count).unwrap_err().to_string(), message);
        }
    }
}
