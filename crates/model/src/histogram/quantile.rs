//! Quantiles.

use super::{Bucket, Histogram};

/// A quantile of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// The estimated value.
    pub value: f64,
    /// How observations of NaN bear on it.
    pub nan_observations: NanObservations,
}

/// How observations of NaN, which are in no bucket and count as larger than all others, bear on a quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NanObservations {
    /// Not at all: there are none.
    None,
    /// They make the quantile larger than it would be.
    Skew,
    /// The quantile is among them.
    Result,
}

impl Histogram {
    /// Estimates the `q`-quantile: −Inf below 0, +Inf above 1, NaN if there are no observations.
    ///
    /// Within a bucket observations are taken to lie evenly, on a logarithmic scale for exponential buckets.
    pub fn quantile(&self, q: f64) -> Quantile {
        let plain = |value| Quantile { value, nan_observations: NanObservations::None };
        if q < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return plain(f64::NAN);
        }
        // From the nearer end less rounding adds up; but NaNs lie at the upper one.
        if self.sum.is_nan() || q < 0.5 {
            self.quantile_at(q * self.count, self.buckets(), false)
        } else {
            self.quantile_at((1.0 - q) * self.count, self.buckets().rev(), true)
        }
    }

    /// The value at a rank, counted from the end from which the buckets come.
    fn quantile_at(&self, rank: f64, mut buckets: impl Iterator<Item = Bucket>, from_above: bool) -> Quantile {
        let plain = |value| Quantile { value, nan_observations: NanObservations::None };
        let mut count = 0.0;
        let mut bucket = Bucket { lower: 0.0, upper: 0.0, includes_lower: true, includes_upper: true, count: 0.0 };
        for next in buckets.by_ref() {
            bucket = next;
            count += bucket.count;
            if bucket.count != 0.0 && count >= rank {
                break;
            }
        }
        if !self.has_custom_buckets() {
            if bucket.lower < 0.0 && bucket.upper > 0.0 {
                (bucket.lower, bucket.upper) = self.zero_bucket_bounds(bucket.lower, bucket.upper);
            }
        } else if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return plain(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return plain(bucket.lower);
        }
        // Rounding may have made it more than all.
        count = count.min(self.count);
        if count < rank {
            let all_nan = Quantile { value: f64::NAN, nan_observations: NanObservations::Result };
            return if self.sum.is_nan() { all_nan } else { plain(bucket.upper) };
        }
        let within = if from_above { count - rank } else { rank - (count - bucket.count) };
        let mut nan_observations = NanObservations::None;
        if self.sum.is_nan() {
            for next in buckets {
                // Prometheus 3.15 goes on with the last bucket here, whichever has the rank, and so do we.
                bucket = next;
                count += next.count;
            }
            // NaNs may be all that the buckets lack.
            if count < self.count {
                nan_observations = NanObservations::Skew;
            }
        }
        let value = bucket.value_at(within / bucket.count, self.has_custom_buckets());
        Quantile { value, nan_observations }
    }

    /// The bounds of the zero bucket: without buckets on one side, nothing in it is taken to lie on that side.
    pub(super) fn zero_bucket_bounds(&self, lower: f64, upper: f64) -> (f64, f64) {
        match (self.negative_buckets.is_empty(), self.positive_buckets.is_empty()) {
            (true, false) => (0.0, upper),
            (false, true) => (lower, 0.0),
            _ => (lower, upper),
        }
    }
}

impl Bucket {
    /// The value below which this fraction of the bucket lies. The zero bucket is always linear.
    fn value_at(&self, fraction: f64, is_linear: bool) -> f64 {
        if is_linear || (self.lower <= 0.0 && self.upper >= 0.0) {
            return self.lower + (self.upper - self.lower) * fraction;
        }
        let (lower, upper) = (self.lower.abs().log2(), self.upper.abs().log2());
        if self.lower > 0.0 {
            (lower + (upper - lower) * fraction).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - fraction)).exp2()
        }
    }

    /// The fraction of the bucket that lies below a value within it.
    pub(super) fn fraction_below(&self, value: f64, is_linear: bool) -> f64 {
        if is_linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let (lower, upper) = (self.lower.abs().log2(), self.upper.abs().log2());
        let value_log = value.abs().log2();
        if value > 0.0 { (value_log - lower) / (upper - lower) } else { 1.0 - (value_log - upper) / (lower - upper) }
    }
}
