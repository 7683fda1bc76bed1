//! `rate`, `increase` and `delta`.

use series::Samples;

use super::extrapolation::{Extrapolation, Sampled};
use super::frame::Frame;
use super::rate_histogram::histogram_rate;
use super::start_time::{Began, is_overlap, is_reset};
use super::window::{Outcome, Window};
use super::{RangeCall, RateKind, Remarks};
use crate::annotation::Remark;

/// The rate of a series over windows that move on.
pub(super) struct Rate<'a> {
    call: &'a RangeCall,
    kind: RateKind,
    range_seconds: f64,
    /// The positions of the floats before which their counter started again.
    resets: Vec<usize>,
    /// How many of them are before the window.
    passed: usize,
    /// The positions of the floats whose counter began before the float before, though it is another one.
    overlaps: Vec<usize>,
}

impl<'a> Rate<'a> {
    pub(super) fn new(call: &'a RangeCall, kind: RateKind, samples: &Samples) -> Self {
        let mut rate =
            Self { call, kind, range_seconds: call.range_seconds(), resets: vec![], passed: 0, overlaps: vec![] };
        if kind.is_counter() {
            rate.resets = resets(&samples.floats);
            if call.use_start_times && !samples.float_starts.is_empty() {
                rate.look_at_start_times(samples);
            }
        }
        rate
    }

    fn look_at_start_times(&mut self, samples: &Samples) {
        let began = |at: usize| Began {
            time: samples.float_times[at],
            start: samples.float_starts.get(at).copied().unwrap_or_default(),
        };
        for at in 1..samples.floats.len() {
            let (before, now) = (began(at - 1), began(at));
            if is_reset(before, now) {
                self.resets.push(at);
            }
            if is_overlap(before, now) {
                self.overlaps.push(at);
            }
        }
        self.resets.sort_unstable();
        self.resets.dedup();
    }

    #[inline]
    pub(super) fn of(&mut self, window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
        match (window.floats.is_empty(), window.histograms.is_empty()) {
            (false, true) => self.of_floats(window, remarks).map_or(Outcome::Nothing, Outcome::Float),
            (true, _) => self.of_histograms(window, remarks),
            (false, false) => {
                remarks.add(Remark::MixedFloatsHistograms);
                Outcome::Nothing
            }
        }
    }

    #[inline]
    fn of_floats(&mut self, window: &Window<'_>, remarks: &mut Remarks<'_>) -> Option<f64> {
        let floats = window.floats;
        let last = floats.len() - 1;
        let first_value = floats.values[0];
        let mut change = floats.values[last] - first_value;
        if self.kind.is_counter() {
            if !self.overlaps.is_empty() && contains(&self.overlaps, floats.first + 1, floats.first + last) {
                remarks.add(Remark::OverlappingStart);
            }
            change = self.without_resets(change, floats.values, floats.first);
        }
        let sampled = sampled(window, floats.times);
        let beginning =
            if self.kind.is_counter() && self.call.use_start_times { sampled.beginning(floats.start(0)) } else { None };
        if beginning.is_some() {
            change += first_value;
        } else if last == 0 {
            return None;
        }
        let extrapolation = sampled.extrapolation(self.kind, self.range_seconds, beginning);
        Some(change * self.factor(&extrapolation, first_value, change))
    }

    #[inline]
    fn factor(&self, extrapolation: &Extrapolation, first: f64, change: f64) -> f64 {
        if self.kind.is_counter() { extrapolation.factor_of_counter(first, change) } else { extrapolation.factor() }
    }

    /// Whether nothing bears on the rates of a series but its floats and their times.
    pub(super) fn is_plain(&self, samples: &Samples) -> bool {
        samples.histograms.is_empty() && !self.call.use_start_times
    }

    /// Writes the rates of a series of which [`Self::is_plain`] holds. How many there are.
    pub(super) fn write_plain(&mut self, frame: &Frame, floats: &[f64], row: &mut [f64]) -> u64 {
        let mut written = 0;
        let windows = frame.from.iter().zip(&frame.to).zip(&frame.extrapolations);
        for (((from, to), extrapolation), rate) in windows.zip(row) {
            let [first, .., last] = floats[*from..*to] else { continue };
            let mut change = last - first;
            if !self.resets.is_empty() {
                change = self.without_resets(change, &floats[*from..*to], *from);
            }
            *rate = change * self.factor(extrapolation, first, change);
            written += 1;
        }
        written
    }

    /// The change of a counter from the first to the last of some floats, as if it had never started again. `first` is the
    /// position of the first one.
    #[inline]
    fn without_resets(&mut self, mut change: f64, floats: &[f64], first: usize) -> f64 {
        if self.resets.is_empty() {
            return change;
        }
        while self.resets.get(self.passed).is_some_and(|at| *at <= first) {
            self.passed += 1;
        }
        for at in &self.resets[self.passed..] {
            let Some(before) = floats[..floats.len() - 1].get(at - first - 1) else { break };
            change += before;
        }
        change
    }

    fn of_histograms(&self, window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
        let histograms = window.histograms;
        let mut change = None;
        if histograms.len() > 1 {
            let use_start_times = self.call.use_start_times;
            change = histogram_rate(&histograms, self.kind.is_counter(), use_start_times, remarks);
            if change.is_none() {
                return Outcome::Nothing;
            }
        }
        let sampled = sampled(window, histograms.times);
        let first = &histograms.values[0];
        let beginning = if self.kind.is_counter() && self.call.use_start_times {
            sampled.beginning(histograms.start(0))
        } else {
            None
        };
        let mut change = match (change, beginning) {
            (Some(mut change), Some(_)) => {
                if !remarks.add_histogram(&mut change, first) {
                    return Outcome::Nothing;
                }
                change
            }
            (Some(change), None) => change,
            (None, Some(_)) => (**first).clone(),
            (None, None) => return Outcome::Nothing,
        };
        let extrapolation = sampled.extrapolation(self.kind, self.range_seconds, beginning);
        change.multiply(self.factor(&extrapolation, first.count, change.count));
        Outcome::histogram(change)
    }
}

/// The positions of the values that are below the one before.
fn resets(values: &[f64]) -> Vec<usize> {
    let pairs = || values.iter().zip(values.get(1..).unwrap_or_default());
    // Mostly there are none, which counting, in vector registers, tells a lot faster than looking for them.
    let count = pairs().map(|(before, value)| usize::from(value < before)).sum::<usize>();
    if count == 0 {
        return Vec::new();
    }
    // Each position is written, and stays if it is one: that costs less than guessing wrong now and then.
    let (mut resets, mut found) = (vec![0; count + 1], 0);
    for (before, (one, other)) in pairs().enumerate() {
        resets[found] = before + 1;
        found += usize::from(other < one);
    }
    resets.truncate(count);
    resets
}

fn sampled(window: &Window<'_>, times: &[i64]) -> Sampled {
    let (first, last) = (times[0], times[times.len() - 1]);
    Sampled { start: window.start, end: window.end, first, last, gaps: times.len() - 1 }
}

/// Whether an ascending list has something in an inclusive range.
fn contains(list: &[usize], from: usize, to: usize) -> bool {
    let at = list.partition_point(|at| *at < from);
    list.get(at).is_some_and(|at| *at <= to)
}
