//! The change of histograms over a range.

use std::sync::Arc;

use model::{CounterReset, Histogram};

use super::Remarks;
use super::start_time::{Began, is_overlap, is_reset};
use super::window::Points;
use crate::annotation::{HistogramOperation, Remark};

type Histograms<'a> = Points<'a, Arc<Histogram>>;

/// The change from the first to the last of at least two histograms, as if their counter, if it is one, had never started
/// again; `None`, with a remark, if they do not fit each other.
pub(super) fn histogram_rate(
    histograms: &Histograms<'_>,
    is_counter: bool,
    use_start_times: bool,
    remarks: &mut Remarks<'_>,
) -> Option<Histogram> {
    let points = histograms.values;
    let (first, last) = (&points[0], &points[points.len() - 1]);
    let is_gauge = |histogram: &Histogram| histogram.counter_reset == CounterReset::Gauge;
    if is_counter && (is_gauge(first) || is_gauge(last)) {
        remarks.add(Remark::NotACounter);
    }
    let starts_again = |at: usize, previous: &Histogram| {
        use_start_times && is_reset(began(histograms, at - 1), began(histograms, at))
            || points[at].is_reset_after(previous)
    };
    // The layout of a histogram that belongs to another counter does not matter.
    let second = &points[1];
    let nothing;
    let mut previous: &Histogram = first;
    if is_counter && starts_again(1, first) {
        let custom_values = second.custom_values.clone();
        nothing = Histogram { schema: second.schema, custom_values, ..Histogram::default() };
        previous = &nothing;
    }
    let is_custom = previous.has_custom_buckets();
    if last.has_custom_buckets() != is_custom {
        remarks.add(Remark::MixedExponentialCustom);
        return None;
    }
    let mut schema = last.schema.min(previous.schema);
    if is_counter {
        for point in &points[1..points.len() - 1] {
            if is_gauge(point) {
                remarks.add(Remark::NotACounter);
            }
            schema = schema.min(point.schema);
            if point.has_custom_buckets() != is_custom {
                remarks.add(Remark::MixedExponentialCustom);
                return None;
            }
        }
    }
    let mut change = last.to_schema(schema);
    if !remarks.subtract_histogram(&mut change, previous) {
        return None;
    }
    if is_counter {
        let mut overlaps = false;
        for (at, point) in points.iter().enumerate().skip(1) {
            let is_overlap = use_start_times && is_overlap(began(histograms, at - 1), began(histograms, at));
            if is_overlap && !std::mem::replace(&mut overlaps, true) {
                remarks.add(Remark::OverlappingStart);
            }
            if starts_again(at, previous) && !remarks.add_histogram(&mut change, previous) {
                return None;
            }
            previous = point;
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        remarks.add(Remark::NotAGauge);
    }
    change.counter_reset = CounterReset::Gauge;
    change.compact(0);
    Some(change)
}

fn began(histograms: &Histograms<'_>, at: usize) -> Began {
    Began { time: histograms.times[at], start: histograms.start(at) }
}

impl Remarks<'_> {
    /// Adds a histogram to another. What is remarkable about it is remarked; whether it could be done.
    pub(super) fn add_histogram(&mut self, to: &mut Histogram, other: &Histogram) -> bool {
        let merged = to.add(other).map(|merged| merged.has_mismatched_bounds);
        self.remark_merged(merged.ok(), HistogramOperation::Addition)
    }

    /// Takes a histogram away from another one, otherwise like [`Self::add_histogram`].
    pub(super) fn subtract_histogram(&mut self, from: &mut Histogram, other: &Histogram) -> bool {
        let merged = from.subtract(other).map(|merged| merged.has_mismatched_bounds);
        self.remark_merged(merged.ok(), HistogramOperation::Subtraction)
    }

    fn remark_merged(&mut self, has_mismatched_bounds: Option<bool>, operation: HistogramOperation) -> bool {
        match has_mismatched_bounds {
            None => self.add(Remark::MixedExponentialCustom),
            Some(true) => self.add_unnamed(Remark::MismatchedBounds(operation)),
            Some(false) => {}
        }
        has_mismatched_bounds.is_some()
    }
}
