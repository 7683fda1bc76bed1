//! Zero buckets of different widths.

use super::Histogram;
use super::bucket::Side;
use super::sum::Lost;
use crate::CompensatedSum;

impl Histogram {
    /// Makes the zero bucket so wide that it has those of both histograms and ends within no populated bucket of either.
    /// `lost` is what rounding lost of this histogram, if that is kept. The other histogram stays as it is: returned is what
    /// its zero bucket would have.
    pub(super) fn widen_zero_bucket(&mut self, other: &Self, mut lost: Option<&mut Lost>) -> CompensatedSum {
        let mut other_threshold = other.zero_threshold;
        let mut other_count = CompensatedSum { sum: other.zero_count, compensation: 0.0 };
        while other_threshold != self.zero_threshold {
            if self.zero_threshold > other_threshold {
                (other_threshold, other_count) = other.wider_zero_bucket(self.zero_threshold, None);
            }
            if other_threshold > self.zero_threshold {
                let (threshold, count) = self.wider_zero_bucket(other_threshold, lost.as_deref());
                self.zero_threshold = threshold;
                self.zero_count = count.sum;
                if let Some(lost) = lost.as_deref_mut() {
                    lost.zero_count = count.compensation;
                }
                self.empty_hidden_buckets(lost.as_deref_mut());
            }
            if other_threshold.is_nan() || self.zero_threshold.is_nan() {
                break; // Nothing equals them: no valid histogram has them.
            }
        }
        other_count
    }

    /// What the zero bucket would have if it reached to `threshold`, which is not below its own. If that is within a
    /// populated bucket, the zero bucket has all of that bucket; its true threshold is returned as well.
    pub(super) fn wider_zero_bucket(&self, threshold: f64, lost: Option<&Lost>) -> (f64, CompensatedSum) {
        let mut compensation = lost.map_or(0.0, |lost| lost.zero_count);
        if threshold <= self.zero_threshold {
            return (threshold, CompensatedSum { sum: self.zero_count, compensation });
        }
        let mut threshold = threshold;
        loop {
            let mut count = CompensatedSum { sum: self.zero_count, compensation };
            threshold = self.swallow(Side::Positive, threshold, lost, &mut count);
            let wider = self.swallow(Side::Negative, threshold, lost, &mut count);
            if wider == threshold {
                return (threshold, count);
            }
            // There may be more positive buckets within now.
            threshold = wider;
            compensation = count.compensation;
        }
    }

    /// Adds the buckets of a side that are within the threshold, and returns where the last populated one of them ends, if
    /// that is beyond.
    fn swallow(&self, side: Side, threshold: f64, lost: Option<&Lost>, count: &mut CompensatedSum) -> f64 {
        for (at, bucket) in self.side(side).enumerate() {
            let (inner, outer) = match side {
                Side::Positive => (bucket.lower, bucket.upper),
                Side::Negative => (-bucket.upper, -bucket.lower),
            };
            if inner >= threshold {
                break;
            }
            count.add(bucket.count);
            if let Some(lost) = lost.and_then(|lost| lost.side(side).get(at)) {
                count.add(*lost);
            }
            if outer > threshold {
                return if bucket.count == 0.0 { threshold } else { outer };
            }
        }
        threshold
    }

    /// Removes the buckets within the zero bucket, whose observations are counted there.
    fn empty_hidden_buckets(&mut self, mut lost: Option<&mut Lost>) {
        for side in [Side::Positive, Side::Negative] {
            let hidden = self
                .side(side)
                .take_while(|bucket| bucket.lower.abs().min(bucket.upper.abs()) < self.zero_threshold)
                .count();
            let buckets = match side {
                Side::Positive => &mut self.positive_buckets,
                Side::Negative => &mut self.negative_buckets,
            };
            buckets[..hidden].fill(0.0);
            if let Some(lost) = lost.as_deref_mut() {
                lost.side_mut(side)[..hidden].fill(0.0);
            }
        }
        match lost {
            Some(lost) => self.compact_with(lost),
            None => self.compact(0),
        }
    }
}
