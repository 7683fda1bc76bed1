//! `rate`, `increase` and `delta` of histograms in ranges that are `anchored` or `smoothed`.

use std::sync::Arc;

use model::{CounterReset, Histogram};
use promql::ast::Extension;

use super::extended::edges;
use super::interpolate::interpolate_histograms;
use super::window::{Outcome, Points, Window};
use super::{RangeCall, RateKind, Remarks};
use crate::annotation::Remark;

/// The change from one edge of the range to the other, of a counter without resets.
pub(super) fn rate(call: &RangeCall, kind: RateKind, window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    let change = edges(call, window, &window.histograms)
        .and_then(|(first, last)| change(call, kind, window, (first, last), remarks));
    change.map_or(Outcome::Nothing, Outcome::histogram)
}

fn change(
    call: &RangeCall,
    kind: RateKind,
    window: &Window<'_>,
    (first, last): (usize, usize),
    remarks: &mut Remarks<'_>,
) -> Option<Histogram> {
    let histograms = &window.histograms;
    let is_counter = kind.is_counter();
    let is_smoothed = call.extension == Some(Extension::Smoothed);
    if !fit_each_other(&histograms.values[first..=last], is_counter, remarks) {
        return None;
    }
    let is_interpolated = is_smoothed && histograms.times[first] < window.start;
    let left = if is_interpolated {
        remarks.interpolate(histograms, first, window.start, is_counter)?
    } else {
        (*histograms.values[first]).clone()
    };
    let right = if is_smoothed && last > 0 && histograms.times[last] > window.end {
        remarks.interpolate(histograms, last - 1, window.end, is_counter)?
    } else {
        (*histograms.values[last]).clone()
    };
    let is_gauge = |histogram: &Histogram| histogram.counter_reset == CounterReset::Gauge;
    if !is_counter && (!is_gauge(&left) || !is_gauge(&right)) {
        remarks.add(Remark::NotAGauge);
    }
    let mut change = right.clone();
    if !remarks.subtract_histogram(&mut change, &left) {
        return None;
    }
    if is_counter {
        let correction = correction(&histograms.values[first..=last], is_interpolated, &left, &right, remarks)?;
        if let Some(correction) = correction
            && !remarks.add_histogram(&mut change, &correction)
        {
            return None;
        }
    }
    if kind == RateKind::PerSecond {
        change.divide(call.range_seconds());
    }
    change.counter_reset = CounterReset::Gauge;
    change.compact(0);
    Some(change)
}

/// Whether all have exponential or all have custom buckets. Remarks on what is no counter.
fn fit_each_other(histograms: &[Arc<Histogram>], is_counter: bool, remarks: &mut Remarks<'_>) -> bool {
    for histogram in histograms {
        if histogram.has_custom_buckets() != histograms[0].has_custom_buckets() {
            remarks.add(Remark::MixedExponentialCustom);
            return false;
        }
        if is_counter && histogram.counter_reset == CounterReset::Gauge {
            remarks.add(Remark::NotACounter);
        }
    }
    true
}

/// The sum of the histograms before each reset, if there is one, from the left edge, which stands for the first histogram or
/// lies behind it, to the right one, which stands for the last. `None` if they do not fit each other.
fn correction(
    histograms: &[Arc<Histogram>],
    is_left_interpolated: bool,
    left: &Histogram,
    right: &Histogram,
    remarks: &mut Remarks<'_>,
) -> Option<Option<Histogram>> {
    let mut previous = left;
    let mut next = 1;
    if is_left_interpolated
        && let [first, second, ..] = histograms
        && second.is_reset_after(first)
    {
        // The left edge lies behind that reset already.
        previous = second;
        next = 2;
    }
    let between = histograms.len().saturating_sub(1);
    if next > between {
        return Some(None);
    }
    let mut correction: Option<Histogram> = None;
    let inner = histograms[next..between].iter().map(|histogram| &**histogram);
    for histogram in inner.chain([right]) {
        if histogram.is_reset_after(previous) {
            match &mut correction {
                None => correction = Some(previous.clone()),
                Some(correction) => {
                    if !remarks.add_histogram(correction, previous) {
                        return None;
                    }
                }
            }
        }
        previous = histogram;
    }
    Some(correction)
}

impl Remarks<'_> {
    /// The histogram at a time between one and the next; `None`, with a remark, if they do not fit each other.
    fn interpolate(
        &mut self,
        histograms: &Points<'_, Arc<Histogram>>,
        at: usize,
        time: i64,
        is_counter: bool,
    ) -> Option<Histogram> {
        let point = |at: usize| (histograms.times[at], &*histograms.values[at]);
        let (span, annotations) = (self.span, &mut *self.annotations);
        let result = interpolate_histograms(point(at), point(at + 1), time, is_counter, span, annotations);
        if result.is_err() {
            self.add(Remark::MixedExponentialCustom);
        }
        result.ok()
    }
}
