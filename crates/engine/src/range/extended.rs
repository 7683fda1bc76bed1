//! `rate`, `increase` and `delta` of ranges that are `anchored` or `smoothed`.

use promql::ast::Extension;

use super::extended_histogram;
use super::interpolate::interpolate;
use super::window::{Outcome, Points, Window};
use super::{RangeCall, RateKind, Remarks};
use crate::annotation::Remark;

/// The change from one edge of the range to the other, of a counter without resets.
pub(super) fn rate(call: &RangeCall, kind: RateKind, window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    match (window.floats.is_empty(), window.histograms.is_empty()) {
        (false, false) => {
            remarks.add(Remark::MixedFloatsHistograms);
            Outcome::Nothing
        }
        (true, _) => extended_histogram::rate(call, kind, window, remarks),
        (false, true) => of_floats(call, kind, window).map_or(Outcome::Nothing, Outcome::Float),
    }
}

/// The positions of the samples that stand for the edges of a range: the last one at or before the left edge, or else the
/// first; the last one, or, if it is `smoothed`, the first at or behind the right edge. `None` if no sample bears on it.
pub(super) fn edges<T>(call: &RangeCall, window: &Window<'_>, points: &Points<'_, T>) -> Option<(usize, usize)> {
    let is_smoothed = call.extension == Some(Extension::Smoothed);
    let times = points.times;
    let mut last = times.len().checked_sub(1)?;
    let first = times[..last].partition_point(|time| *time <= window.start).saturating_sub(1);
    if is_smoothed {
        last = times[..last].partition_point(|time| *time < window.end);
    }
    let is_outside = times[last] <= window.start || (is_smoothed && times[first] > window.end);
    (!is_outside).then_some((first, last))
}

fn of_floats(call: &RangeCall, kind: RateKind, window: &Window<'_>) -> Option<f64> {
    let is_smoothed = call.extension == Some(Extension::Smoothed);
    let (times, values) = (window.floats.times, window.floats.values);
    let (mut first, mut last) = edges(call, window, &window.floats)?;
    let point = |at: usize| (times[at], values[at]);
    let left = if is_smoothed && times[first] < window.start {
        interpolate(point(first), point(first + 1), window.start, kind.is_counter())
    } else {
        values[first]
    };
    let right = if is_smoothed && last > 0 && times[last] > window.end {
        interpolate(point(last - 1), point(last), window.end, kind.is_counter())
    } else {
        values[last]
    };
    let mut change = right - left;
    if kind.is_counter() {
        // Samples at the edges are what left and right are.
        if times[first] <= window.start {
            first += 1;
        }
        let end = if times[last] >= window.end { last } else { last + 1 };
        last = end.max(first);
        change += resets(left, values.get(first..last).unwrap_or_default(), right);
    }
    Some(if kind == RateKind::PerSecond { change / call.range_seconds() } else { change })
}

/// The sum of the values before each fall.
fn resets(left: f64, between: &[f64], right: f64) -> f64 {
    let mut correction = 0.0;
    let mut previous = left;
    for value in between.iter().chain([&right]) {
        if *value < previous {
            correction += previous;
        }
        previous = *value;
    }
    correction
}

/// The samples of a range with edges exactly at its start and its end, as they are shown when they are the result.
pub(crate) fn with_edges(call: &RangeCall, times: &[i64], values: &[f64], end: i64) -> Vec<(i64, f64)> {
    let is_smoothed = call.extension == Some(Extension::Smoothed);
    let start = end.saturating_sub(call.range);
    let Some(mut last) = times.len().checked_sub(1) else { return Vec::new() };
    let first = times[..last].partition_point(|time| *time <= start).saturating_sub(1);
    if is_smoothed {
        last = times[..last].partition_point(|time| *time < end);
    }
    if times[last] <= start {
        return Vec::new();
    }
    let point = |at: usize| (times[at], values[at]);
    let left = if is_smoothed && times[first] < start {
        interpolate(point(first), point(first + 1), start, false)
    } else {
        values[first]
    };
    let right = if is_smoothed && last > 0 && times[last] > end {
        interpolate(point(last - 1), point(last), end, false)
    } else {
        values[last]
    };
    let within = (first..=last).map(point).filter(|(time, _)| *time > start && *time < end);
    std::iter::once((start, left)).chain(within).chain([(end, right)]).collect()
}
