//! `irate` and `idelta`: the change between the last two samples.

use std::sync::Arc;

use model::{CounterReset, Histogram};

use super::start_time::{Began, is_reset};
use super::window::{Outcome, Window};
use super::{RangeCall, Remarks};
use crate::annotation::Remark;
use crate::scalar::seconds;

/// A sample of either kind.
#[derive(Clone, Copy)]
struct Sample<'a> {
    began: Began,
    float: f64,
    histogram: Option<&'a Arc<Histogram>>,
}

/// The change between the last two samples; of a counter, per second.
pub(super) fn change(call: &RangeCall, is_counter: bool, window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    let Some((before, last)) = last_two(window) else { return Outcome::Nothing };
    let interval = seconds(last.began.time - before.began.time);
    let starts_again = is_counter && call.use_start_times && is_reset(before.began, last.began);
    match (before.histogram, last.histogram) {
        (None, None) => {
            let starts_again = starts_again || (is_counter && last.float < before.float);
            let change = if starts_again { last.float } else { last.float - before.float };
            Outcome::Float(if is_counter { change / interval } else { change })
        }
        (Some(before), Some(last)) => {
            let is_gauge = [before, last].map(|histogram| histogram.counter_reset == CounterReset::Gauge);
            if is_counter && is_gauge.contains(&true) {
                remarks.add(Remark::NotACounter);
            }
            if !is_counter && is_gauge.contains(&false) {
                remarks.add(Remark::NotAGauge);
            }
            let mut change = (**last).clone();
            let starts_again = starts_again || (is_counter && last.is_reset_after(before));
            if !starts_again && !remarks.subtract_histogram(&mut change, before) {
                return Outcome::Nothing;
            }
            change.counter_reset = CounterReset::Gauge;
            change.compact(0);
            if is_counter {
                change.divide(interval);
            }
            Outcome::histogram(change)
        }
        _ => {
            remarks.add(Remark::MixedFloatsHistograms);
            Outcome::Nothing
        }
    }
}

fn last_two<'a>(window: &Window<'a>) -> Option<(Sample<'a>, Sample<'a>)> {
    let (floats, histograms) = (&window.floats, &window.histograms);
    let float = |at: usize| Sample {
        began: Began { time: floats.times[at], start: floats.start(at) },
        float: floats.values[at],
        histogram: None,
    };
    let histogram = |at: usize| Sample {
        began: Began { time: histograms.times[at], start: histograms.start(at) },
        float: 0.0,
        histogram: Some(&histograms.values[at]),
    };
    if histograms.is_empty() {
        let last = floats.len() - 1;
        return Some((float(last.checked_sub(1)?), float(last)));
    }
    let last_floats = (floats.len().saturating_sub(2)..floats.len()).map(float);
    let last_histograms = (histograms.len().saturating_sub(2)..histograms.len()).map(histogram);
    let mut last: Vec<Sample<'a>> = last_floats.chain(last_histograms).collect();
    last.sort_by_key(|sample| sample.began.time);
    match last.as_slice() {
        [.., before, last] => Some((*before, *last)),
        _ => None,
    }
}
