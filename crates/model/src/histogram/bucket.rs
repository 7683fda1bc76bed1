//! Walks over buckets.

use super::bound::upper_bound;
use super::layout::Indexes;
use super::{Histogram, Span};

/// A bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Whether the lower bound belongs to the bucket.
    pub includes_lower: bool,
    /// Whether the upper bound belongs to the bucket.
    pub includes_upper: bool,
    /// Observations in the bucket.
    pub count: f64,
}

/// One side of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Positive,
    Negative,
}

impl Histogram {
    /// All buckets in ascending order, empty ones among them: the negative side, the zero bucket unless it is empty, and
    /// the positive side. A bucket that overlaps the zero bucket begins or ends where that ends or begins.
    ///
    /// Walks backwards as well.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        let around_zero = |bucket| self.outside_zero_bucket(bucket);
        let negative = self.side(Side::Negative).rev().map(around_zero);
        negative.chain(zero).chain(self.side(Side::Positive).map(around_zero))
    }

    /// The buckets of a side from zero outwards.
    pub(super) fn side(&self, side: Side) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.counts(side).map(move |(index, count)| self.bucket(side, index, count))
    }

    /// The indexes and counts of the buckets of a side, from zero outwards.
    pub(super) fn counts(&self, side: Side) -> impl DoubleEndedIterator<Item = (i32, f64)> + '_ {
        let (spans, buckets) = self.layout(side);
        Counts { indexes: Indexes::new(spans), buckets: buckets.iter() }
    }

    pub(super) fn layout(&self, side: Side) -> (&[Span], &[f64]) {
        match side {
            Side::Positive => (&self.positive_spans, &self.positive_buckets),
            Side::Negative => (&self.negative_spans, &self.negative_buckets),
        }
    }

    pub(super) fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            includes_lower: true,
            includes_upper: true,
            count: self.zero_count,
        }
    }

    fn bucket(&self, side: Side, index: i32, count: f64) -> Bucket {
        let outer = upper_bound(index, self.schema, &self.custom_values);
        let inner = upper_bound(index.wrapping_sub(1), self.schema, &self.custom_values);
        let (lower, upper) = match side {
            Side::Positive => (inner, outer),
            Side::Negative => (-outer, -inner),
        };
        let (includes_lower, includes_upper) =
            if self.has_custom_buckets() { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
        Bucket { lower, upper, includes_lower, includes_upper, count }
    }

    fn outside_zero_bucket(&self, mut bucket: Bucket) -> Bucket {
        if bucket.upper < 0.0 && bucket.upper > -self.zero_threshold {
            bucket.upper = -self.zero_threshold;
        } else if bucket.lower > 0.0 && bucket.lower < self.zero_threshold {
            bucket.lower = self.zero_threshold;
        }
        bucket
    }
}

/// Indexes with counts. There are as many of both in every valid histogram, which walking backwards relies on.
struct Counts<'a> {
    indexes: Indexes<'a>,
    buckets: std::slice::Iter<'a, f64>,
}

impl Iterator for Counts<'_> {
    type Item = (i32, f64);

    fn next(&mut self) -> Option<(i32, f64)> {
        Some((self.indexes.next()?, *self.buckets.next()?))
    }
}

impl DoubleEndedIterator for Counts<'_> {
    fn next_back(&mut self) -> Option<(i32, f64)> {
        Some((self.indexes.next_back()?, *self.buckets.next_back()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CUSTOM_BUCKETS_SCHEMA;

    fn shown(histogram: &Histogram) -> Vec<(f64, f64, f64)> {
        let buckets: Vec<_> = histogram.buckets().collect();
        let mut backwards: Vec<_> = histogram.buckets().rev().collect();
        backwards.reverse();
        assert_eq!(buckets, backwards);
        buckets.iter().map(|bucket| (bucket.lower, bucket.upper, bucket.count)).collect()
    }

    #[test]
    fn buckets_ascend_around_the_zero_bucket() {
        let histogram = Histogram {
            zero_threshold: 1.5,
            zero_count: 3.0,
            positive_spans: vec![Span { offset: 1, length: 1 }, Span { offset: 1, length: 1 }],
            positive_buckets: vec![4.0, 5.0],
            negative_spans: vec![Span { offset: 1, length: 2 }],
            negative_buckets: vec![2.0, 1.0],
            ..Histogram::default()
        };
        let expected = [(-4.0, -2.0, 1.0), (-2.0, -1.5, 2.0), (-1.5, 1.5, 3.0), (1.5, 2.0, 4.0), (4.0, 8.0, 5.0)];
        assert_eq!(shown(&histogram), expected);
    }

    #[test]
    fn custom_buckets_begin_at_minus_infinity() {
        let histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            custom_values: vec![1.0, 2.0],
            positive_spans: vec![Span { offset: 0, length: 3 }],
            positive_buckets: vec![1.0, 2.0, 3.0],
            ..Histogram::default()
        };
        let expected = [(f64::NEG_INFINITY, 1.0, 1.0), (1.0, 2.0, 2.0), (2.0, f64::INFINITY, 3.0)];
        assert_eq!(shown(&histogram), expected);
        assert!(histogram.buckets().next().is_some_and(|bucket| bucket.includes_lower && bucket.includes_upper));
    }
}
