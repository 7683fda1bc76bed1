//! Fractions of the observations.

use super::{Bucket, Histogram};

impl Histogram {
    /// Estimates which fraction of the observations lies between two values, as [`Self::quantile`] would, and whether there
    /// are observations of NaN, which lie nowhere.
    ///
    /// NaN without observations or if a bound is NaN; 0 if nothing can lie between the two.
    pub fn fraction(&self, lower: f64, upper: f64) -> (f64, bool) {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return (f64::NAN, false);
        }
        if lower >= upper {
            return (0.0, false);
        }
        let mut rank = 0.0;
        let mut count = 0.0;
        let (mut lower_rank, mut upper_rank) = (None, None);
        let mut buckets = self.buckets();
        for mut bucket in buckets.by_ref() {
            count += bucket.count;
            let is_linear = self.has_custom_buckets() || is_around_zero(&bucket);
            if is_around_zero(&bucket) {
                (bucket.lower, bucket.upper) = self.zero_bucket_bounds(bucket.lower, bucket.upper);
            }
            for (value, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
                if found.is_none() {
                    *found = bucket.rank_of(value, rank, is_linear);
                }
            }
            if lower_rank.is_some() && upper_rank.is_some() {
                break;
            }
            rank += bucket.count;
        }
        let mut has_nans = false;
        if self.sum.is_nan() {
            count = buckets.fold(count, |count, bucket| count + bucket.count);
            has_nans = count < self.count;
        } else {
            count = self.count;
        }
        let within = |rank: Option<f64>| rank.filter(|rank| *rank <= count).unwrap_or(count);
        ((within(upper_rank) - within(lower_rank)) / self.count, has_nans)
    }
}

fn is_around_zero(bucket: &Bucket) -> bool {
    bucket.lower <= 0.0 && bucket.upper >= 0.0
}

impl Bucket {
    /// How many observations lie below `value`, if `rank` lie below the bucket; `None` if that takes later buckets to know.
    fn rank_of(&self, value: f64, rank: f64, is_linear: bool) -> Option<f64> {
        if self.lower >= value {
            return Some(rank);
        }
        if self.upper <= value || self.lower.is_nan() || self.upper.is_nan() {
            return None;
        }
        // Half of infinity is no place to interpolate: none of the observations of the first bucket lie above.
        if is_linear && self.lower == f64::NEG_INFINITY {
            return Some(self.count);
        }
        Some(rank + self.count * self.fraction_below(value, is_linear))
    }
}
