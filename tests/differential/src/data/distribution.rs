//! Native histograms that grow.

use model::{CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram, Span};

use crate::Dice;
use crate::notation::histogram_text;

/// A native histogram to which observations are added.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    schema: i8,
    counter_reset: CounterReset,
    zero_threshold: f64,
    zero_count: f64,
    custom_values: Vec<f64>,
    /// Index of the first bucket.
    offset: i32,
    positive: Vec<f64>,
    negative_offset: i32,
    negative: Vec<f64>,
    sum: f64,
    /// Observations that are in no bucket: NaN.
    lost: f64,
}

/// Bounds that overlap in part.
const BOUNDS: [&[f64]; 4] = [&[1.0, 5.0, 10.0], &[1.0, 2.0, 5.0, 10.0], &[-1.0, 0.0, 5.0], &[0.5]];

impl Distribution {
    pub(super) fn exponential(dice: &mut Dice) -> Self {
        let schema = *[0, 0, 1, -1, 3].get(dice.index(5)).unwrap_or(&0);
        // No bucket begins below the end of the zero bucket.
        let (zero_threshold, least_offset) = [(0.0, -3), (0.001, -3), (0.5, 1)][dice.index(3)];
        Self {
            schema,
            counter_reset: if dice.one_in(5) { CounterReset::Gauge } else { CounterReset::Unknown },
            zero_threshold,
            zero_count: dice.within(0..4) as f64,
            custom_values: Vec::new(),
            offset: dice.within(least_offset..4) as i32,
            positive: counts(dice, 5),
            negative_offset: dice.within(least_offset..4) as i32,
            negative: if dice.one_in(3) { counts(dice, 3) } else { Vec::new() },
            sum: dice.within(0..50) as f64,
            lost: 0.0,
        }
    }

    pub(super) fn custom(dice: &mut Dice) -> Self {
        let custom_values = BOUNDS[dice.index(BOUNDS.len())].to_vec();
        let positive = (0..=custom_values.len()).map(|_| dice.within(0..5) as f64).collect();
        Self {
            schema: CUSTOM_BUCKETS_SCHEMA,
            counter_reset: if dice.one_in(6) { CounterReset::Gauge } else { CounterReset::Unknown },
            zero_threshold: 0.0,
            zero_count: 0.0,
            custom_values,
            offset: 0,
            positive,
            negative_offset: 0,
            negative: Vec::new(),
            sum: dice.within(0..50) as f64,
            lost: 0.0,
        }
    }

    /// Observes; now and then starts again with another layout.
    ///
    /// Buckets are there from the start, if only empty: Prometheus' chunks add those that later histograms have to earlier
    /// ones, and some quantiles depend on the last bucket, even an empty one.
    pub(super) fn advance(&mut self, dice: &mut Dice) {
        if dice.one_in(14) {
            *self = if self.schema == CUSTOM_BUCKETS_SCHEMA { Self::custom(dice) } else { Self::exponential(dice) };
            return;
        }
        if dice.one_in(60) && self.counter_reset != CounterReset::Gauge {
            self.lost += 1.0;
            self.sum = f64::NAN;
        }
        for count in self.positive.iter_mut().chain(&mut self.negative) {
            if dice.one_in(if *count == 0.0 { 8 } else { 2 }) {
                *count += dice.within(0..6) as f64;
            }
        }
        self.sum += dice.within(0..20) as f64 / 2.0;
        if self.schema != CUSTOM_BUCKETS_SCHEMA {
            self.zero_count += f64::from(u8::from(dice.one_in(3)));
            if dice.one_in(25) && self.zero_threshold == 0.001 {
                self.zero_threshold = 0.002;
            }
        }
    }

    pub(super) fn text(&self) -> String {
        let (positive_spans, positive_buckets) = side(self.offset, &self.positive);
        let (negative_spans, negative_buckets) = side(self.negative_offset, &self.negative);
        let observed: f64 = self.positive.iter().chain(&self.negative).sum();
        histogram_text(&Histogram {
            schema: self.schema,
            counter_reset: self.counter_reset,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: observed + self.zero_count + self.lost,
            sum: self.sum,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            custom_values: self.custom_values.clone(),
        })
    }
}

fn counts(dice: &mut Dice, most: i64) -> Vec<f64> {
    let populated: Vec<f64> = (0..dice.within(1..most + 1)).map(|_| dice.within(0..5) as f64).collect();
    [populated, vec![0.0; dice.index(4)]].concat()
}

fn side(offset: i32, counts: &[f64]) -> (Vec<Span>, Vec<f64>) {
    if counts.is_empty() {
        return (Vec::new(), Vec::new());
    }
    (vec![Span { offset, length: counts.len() as u32 }], counts.to_vec())
}
