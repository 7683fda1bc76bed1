//! `changes` and `resets`.

use std::sync::Arc;

use model::Histogram;
use promql::ast::Extension;

use super::RangeCall;
use super::start_time::{Began, is_reset};
use super::window::{Outcome, Points, Window};

/// How often the value changes.
pub(super) fn changes(call: &RangeCall, window: &Window<'_>) -> Outcome {
    count(
        call,
        window,
        |values, at| {
            let (before, now) = (values.values[at - 1], values.values[at]);
            now != before && !(now.is_nan() && before.is_nan())
        },
        |histograms, at| !histograms.values[at].equals(&histograms.values[at - 1]),
    )
}

/// How often a counter starts again.
pub(super) fn resets(call: &RangeCall, window: &Window<'_>) -> Outcome {
    let starts_again = |before, now| call.use_start_times && is_reset(before, now);
    count(
        call,
        window,
        |floats, at| {
            floats.values[at] < floats.values[at - 1] || starts_again(began(floats, at - 1), began(floats, at))
        },
        |histograms, at| {
            starts_again(began(histograms, at - 1), began(histograms, at))
                || histograms.values[at].is_reset_after(&histograms.values[at - 1])
        },
    )
}

fn began<T>(points: &Points<'_, T>, at: usize) -> Began {
    Began { time: points.times[at], start: points.start(at) }
}

/// Counts the samples for which one of the functions says yes, given the samples and the position of one that follows
/// directly on one of the same kind; and those that follow on one of the other kind.
fn count(
    call: &RangeCall,
    window: &Window<'_>,
    float_counts: impl Fn(&Points<'_, f64>, usize) -> bool,
    histogram_counts: impl Fn(&Points<'_, Arc<Histogram>>, usize) -> bool,
) -> Outcome {
    let Some((floats, histograms)) = from_anchor(call, window) else { return Outcome::Nothing };
    let (mut float, mut histogram) = (0, 0);
    let mut last_is_float = None;
    let mut count = 0u64;
    while float < floats.len() || histogram < histograms.len() {
        let is_float = match (floats.times.get(float), histograms.times.get(histogram)) {
            (Some(float), Some(histogram)) => float < histogram,
            (float, _) => float.is_some(),
        };
        let counts = match last_is_float {
            None => false,
            Some(last) if last != is_float => true,
            Some(true) => float_counts(&floats, float),
            Some(false) => histogram_counts(&histograms, histogram),
        };
        count += u64::from(counts);
        last_is_float = Some(is_float);
        if is_float {
            float += 1;
        } else {
            histogram += 1;
        }
    }
    Outcome::Float(count as f64)
}

/// The samples of a range and, if it is `anchored`, the last one before it. `None` if it then has no samples of its own.
fn from_anchor<'a>(call: &RangeCall, window: &Window<'a>) -> Option<(Points<'a, f64>, Points<'a, Arc<Histogram>>)> {
    let (floats, histograms) = (window.floats, window.histograms);
    if call.extension != Some(Extension::Anchored) {
        return Some((floats, histograms));
    }
    let before = |times: &[i64]| times.partition_point(|time| *time <= window.start);
    let (float, histogram) = (before(floats.times), before(histograms.times));
    if float == floats.len() && histogram == histograms.len() {
        return None;
    }
    let time = |times: &[i64], at: usize| at.checked_sub(1).map(|at| times[at]);
    let (float_time, histogram_time) = (time(floats.times, float), time(histograms.times, histogram));
    Some(match (float_time, histogram_time) {
        (None, None) => (floats, histograms),
        (Some(_), _) if float_time >= histogram_time => (floats.skip(float - 1), histograms.skip(histogram)),
        _ => (floats.skip(float), histograms.skip(histogram - 1)),
    })
}
