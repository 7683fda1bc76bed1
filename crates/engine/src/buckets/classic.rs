//! Quantiles and fractions of classic histograms.

use crate::annotation::ForcedMonotonicity;

/// A bucket: its upper bound, and how many observations are at or below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) upper: f64,
    pub(super) count: f64,
}

/// Where counts fell though they must not, and how far at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Monotonicity {
    pub(super) min_bucket: f64,
    pub(super) max_bucket: f64,
    pub(super) max_diff: f64,
}

impl Monotonicity {
    /// As it is remarked for a step.
    pub(super) fn at(self, time: i64) -> ForcedMonotonicity {
        let Self { min_bucket, max_bucket, max_diff } = self;
        ForcedMonotonicity { time, min_bucket, max_bucket, max_diff }
    }
}

/// Counts that differ by less than this, relatively, differ by rounding only.
const ROUNDING: f64 = 1e-12;

/// The `q`-quantile of a histogram whose buckets, of which there is one, are sorted. Counts that fall are raised first.
///
/// −Inf below 0, +Inf above 1, NaN without observations or without a bucket up to +Inf.
pub(super) fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Monotonicity>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if !(0.0..=1.0).contains(&q) {
        return (if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY }, None);
    }
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let forced = ensure_monotonic(buckets);
    (quantile(q, buckets), forced)
}

fn quantile(q: f64, buckets: &[Bucket]) -> f64 {
    let [below @ .., last] = buckets else { return f64::NAN };
    if below.is_empty() || last.count == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * last.count;
    // As a binary search in Go finds it, even where NaN compares with nothing.
    let (mut at, mut end) = (0, below.len());
    while at < end {
        let middle = usize::midpoint(at, end);
        if below[middle].count >= rank { end = middle } else { at = middle + 1 }
    }
    if at == below.len() {
        return below[at - 1].upper;
    }
    let Bucket { upper, mut count } = below[at];
    if at == 0 && upper <= 0.0 {
        return upper;
    }
    let mut start = 0.0;
    if at > 0 {
        start = below[at - 1].upper;
        count -= below[at - 1].count;
        rank -= below[at - 1].count;
    }
    start + (upper - start) * (rank / count)
}

/// The part of the observations that is between two values. NaN without observations or without a bucket up to +Inf.
pub(super) fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(buckets);
    let total = buckets.last().map_or(0.0, |last| last.count);
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank = |value: f64| rank_of(value, buckets).map_or(total, |rank| if rank > total { total } else { rank });
    (rank(upper) - rank(lower)) / total
}

/// How many observations are below a value; `None` if that is beyond all bounds.
fn rank_of(value: f64, buckets: &[Bucket]) -> Option<f64> {
    // Without bounds at or below 0 there are no negative observations.
    let mut lower = if buckets[0].upper <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut rank = 0.0;
    for bucket in buckets {
        if lower >= value {
            return Some(rank);
        }
        if lower < value && bucket.upper > value {
            if lower == f64::NEG_INFINITY {
                return Some(bucket.count);
            }
            return Some(rank + (bucket.count - rank) * (value - lower) / (bucket.upper - lower));
        }
        rank = bucket.count;
        lower = bucket.upper;
    }
    None
}

/// Adds up buckets with the same bound.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let is_same = next.upper == kept.upper;
        if is_same {
            kept.count += next.count;
        }
        is_same
    });
}

/// Raises counts that fall to the count before.
fn ensure_monotonic(buckets: &mut [Bucket]) -> Option<Monotonicity> {
    let mut forced: Option<Monotonicity> = None;
    let mut previous = buckets.first()?.count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == previous {
            continue;
        }
        if is_almost(previous, count) {
            bucket.count = previous;
        } else if count < previous {
            bucket.count = previous;
            let none = Monotonicity { min_bucket: f64::INFINITY, max_bucket: f64::NEG_INFINITY, max_diff: 0.0 };
            let forced = forced.get_or_insert(none);
            forced.min_bucket = forced.min_bucket.min(bucket.upper);
            forced.max_bucket = forced.max_bucket.max(bucket.upper);
            forced.max_diff = forced.max_diff.max(previous - count);
        } else {
            previous = count;
        }
    }
    forced
}

/// Whether two counts differ by no more than rounding.
fn is_almost(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (difference, sum) = ((a - b).abs(), a.abs() + b.abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < ROUNDING * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < ROUNDING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|(upper, count)| Bucket { upper: *upper, count: *count }).collect()
    }

    #[test]
    fn quantiles_are_interpolated_within_buckets() {
        let inf = f64::INFINITY;
        let of = |q, pairs: &[(f64, f64)]| bucket_quantile(q, &mut buckets(pairs)).0;
        let plain = [(1.0, 2.0), (2.0, 6.0), (inf, 8.0)];
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|q| of(q, &plain)), [0.0, 1.0, 1.5, 2.0, 2.0]);
        assert_eq!((of(-1.0, &plain), of(2.0, &plain)), (-inf, inf));
        assert!(of(0.5, &plain[..2]).is_nan() && of(0.5, &plain[2..]).is_nan());
        assert_eq!(of(0.1, &[(-1.0, 4.0), (inf, 8.0)]), -1.0);
        assert_eq!(of(0.5, &[(1.0, 1.0), (1.0, 1.0), (2.0, 6.0), (inf, 8.0)]), 1.5);
    }

    #[test]
    fn counts_that_fall_are_raised() {
        let mut fallen = buckets(&[(1.0, 5.0), (2.0, 3.0), (3.0, 4.0), (f64::INFINITY, 8.0)]);
        let (_, forced) = bucket_quantile(0.5, &mut fallen);
        assert_eq!(forced, Some(Monotonicity { min_bucket: 2.0, max_bucket: 3.0, max_diff: 2.0 }));
        let mut rounded = buckets(&[(1.0, 5.0), (2.0, 5.0 - 1e-13), (f64::INFINITY, 8.0)]);
        assert_eq!(bucket_quantile(0.5, &mut rounded).1, None);
    }

    #[test]
    fn fractions_lie_between_bounds() {
        let of =
            |lower, upper| bucket_fraction(lower, upper, &mut buckets(&[(1.0, 2.0), (2.0, 6.0), (f64::INFINITY, 8.0)]));
        assert_eq!((of(0.0, 1.0), of(1.5, 2.0), of(1.0, f64::INFINITY)), (0.25, 0.25, 0.75));
        assert_eq!((of(2.0, 1.0), of(-5.0, 0.5)), (0.0, 0.125));
        assert!(of(f64::NAN, 1.0).is_nan());
    }
}
