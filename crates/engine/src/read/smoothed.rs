//! Values between samples: `smoothed` on an instant selector.

use std::sync::Arc;

use model::{CounterReset, Histogram};
use promql::Span;
use series::Samples;

use super::{Reference, advance};
use crate::annotation::Remark;
use crate::grid::Grid;
use crate::identity::Identity;
use crate::ledger::Record;
use crate::range::interpolate::{interpolate, interpolate_histograms};
use crate::table::Table;
use crate::tally::{Passage, histogram_weight};

/// Adds a series with the value of the sample at each step, or else one between its neighbours, or else that of the sample
/// before. Only samples within the lookback on either side count.
pub(super) fn read(
    id: Identity,
    samples: &Samples,
    (reference, lookback): (Reference, i64),
    span: Span,
    grid: Grid,
    table: &mut Table,
    record: &mut Record,
) {
    let metric = id.metric().to_owned();
    let mut row = table.start_row(grid.len());
    let mut passage = Passage::default();
    let (mut float, mut histogram) = ((0, 0), (0, 0));
    for (step, time) in grid.times().enumerate() {
        let at = reference.time(time);
        let (oldest, newest) = (at.saturating_sub(lookback), at.saturating_add(lookback));
        for (times, bounds) in [(&samples.float_times, &mut float), (&samples.histogram_times, &mut histogram)] {
            *bounds = (advance(times, bounds.0, oldest), advance(times, bounds.1, newest));
        }
        let (floats, histograms) = (float.0..float.1, histogram.0..histogram.1);
        let weight: u64 = samples.histograms[histograms.clone()].iter().map(|value| weight(value)).sum();
        passage.rest = floats.len() as u64 + weight;
        passage.peak = passage.peak.max(passage.rest);
        match (floats.is_empty(), histograms.is_empty()) {
            (true, true) => {}
            (false, false) => record.annotations.add(span, Remark::MixedFloatsHistograms, &metric),
            (false, true) => {
                let (times, values) = (&samples.float_times[floats.clone()], &samples.floats[floats]);
                if let Some(value) = float_at(times, values, at) {
                    row.set(step, value);
                }
            }
            (true, false) => {
                let (times, values) = (&samples.histogram_times[histograms.clone()], &samples.histograms[histograms]);
                if let Some(value) = histogram_at(times, values, at, (span, &metric), record) {
                    row.push_histogram(step, value);
                }
            }
        }
    }
    record.passage.then(passage);
    row.finish(id);
}

fn weight(histogram: &Histogram) -> u64 {
    histogram_weight(histogram.size_bytes())
}

fn float_at(times: &[i64], values: &[f64], at: i64) -> Option<f64> {
    let next = times.partition_point(|time| *time < at);
    if times.get(next) == Some(&at) {
        return Some(values[next]);
    }
    let before = next.checked_sub(1)?;
    let Some(after) = times.get(next) else { return Some(values[before]) };
    Some(interpolate((times[before], values[before]), (*after, values[next]), at, false))
}

fn histogram_at(
    times: &[i64],
    values: &[Arc<Histogram>],
    at: i64,
    (span, metric): (Span, &str),
    record: &mut Record,
) -> Option<Arc<Histogram>> {
    let next = times.partition_point(|time| *time < at);
    if times.get(next) == Some(&at) {
        return Some(values[next].clone());
    }
    let before = next.checked_sub(1)?;
    let previous = &values[before];
    let Some(after) = times.get(next) else {
        // What the sample says about the one before it does not hold for its copy.
        let carried = Histogram { counter_reset: CounterReset::Unknown, ..(**previous).clone() };
        return Some(Arc::new(carried));
    };
    let following = &values[next];
    if previous.has_custom_buckets() != following.has_custom_buckets() {
        record.annotations.add(span, Remark::MixedExponentialCustom, metric);
        return None;
    }
    // Unless both say that they are gauges, they are taken for counters.
    let is_gauge = [previous, following].iter().all(|value| value.counter_reset == CounterReset::Gauge);
    let (from, to) = ((times[before], &**previous), (*after, &**following));
    let interpolated = interpolate_histograms(from, to, at, !is_gauge, span, &mut record.annotations);
    match interpolated {
        Ok(histogram) => Some(Arc::new(histogram)),
        Err(_) => {
            record.annotations.add(span, Remark::MixedExponentialCustom, metric);
            None
        }
    }
}
