//! Which histograms make sense.

use super::{CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, Histogram, Span};
use crate::number::{format_float_fixed, format_float_g};

/// What is wrong with a histogram. The messages are Prometheus'.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HistogramError {
    /// The schema is none that is known.
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom \
         buckets, got schema {0}"
    )]
    Schema(i8),
    /// Spans overlap.
    #[error("{side}span number {number} with offset {offset}: histogram has a span whose offset is negative")]
    NegativeOffset {
        /// Of which buckets, with a colon and a blank.
        side: &'static str,
        /// Which span, from 1.
        number: usize,
        /// Its offset.
        offset: i32,
    },
    /// There are more or fewer buckets than the spans say.
    #[error(
        "{side}spans need {needed} buckets, have {found} buckets: histogram spans specify different number of buckets \
         than provided"
    )]
    BucketCount {
        /// Of which buckets, with a colon and a blank.
        side: &'static str,
        /// How many the spans say.
        needed: u64,
        /// How many there are.
        found: usize,
    },
    /// A bucket has less than nothing.
    #[error(
        "{side}bucket number {number} has observation count of {}: histogram has a bucket whose observation count is \
         negative",
        format_float_g(*.count)
    )]
    NegativeBucket {
        /// Of which buckets, with a colon and a blank.
        side: &'static str,
        /// Which bucket, from 1.
        number: usize,
        /// Its count.
        count: f64,
    },
    /// The zero bucket has less than nothing.
    #[error(
        "zero bucket has observation count of {}: histogram has a bucket whose observation count is negative",
        format_float_g(*.0)
    )]
    NegativeZeroBucket(f64),
    /// There are fewer observations than none.
    #[error("observation count is  {}: histogram's observation count is negative", format_float_g(*.0))]
    NegativeCount(f64),
    /// An exponential histogram lists bounds.
    #[error("histogram with exponential schema must not have custom bounds")]
    UnexpectedBounds,
    /// A custom bound is NaN.
    #[error("custom buckets: histogram custom bounds must not be NaN")]
    NanBound,
    /// A custom bound is not above the one before.
    #[error(
        "custom buckets: previous bound is {} and current is {}: histogram custom bounds must be in strictly \
         increasing order",
        format_float_fixed(*.previous, 6),
        format_float_fixed(*.current, 6)
    )]
    BoundOrder {
        /// The bound before.
        previous: f64,
        /// The bound.
        current: f64,
    },
    /// The last custom bound is infinite.
    #[error("custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite")]
    InfiniteBound,
    /// There are buckets beyond the last bound.
    #[error(
        "custom buckets: only {bounds} custom bounds defined which is insufficient to cover total span length of \
         {length}: histogram custom bounds are too few"
    )]
    TooFewBounds {
        /// How many bounds there are.
        bounds: usize,
        /// How far the spans reach.
        length: u64,
    },
    /// Custom buckets have no zero bucket.
    #[error("custom buckets: must have zero count of 0")]
    CustomZeroCount,
    /// Custom buckets have no zero bucket.
    #[error("custom buckets: must have zero threshold of 0")]
    CustomZeroThreshold,
    /// Custom buckets have no negative side.
    #[error("custom buckets: must not have negative spans")]
    CustomNegativeSpans,
    /// Custom buckets have no negative side.
    #[error("custom buckets: must not have negative buckets")]
    CustomNegativeBuckets,
    /// The buckets have another number of observations than the histogram.
    #[error(
        "{buckets} observations found in buckets, but the Count field is {count}: histogram's observation count should \
         equal the number of observations found in the buckets (in absence of NaN)"
    )]
    CountMismatch {
        /// Observations in buckets.
        buckets: f64,
        /// All observations.
        count: f64,
    },
    /// The buckets have more observations than the histogram.
    #[error(
        "{buckets} observations found in buckets, but the Count field is {count}: histogram's observation count should \
         be at least the number of observations found in the buckets"
    )]
    CountTooSmall {
        /// Observations in buckets.
        buckets: f64,
        /// All observations.
        count: f64,
    },
}

impl Histogram {
    /// Whether layout, bounds and counts make sense.
    ///
    /// # Errors
    /// The first fault, in the order in which Prometheus looks.
    pub fn validate(&self) -> Result<(), HistogramError> {
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            self.validate_custom()?;
        } else if EXPONENTIAL_SCHEMAS.contains(&self.schema) {
            self.validate_exponential()?;
        } else {
            return Err(HistogramError::Schema(self.schema));
        }
        if self.count < 0.0 {
            return Err(HistogramError::NegativeCount(self.count));
        }
        validate_counts("positive side: ", &self.positive_buckets)
    }

    /// [`Self::validate`], and whether the observations of the buckets add up: for histograms that were given in integers,
    /// where nothing is lost to rounding.
    ///
    /// # Errors
    /// The first fault.
    pub fn validate_integers(&self) -> Result<(), HistogramError> {
        self.validate()?;
        let all = self.positive_buckets.iter().chain(&self.negative_buckets).sum::<f64>();
        let (buckets, count) = (all + self.zero_count, self.count);
        if self.sum.is_nan() {
            if buckets > count {
                return Err(HistogramError::CountTooSmall { buckets, count });
            }
        } else if buckets != count {
            return Err(HistogramError::CountMismatch { buckets, count });
        }
        Ok(())
    }

    fn validate_exponential(&self) -> Result<(), HistogramError> {
        for (side, spans, buckets) in [
            ("positive side: ", &self.positive_spans, &self.positive_buckets),
            ("negative side: ", &self.negative_spans, &self.negative_buckets),
        ] {
            validate_spans(side, spans, 1, buckets.len())?;
        }
        validate_counts("negative side: ", &self.negative_buckets)?;
        if self.zero_count < 0.0 {
            return Err(HistogramError::NegativeZeroBucket(self.zero_count));
        }
        if !self.custom_values.is_empty() {
            return Err(HistogramError::UnexpectedBounds);
        }
        Ok(())
    }

    fn validate_custom(&self) -> Result<(), HistogramError> {
        self.validate_bounds()?;
        validate_spans("custom buckets: ", &self.positive_spans, 0, self.positive_buckets.len())?;
        let length =
            self.positive_spans.iter().map(|span| u64::from(span.length) + u64::from(span.offset.unsigned_abs()));
        let (length, bounds) = (length.sum(), self.custom_values.len());
        if (bounds as u64) + 1 < length {
            return Err(HistogramError::TooFewBounds { bounds, length });
        }
        if self.zero_count != 0.0 {
            return Err(HistogramError::CustomZeroCount);
        }
        if self.zero_threshold != 0.0 {
            return Err(HistogramError::CustomZeroThreshold);
        }
        if !self.negative_spans.is_empty() {
            return Err(HistogramError::CustomNegativeSpans);
        }
        if !self.negative_buckets.is_empty() {
            return Err(HistogramError::CustomNegativeBuckets);
        }
        Ok(())
    }

    fn validate_bounds(&self) -> Result<(), HistogramError> {
        let mut previous: Option<f64> = None;
        for current in &self.custom_values {
            if current.is_nan() {
                return Err(HistogramError::NanBound);
            }
            if let Some(previous) = previous.filter(|previous| current <= previous) {
                return Err(HistogramError::BoundOrder { previous, current: *current });
            }
            previous = Some(*current);
        }
        if previous == Some(f64::INFINITY) { Err(HistogramError::InfiniteBound) } else { Ok(()) }
    }
}

/// Spans from `first_fixed` on must not begin before the one before ends. Together they must have all buckets.
fn validate_spans(
    side: &'static str,
    spans: &[Span],
    first_fixed: usize,
    buckets: usize,
) -> Result<(), HistogramError> {
    for (at, span) in spans.iter().enumerate().skip(first_fixed) {
        if span.offset < 0 {
            return Err(HistogramError::NegativeOffset { side, number: at + 1, offset: span.offset });
        }
    }
    let needed = spans.iter().map(|span| u64::from(span.length)).sum();
    if needed == buckets as u64 { Ok(()) } else { Err(HistogramError::BucketCount { side, needed, found: buckets }) }
}

fn validate_counts(side: &'static str, buckets: &[f64]) -> Result<(), HistogramError> {
    match buckets.iter().position(|count| *count < 0.0) {
        Some(at) => Err(HistogramError::NegativeBucket { side, number: at + 1, count: buckets[at] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Histogram {
        Histogram {
            count: 3.0,
            positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 1 }],
            positive_buckets: vec![1.0, 2.0],
            ..Histogram::default()
        }
    }

    fn custom() -> Histogram {
        Histogram { schema: CUSTOM_BUCKETS_SCHEMA, custom_values: vec![1.0, 2.0], ..fine() }
    }

    #[track_caller]
    fn check(histogram: Histogram, change: impl Fn(&mut Histogram), message: &str) {
        let mut histogram = histogram;
        change(&mut histogram);
        assert_eq!(histogram.validate_integers().map_err(|error| error.to_string()), Err(message.to_owned()));
    }

    #[test]
    fn faults_are_named_as_prometheus_names_them() {
        assert_eq!((fine().validate_integers(), custom().validate_integers()), (Ok(()), Ok(())));
        check(
            fine(),
            |histogram| histogram.positive_spans[1].offset = -1,
            "positive side: span number 2 with offset -1: histogram has a span whose offset is negative",
        );
        check(
            fine(),
            |histogram| histogram.positive_spans[1].length = 2,
            "positive side: spans need 3 buckets, have 2 buckets: histogram spans specify different number of buckets \
             than provided",
        );
        check(
            fine(),
            |histogram| {
                histogram.negative_spans = vec![Span { offset: 0, length: 1 }];
                histogram.negative_buckets = vec![-1.0];
            },
            "negative side: bucket number 1 has observation count of -1: histogram has a bucket whose observation count \
             is negative",
        );
        check(
            fine(),
            |histogram| histogram.custom_values = vec![1.0],
            "histogram with exponential schema must not have custom bounds",
        );
        check(
            fine(),
            |histogram| histogram.count = 2.0,
            "3 observations found in buckets, but the Count field is 2: histogram's observation count should equal the \
             number of observations found in the buckets (in absence of NaN)",
        );
        check(
            fine(),
            |histogram| histogram.schema = 9,
            "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom \
             buckets, got schema 9",
        );
        check(
            custom(),
            |histogram| histogram.custom_values[1] = 1.0,
            "custom buckets: previous bound is 1.000000 and current is 1.000000: histogram custom bounds must be in \
             strictly increasing order",
        );
        check(
            custom(),
            |histogram| histogram.custom_values[1] = f64::INFINITY,
            "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite",
        );
        check(
            custom(),
            |histogram| histogram.custom_values = vec![1.0],
            "custom buckets: only 1 custom bounds defined which is insufficient to cover total span length of 3: \
             histogram custom bounds are too few",
        );
        check(custom(), |histogram| histogram.zero_count = 1.0, "custom buckets: must have zero count of 0");
    }

    #[test]
    fn observations_of_nan_are_in_no_bucket() {
        let with_nan = Histogram { count: 4.0, sum: f64::NAN, ..fine() };
        assert_eq!(with_nan.validate_integers(), Ok(()));
        let message = "3 observations found in buckets, but the Count field is 2: histogram's observation count should \
                       be at least the number of observations found in the buckets";
        check(with_nan, |histogram| histogram.count = 2.0, message);
    }
}
