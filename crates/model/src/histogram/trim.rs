//! Histograms without the observations above or below a value.

use super::bucket::Side;
use super::{Bucket, Histogram};

/// Which observations are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Below,
    Above,
}

/// Observations that are kept of a bucket, and about where they lie.
struct Kept {
    count: f64,
    midpoint: f64,
}

impl Histogram {
    /// Keeps the observations below `value`, as the operator `</` does.
    ///
    /// Of the bucket that has the value, a part is kept, as [`Self::quantile`] would see it. If anything was removed, count
    /// and sum are estimated anew.
    pub fn keep_below(&mut self, value: f64) {
        self.trim(value, Keep::Below);
    }

    /// Keeps the observations above `value`, as the operator `>/` does; see [`Self::keep_below`].
    pub fn keep_above(&mut self, value: f64) {
        self.trim(value, Keep::Above);
    }

    fn trim(&mut self, value: f64, keep: Keep) {
        let (mut count, mut sum, mut is_trimmed) = (0.0, 0.0, false);
        let has_custom_buckets = self.has_custom_buckets();
        let mut has_any = [false; 2];
        for (side, has_any) in [Side::Positive, Side::Negative].into_iter().zip(&mut has_any) {
            let mut counts: Vec<f64> = Vec::new();
            for bucket in self.side(side) {
                if bucket.count == 0.0 {
                    counts.push(0.0);
                    continue;
                }
                *has_any = true;
                let kept = bucket.kept(value, keep, side, has_custom_buckets);
                count += kept.count;
                sum += kept.midpoint * kept.count;
                is_trimmed |= bucket.count != kept.count;
                counts.push(kept.count);
            }
            match side {
                Side::Positive => self.positive_buckets = counts,
                Side::Negative => self.negative_buckets = counts,
            }
        }
        if self.zero_count > 0.0 {
            let [has_positive, has_negative] = has_any;
            let mut bucket = self.zero_bucket();
            if has_negative && !has_positive {
                bucket.upper = 0.0;
            }
            if has_positive && !has_negative {
                bucket.lower = 0.0;
            }
            let kept = bucket.kept_of_zero(value, keep);
            is_trimmed |= self.zero_count != kept.count;
            self.zero_count = kept.count;
            sum += kept.midpoint * kept.count;
            count += kept.count;
        }
        if is_trimmed {
            (self.count, self.sum) = (count, sum);
            self.compact(0);
        }
    }
}

impl Bucket {
    fn kept(&self, value: f64, keep: Keep, side: Side, is_linear: bool) -> Kept {
        let (is_all_kept, has_value) = match keep {
            Keep::Below => (self.upper <= value, self.lower < value),
            Keep::Above => (self.lower >= value, self.upper > value),
        };
        let midpoint = |lower, upper| midpoint(lower, upper, side, is_linear);
        if is_all_kept {
            return Kept { count: self.count, midpoint: midpoint(self.lower, self.upper) };
        }
        if !has_value {
            return Kept { count: 0.0, midpoint: 0.0 };
        }
        if self.lower == f64::NEG_INFINITY {
            return self.kept_of_first(value, keep);
        }
        if self.upper == f64::INFINITY {
            return self.kept_of_last(value, keep);
        }
        let below = if value <= self.lower {
            0.0
        } else if value >= self.upper {
            self.count
        } else {
            self.count * self.fraction_below(value, is_linear)
        };
        match keep {
            Keep::Below => Kept { count: below, midpoint: midpoint(self.lower, value) },
            Keep::Above => Kept { count: self.count - below, midpoint: midpoint(value, self.upper) },
        }
    }

    /// What is kept of a bucket that begins at −Inf. If it ends above 0, it is taken to begin there; else nobody knows how its
    /// observations lie, and those that may have to go go.
    fn kept_of_first(&self, value: f64, keep: Keep) -> Kept {
        let is_finite = self.upper != f64::INFINITY;
        let nothing = Kept { count: 0.0, midpoint: finite_or_zero(self.upper) };
        match keep {
            Keep::Below if value >= self.upper => Kept { count: self.count, midpoint: 0.0 },
            Keep::Below if value > 0.0 && self.upper > 0.0 && is_finite => {
                Kept { count: self.count * value / self.upper, midpoint: value / 2.0 }
            }
            Keep::Below if self.upper <= 0.0 => Kept { count: self.count, midpoint: value },
            Keep::Below => nothing,
            Keep::Above if value <= self.lower => Kept { count: self.count, midpoint: 0.0 },
            Keep::Above if value >= 0.0 && self.upper > value && is_finite => {
                Kept { count: self.count * (1.0 - value / self.upper), midpoint: (value + self.upper) / 2.0 }
            }
            Keep::Above => nothing,
        }
    }

    /// What is kept of a bucket that ends at +Inf.
    fn kept_of_last(&self, value: f64, keep: Keep) -> Kept {
        match keep {
            Keep::Above if value >= self.lower => Kept { count: self.count, midpoint: value },
            _ => Kept { count: 0.0, midpoint: finite_or_zero(self.lower) },
        }
    }

    fn kept_of_zero(&self, value: f64, keep: Keep) -> Kept {
        let (lower, upper) = (self.lower, self.upper);
        let all = Kept { count: self.count, midpoint: (lower + upper) / 2.0 };
        let nothing = Kept { count: 0.0, midpoint: 0.0 };
        let part = |from: f64, to: f64| {
            let fraction = (to - from) / (upper - lower);
            Kept { count: self.count * fraction, midpoint: (from + to) / 2.0 }
        };
        match keep {
            Keep::Below if value <= lower => nothing,
            Keep::Below if value >= upper => all,
            Keep::Below => part(lower, value),
            Keep::Above if value <= lower => all,
            Keep::Above if value >= upper => nothing,
            Keep::Above => part(value, upper),
        }
    }
}

/// About where the observations between two values lie.
fn midpoint(lower: f64, upper: f64, side: Side, is_linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if is_linear => (lower + upper) / 2.0,
        (false, false) => {
            let mean = (lower * upper).abs().sqrt();
            if side == Side::Positive { mean } else { -mean }
        }
    }
}

fn finite_or_zero(value: f64) -> f64 {
    if value.is_infinite() { 0.0 } else { value }
}
