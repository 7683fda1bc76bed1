//! Sums, differences, multiples.

use super::bound::exponential_bound;
use super::custom::{Mapping, common_bounds};
use super::layout::{Indexes, reduce, unite};
use super::{CounterReset, Histogram, Span};

/// Histograms with exponential buckets have nothing to do with those with custom ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
pub struct IncompatibleSchemas;

/// What was noticed when two histograms became one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// One of them was known to be a reset, the other one not to be.
    pub has_conflicting_resets: bool,
    /// Their custom bounds differ, so that only the common ones remain.
    pub has_mismatched_bounds: bool,
}

impl Histogram {
    /// Multiplies all counts and the sum. A negative factor makes a gauge.
    pub fn multiply(&mut self, factor: f64) {
        self.for_each_number(|number| number * factor);
        if factor < 0.0 {
            self.counter_reset = CounterReset::Gauge;
        }
    }

    /// Divides all counts and the sum. A negative divisor makes a gauge; zero leaves no buckets but the zero bucket.
    pub fn divide(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.positive_buckets.clear();
            self.negative_spans.clear();
            self.negative_buckets.clear();
        }
        self.for_each_number(|number| number / divisor);
        if divisor < 0.0 {
            self.counter_reset = CounterReset::Gauge;
        }
    }

    /// Adds another histogram. The coarser schema, the wider zero bucket and the common custom bounds of the two remain.
    ///
    /// There may be empty buckets afterwards, and spans that touch: see [`Self::compact`].
    ///
    /// # Errors
    /// If one has exponential and the other one custom buckets.
    pub fn add(&mut self, other: &Self) -> Result<Merged, IncompatibleSchemas> {
        self.combine(other, 1.0)
    }

    /// Takes another histogram away, otherwise like [`Self::add`]. It does not become a gauge by that.
    ///
    /// # Errors
    /// If one has exponential and the other one custom buckets.
    pub fn subtract(&mut self, other: &Self) -> Result<Merged, IncompatibleSchemas> {
        self.combine(other, -1.0)
    }

    /// The same observations in a coarser exponential schema, and nothing known about resets; a copy if the schema is the
    /// same.
    pub fn to_schema(&self, schema: i8) -> Self {
        let mut reduced = self.clone();
        if schema < self.schema && !self.has_custom_buckets() {
            reduced.reduce_schema(schema);
            reduced.counter_reset = CounterReset::Unknown;
        }
        reduced
    }

    /// Whether a number that adding up can make infinite is infinite.
    pub(super) fn has_overflow(&self) -> bool {
        let buckets = self.positive_buckets.iter().chain(&self.negative_buckets).chain(&self.custom_values);
        [self.zero_count, self.count, self.sum].iter().chain(buckets).any(|number| number.is_infinite())
    }

    pub(super) fn check_compatible(&self, other: &Self) -> Result<(), IncompatibleSchemas> {
        if self.has_custom_buckets() == other.has_custom_buckets() { Ok(()) } else { Err(IncompatibleSchemas) }
    }

    /// Makes what is known about resets of this histogram true for its sum with another one. Whether the two contradict
    /// each other.
    pub(super) fn merge_counter_reset(&mut self, other: CounterReset) -> bool {
        use CounterReset::{Gauge, Unknown};
        let own = self.counter_reset;
        self.counter_reset = match (own, other) {
            _ if own == other => own,
            (Gauge, _) | (_, Gauge) => Gauge,
            _ => Unknown,
        };
        own != other && ![own, other].iter().any(|hint| matches!(hint, Gauge | Unknown))
    }

    pub(super) fn for_each_number(&mut self, change: impl Fn(f64) -> f64) {
        let buckets = self.positive_buckets.iter_mut().chain(&mut self.negative_buckets);
        for number in buckets.chain([&mut self.zero_count, &mut self.count, &mut self.sum]) {
            *number = change(*number);
        }
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Merged, IncompatibleSchemas> {
        self.check_compatible(other)?;
        let has_conflicting_resets = self.merge_counter_reset(other.counter_reset);
        let mut has_mismatched_bounds = false;
        if self.has_custom_buckets() {
            has_mismatched_bounds = self.custom_values != other.custom_values;
            if has_mismatched_bounds {
                self.combine_mismatched(other, sign);
            } else {
                let buckets = (&mut self.positive_spans, &mut self.positive_buckets);
                add_buckets(buckets, &other.positive_spans, &other.positive_buckets, 0, sign);
            }
        } else {
            self.combine_exponential(other, sign);
        }
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        Ok(Merged { has_conflicting_resets, has_mismatched_bounds })
    }

    fn combine_exponential(&mut self, other: &Self, sign: f64) {
        let zero_count = self.widen_zero_bucket(other, None).sum;
        self.zero_count += sign * zero_count;
        if other.schema < self.schema {
            self.reduce_schema(other.schema);
        }
        let reduced;
        let other = if other.schema > self.schema {
            reduced = other.to_schema(self.schema);
            &reduced
        } else {
            other
        };
        let hidden = |spans| hidden_buckets(spans, self.schema, self.zero_threshold);
        let (positive, negative) = (hidden(&other.positive_spans), hidden(&other.negative_spans));
        let buckets = (&mut self.positive_spans, &mut self.positive_buckets);
        add_buckets(buckets, &other.positive_spans, &other.positive_buckets, positive, sign);
        let buckets = (&mut self.negative_spans, &mut self.negative_buckets);
        add_buckets(buckets, &other.negative_spans, &other.negative_buckets, negative, sign);
    }

    fn combine_mismatched(&mut self, other: &Self, sign: f64) {
        let mut mapping = Mapping::new(common_bounds(&self.custom_values, &other.custom_values));
        mapping.add(self, &[], 1.0);
        mapping.add(other, &[], sign);
        let (spans, buckets, _) = mapping.populated();
        self.positive_spans = spans;
        self.positive_buckets = buckets;
        self.custom_values = mapping.into_bounds();
    }

    fn reduce_schema(&mut self, schema: i8) {
        let sides = [
            (&mut self.positive_spans, &mut self.positive_buckets),
            (&mut self.negative_spans, &mut self.negative_buckets),
        ];
        for (spans, buckets) in sides {
            let (reduced, positions) = reduce(spans, self.schema, schema);
            let mut counts = vec![0.0; positions.last().map_or(0, |last| last + 1)];
            for (position, count) in positions.iter().zip(&*buckets) {
                counts[*position] += count;
            }
            (*spans, *buckets) = (reduced, counts);
        }
        self.schema = schema;
    }
}

/// How many of the first buckets of a side lie within the zero bucket, so that they are counted there.
pub(super) fn hidden_buckets(spans: &[Span], schema: i8, zero_threshold: f64) -> usize {
    Indexes::new(spans).take_while(|index| exponential_bound(*index, schema) <= zero_threshold).count()
}

/// Adds the buckets of one layout, but for so many of the first, to those of another one in the same schema.
fn add_buckets(
    (spans, buckets): (&mut Vec<Span>, &mut Vec<f64>),
    other_spans: &[Span],
    other_buckets: &[f64],
    hidden: usize,
    sign: f64,
) {
    if hidden == 0 && *spans == other_spans {
        for (count, other) in buckets.iter_mut().zip(other_buckets) {
            *count += sign * other;
        }
        return;
    }
    let union = unite(spans, Indexes::new(other_spans).skip(hidden));
    let mut counts = vec![0.0; union.len];
    for (position, count) in union.of_first.iter().zip(&*buckets) {
        counts[*position] = *count;
    }
    for (position, other) in union.of_second.iter().zip(other_buckets.iter().skip(hidden)) {
        counts[*position] += sign * other;
    }
    (*spans, *buckets) = (union.spans, counts);
}

#[cfg(test)]
mod tests;
