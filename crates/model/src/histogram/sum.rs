//! Sums and means of many histograms that lose little to rounding.

use super::arithmetic::{IncompatibleSchemas, Merged, hidden_buckets};
use super::bucket::Side;
use super::custom::{Mapping, common_bounds};
use super::layout::{Indexes, reduce, unite};
use super::{Histogram, Span};
use crate::add_compensated;

/// Adds histograms up, or averages them, and keeps what rounding loses.
///
/// A mean is the sum divided by the number of histograms, unless the sum overflows: from there on the mean itself is kept
/// and moved towards each further histogram, as Prometheus does.
#[derive(Clone, Debug)]
pub struct HistogramSum {
    /// The sum, or the mean once the sum overflowed.
    value: Histogram,
    lost: Option<Lost>,
    count: f64,
    is_mean: bool,
}

/// What rounding lost of the numbers of a histogram, which has the same buckets.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) zero_count: f64,
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) positive: Vec<f64>,
    pub(super) negative: Vec<f64>,
}

impl HistogramSum {
    /// The sum of one histogram.
    pub fn new(first: Histogram) -> Self {
        Self { value: first, lost: None, count: 1.0, is_mean: false }
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// If one has exponential and the others custom buckets; the sum then means nothing any more.
    pub fn add(&mut self, other: &Histogram) -> Result<Merged, IncompatibleSchemas> {
        self.count += 1.0;
        add_keeping_lost(&mut self.value, &mut self.lost, other)
    }

    /// Adds a histogram to those of which [`Self::mean`] is the mean.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_to_mean(&mut self, other: &Histogram) -> Result<Merged, IncompatibleSchemas> {
        self.count += 1.0;
        if !self.is_mean {
            let (mut value, mut lost) = (self.value.clone(), self.lost.clone());
            let merged = add_keeping_lost(&mut value, &mut lost, other)?;
            if !value.has_overflow() {
                (self.value, self.lost) = (value, lost);
                return Ok(merged);
            }
            self.is_mean = true;
            let before = self.count - 1.0;
            self.scale(|number| number / before);
        }
        let weight = (self.count - 1.0) / self.count;
        self.scale(|number| number * weight);
        let mut share = other.clone();
        share.divide(self.count);
        add_keeping_lost(&mut self.value, &mut self.lost, &share)
    }

    /// The sum of all that were added with [`Self::add`].
    pub fn total(self) -> Histogram {
        with_lost(self.value, self.lost)
    }

    /// The mean of all that were added with [`Self::add_to_mean`].
    pub fn mean(mut self) -> Histogram {
        if !self.is_mean {
            let count = self.count;
            self.scale(|number| number / count);
        }
        with_lost(self.value, self.lost)
    }

    fn scale(&mut self, change: impl Fn(f64) -> f64) {
        self.value.for_each_number(&change);
        if let Some(lost) = &mut self.lost {
            lost.for_each_number(&change);
        }
    }
}

impl Lost {
    fn none_of(histogram: &Histogram) -> Self {
        let nothing = |buckets: &Vec<f64>| vec![0.0; buckets.len()];
        let (positive, negative) = (nothing(&histogram.positive_buckets), nothing(&histogram.negative_buckets));
        Self { zero_count: 0.0, count: 0.0, sum: 0.0, positive, negative }
    }

    pub(super) fn side(&self, side: Side) -> &[f64] {
        match side {
            Side::Positive => &self.positive,
            Side::Negative => &self.negative,
        }
    }

    pub(super) fn side_mut(&mut self, side: Side) -> &mut Vec<f64> {
        match side {
            Side::Positive => &mut self.positive,
            Side::Negative => &mut self.negative,
        }
    }

    fn for_each_number(&mut self, change: impl Fn(f64) -> f64) {
        let buckets = self.positive.iter_mut().chain(&mut self.negative);
        for number in buckets.chain([&mut self.zero_count, &mut self.count, &mut self.sum]) {
            *number = change(*number);
        }
    }
}

fn with_lost(mut value: Histogram, lost: Option<Lost>) -> Histogram {
    if let Some(lost) = lost {
        value.zero_count += lost.zero_count;
        value.count += lost.count;
        value.sum += lost.sum;
        for (count, lost) in value.positive_buckets.iter_mut().zip(lost.positive) {
            *count += lost;
        }
        for (count, lost) in value.negative_buckets.iter_mut().zip(lost.negative) {
            *count += lost;
        }
    }
    value
}

fn add_keeping_lost(
    value: &mut Histogram,
    lost: &mut Option<Lost>,
    other: &Histogram,
) -> Result<Merged, IncompatibleSchemas> {
    value.check_compatible(other)?;
    let has_conflicting_resets = value.merge_counter_reset(other.counter_reset);
    let lost = lost.get_or_insert_with(|| Lost::none_of(value));
    let mut has_mismatched_bounds = false;
    if value.has_custom_buckets() {
        has_mismatched_bounds = value.custom_values != other.custom_values;
        if has_mismatched_bounds {
            add_mismatched(value, lost, other);
        } else {
            let buckets = (&mut value.positive_spans, &mut value.positive_buckets, &mut lost.positive);
            add_buckets(buckets, &other.positive_spans, (&other.positive_buckets, &[]), 0);
        }
    } else {
        add_exponential(value, lost, other);
    }
    (value.count, lost.count) = add_compensated(other.count, value.count, lost.count);
    (value.sum, lost.sum) = add_compensated(other.sum, value.sum, lost.sum);
    Ok(Merged { has_conflicting_resets, has_mismatched_bounds })
}

fn add_exponential(value: &mut Histogram, lost: &mut Lost, other: &Histogram) {
    let zero = value.widen_zero_bucket(other, Some(lost));
    for count in [zero.sum, zero.compensation] {
        (value.zero_count, lost.zero_count) = add_compensated(count, value.zero_count, lost.zero_count);
    }
    let schema = value.schema.min(other.schema);
    if schema < value.schema {
        for (spans, buckets, lost) in [
            (&mut value.positive_spans, &mut value.positive_buckets, &mut lost.positive),
            (&mut value.negative_spans, &mut value.negative_buckets, &mut lost.negative),
        ] {
            (*spans, *buckets, *lost) = reduce_keeping_lost(spans, buckets, lost, value.schema, schema);
        }
        value.schema = schema;
    }
    let threshold = value.zero_threshold;
    for (target, spans, counts) in [
        (
            (&mut value.positive_spans, &mut value.positive_buckets, &mut lost.positive),
            &other.positive_spans,
            &other.positive_buckets,
        ),
        (
            (&mut value.negative_spans, &mut value.negative_buckets, &mut lost.negative),
            &other.negative_spans,
            &other.negative_buckets,
        ),
    ] {
        if schema < other.schema {
            let nothing = vec![0.0; counts.len()];
            let (spans, counts, lost) = reduce_keeping_lost(spans, counts, &nothing, other.schema, schema);
            let hidden = hidden_buckets(&spans, schema, threshold);
            add_buckets(target, &spans, (&counts, &lost), hidden);
        } else {
            let hidden = hidden_buckets(spans, schema, threshold);
            add_buckets(target, spans, (counts, &[]), hidden);
        }
    }
}

fn add_mismatched(value: &mut Histogram, lost: &mut Lost, other: &Histogram) {
    let mut mapping = Mapping::new(common_bounds(&value.custom_values, &other.custom_values));
    mapping.add(value, &lost.positive, 1.0);
    mapping.add(other, &[], 1.0);
    (value.positive_spans, value.positive_buckets, lost.positive) = mapping.populated();
    value.custom_values = mapping.into_bounds();
}

fn reduce_keeping_lost(
    spans: &[Span],
    buckets: &[f64],
    lost: &[f64],
    from: i8,
    to: i8,
) -> (Vec<Span>, Vec<f64>, Vec<f64>) {
    let (spans, positions) = reduce(spans, from, to);
    let (mut counts, mut all_lost): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for (position, (count, lost)) in positions.iter().zip(buckets.iter().zip(lost)) {
        if let (Some(sum), Some(sum_lost)) = (counts.get_mut(*position), all_lost.get_mut(*position)) {
            (*sum, *sum_lost) = add_compensated(*count, *sum, *sum_lost);
            (*sum, *sum_lost) = add_compensated(*lost, *sum, *sum_lost);
        } else {
            counts.push(*count);
            all_lost.push(*lost);
        }
    }
    (spans, counts, all_lost)
}

/// Adds the buckets of one layout, but for so many of the first, to those of another one in the same schema. What was lost
/// of them before may be empty.
fn add_buckets(
    (spans, buckets, lost): (&mut Vec<Span>, &mut Vec<f64>, &mut Vec<f64>),
    other_spans: &[Span],
    (other_buckets, other_lost): (&[f64], &[f64]),
    hidden: usize,
) {
    if hidden > 0 || *spans != other_spans {
        let union = unite(spans, Indexes::new(other_spans).skip(hidden));
        let (mut counts, mut all_lost) = (vec![0.0; union.len], vec![0.0; union.len]);
        for (position, (count, lost)) in union.of_first.iter().zip(buckets.iter().zip(&*lost)) {
            (counts[*position], all_lost[*position]) = (*count, *lost);
        }
        (*spans, *buckets, *lost) = (union.spans, counts, all_lost);
        let (others, others_lost) = (other_buckets.get(hidden..), other_lost.get(hidden..));
        add_at(buckets, lost, union.of_second, others.unwrap_or_default(), others_lost.unwrap_or_default());
    } else {
        add_at(buckets, lost, 0..other_buckets.len(), other_buckets, other_lost);
    }
}

fn add_at(
    buckets: &mut [f64],
    lost: &mut [f64],
    positions: impl IntoIterator<Item = usize>,
    others: &[f64],
    others_lost: &[f64],
) {
    for (at, (position, other)) in positions.into_iter().zip(others).enumerate() {
        let (Some(count), Some(lost)) = (buckets.get_mut(position), lost.get_mut(position)) else {
            return; // More buckets than spans: no valid histogram.
        };
        (*count, *lost) = add_compensated(*other, *count, *lost);
        if let Some(other_lost) = others_lost.get(at).filter(|lost| **lost != 0.0) {
            (*count, *lost) = add_compensated(*other_lost, *count, *lost);
        }
    }
}
