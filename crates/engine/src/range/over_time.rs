//! Aggregations of the samples in a range.

use std::collections::VecDeque;

use model::CompensatedSum;
use series::Samples;

use super::Remarks;
use super::histogram_over_time;
use super::window::{Outcome, Window};
use crate::annotation::Remark;
use crate::quantile::quantile_of;
use crate::scalar::seconds;

/// The oldest sample.
pub(super) fn first(window: &Window<'_>) -> Outcome {
    let (floats, histograms) = (&window.floats, &window.histograms);
    match (floats.times.first(), histograms.times.first()) {
        (float, Some(histogram)) if float.is_none_or(|float| float >= histogram) => {
            Outcome::Histogram(histograms.values[0].clone())
        }
        _ => Outcome::Float(floats.values[0]),
    }
}

/// The newest sample.
pub(super) fn last(window: &Window<'_>) -> Outcome {
    let (floats, histograms) = (&window.floats, &window.histograms);
    match (floats.times.last(), histograms.times.last()) {
        (float, Some(histogram)) if float.is_none_or(|float| float <= histogram) => {
            Outcome::Histogram(histograms.values[histograms.len() - 1].clone())
        }
        _ => Outcome::Float(floats.values[floats.len() - 1]),
    }
}

/// The time of the oldest sample, in seconds.
pub(super) fn first_time(window: &Window<'_>) -> Outcome {
    let times = [window.floats.times.first(), window.histograms.times.first()];
    times.into_iter().flatten().min().map_or(Outcome::Nothing, |time| Outcome::Float(seconds(*time)))
}

/// The time of the newest sample, in seconds.
pub(super) fn last_time(window: &Window<'_>) -> Outcome {
    let times = [window.floats.times.last(), window.histograms.times.last()];
    // As in Prometheus, where no sample counts as one at time 0, nothing is older than that.
    let last = times.map(|time| time.copied().unwrap_or(0)).into_iter().max();
    last.map_or(Outcome::Nothing, |time| Outcome::Float(seconds(time)))
}

/// The sum of the samples.
#[inline]
pub(super) fn sum(window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    if !window.histograms.is_empty() {
        return histogram_over_time::sum(window, remarks);
    }
    let mut sum = CompensatedSum::default();
    window.floats.values.iter().for_each(|value| sum.add(*value));
    Outcome::Float(if sum.sum.is_infinite() { sum.sum } else { sum.total() })
}

/// The mean of the samples.
#[inline]
pub(super) fn avg(window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    if !window.histograms.is_empty() {
        return histogram_over_time::avg(window, remarks);
    }
    let mut mean = crate::mean::Mean::of(window.floats.values[0]);
    window.floats.values[1..].iter().for_each(|value| mean.add(*value));
    Outcome::Float(mean.value())
}

/// The largest or the smallest float of windows that move on.
///
/// The positions of floats that may yet become the extreme wait in a queue: each is passed over as soon as a later one beats
/// it, so that every float is looked at about once, however many windows have it.
#[derive(Default)]
pub(super) struct Extreme<const IS_LARGEST: bool> {
    queue: VecDeque<usize>,
    /// The position behind the last float that was looked at.
    seen: usize,
}

impl<const IS_LARGEST: bool> Extreme<IS_LARGEST> {
    /// The extreme of a window; NaN only if there is nothing else.
    #[inline]
    pub(super) fn of(&mut self, samples: &Samples, window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
        if !has_floats(window, remarks) {
            return Outcome::Nothing;
        }
        let (start, end) = (window.floats.first, window.floats.first + window.floats.len());
        for at in self.seen.max(start)..end {
            let value = samples.floats[at];
            if value.is_nan() {
                continue;
            }
            let beats = |last: &mut usize| {
                let last = samples.floats[*last];
                if IS_LARGEST { value > last } else { value < last }
            };
            while self.queue.pop_back_if(beats).is_some() {}
            self.queue.push_back(at);
        }
        self.seen = end;
        while self.queue.pop_front_if(|first| *first < start).is_some() {}
        Outcome::Float(self.queue.front().map_or(f64::NAN, |at| samples.floats[*at]))
    }
}

/// The time of the last float that no other one beats, in seconds.
pub(super) fn extreme_time(
    window: &Window<'_>,
    beats: impl Fn(f64, f64) -> bool,
    remarks: &mut Remarks<'_>,
) -> Outcome {
    if !has_floats(window, remarks) {
        return Outcome::Nothing;
    }
    let floats = &window.floats;
    let (mut time, mut extreme) = (floats.times[0], floats.values[0]);
    for (at, value) in floats.times.iter().zip(floats.values) {
        if beats(*value, extreme) || extreme.is_nan() {
            (time, extreme) = (*at, *value);
        }
    }
    Outcome::Float(seconds(time))
}

/// The variance of the floats, and what is made of it.
pub(super) fn variance(window: &Window<'_>, result: impl Fn(f64) -> f64, remarks: &mut Remarks<'_>) -> Outcome {
    if !has_floats(window, remarks) {
        return Outcome::Nothing;
    }
    let (mut mean, mut squares) = (CompensatedSum::default(), CompensatedSum::default());
    let mut count = 0.0;
    for value in window.floats.values {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    Outcome::Float(result(squares.total() / count))
}

/// The median of the distances of the floats from their median.
pub(super) fn mad(window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    if !has_floats(window, remarks) {
        return Outcome::Nothing;
    }
    let mut values = window.floats.values.to_vec();
    if values.iter().any(|value| value.is_nan()) {
        return Outcome::Float(f64::NAN);
    }
    let median = quantile_of(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    Outcome::Float(quantile_of(0.5, &mut values))
}

/// A quantile of the floats.
pub(super) fn quantile(window: &Window<'_>, q: f64, remarks: &mut Remarks<'_>) -> Outcome {
    if window.floats.is_empty() {
        return Outcome::Nothing;
    }
    if !(0.0..=1.0).contains(&q) {
        remarks.add_unnamed(Remark::InvalidQuantile(q.into()));
    }
    has_floats(window, remarks);
    Outcome::Float(quantile_of(q, &mut window.floats.values.to_vec()))
}

/// Whether there are floats. Remarks on histograms beside them, which do not count.
#[inline]
fn has_floats(window: &Window<'_>, remarks: &mut Remarks<'_>) -> bool {
    let has_floats = !window.floats.is_empty();
    if has_floats && !window.histograms.is_empty() {
        remarks.add(Remark::IgnoredInMixedRange);
    }
    has_floats
}
