//! Where the windows of steps lie among timestamps.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::extrapolation::{Extrapolation, Sampled};
use super::{RangeCall, RateKind};
use crate::grid::Grid;
use crate::read::{Reference, advance};

/// Series of a target share their timestamps, and so do most targets that are looked at together: this many different
/// columns of timestamps are remembered.
const REMEMBERED: usize = 64;

/// The positions of each step's window among some timestamps.
#[derive(Debug, Default)]
pub(super) struct Frame {
    times: Vec<i64>,
    /// For each step, where its window begins and ends.
    pub(super) from: Vec<usize>,
    pub(super) to: Vec<usize>,
    /// For each step, where those begin that are in no window before.
    pub(super) fresh: Vec<usize>,
    /// For each step, what becomes of changes; empty if the function is about something else.
    pub(super) extrapolations: Vec<Extrapolation>,
}

/// Frames of one call over one grid, by the timestamps that they are about.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    by_times: HashMap<(i64, i64, usize), Frame, RandomState>,
    size_bytes: usize,
}

impl Frames {
    /// The frame of these timestamps. O(steps + timestamps), and faster if it was asked for before.
    pub(super) fn of(&mut self, call: &RangeCall, grid: Grid, times: &[i64]) -> &Frame {
        let key = (times.first().copied().unwrap_or_default(), times.last().copied().unwrap_or_default(), times.len());
        if self.by_times.len() >= REMEMBERED && !self.by_times.contains_key(&key) {
            *self = Self::default();
        }
        let frame = self.by_times.entry(key).or_default();
        if frame.from.is_empty() || frame.times != times {
            self.size_bytes -= frame.size_bytes();
            frame.set(call, grid, times);
            self.size_bytes += frame.size_bytes();
        }
        frame
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

impl Frame {
    pub(super) fn new(call: &RangeCall, grid: Grid, times: &[i64]) -> Self {
        let mut frame = Self::default();
        frame.set(call, grid, times);
        frame
    }

    fn set(&mut self, call: &RangeCall, grid: Grid, times: &[i64]) {
        let Self { times: own, from, to, fresh, .. } = self;
        for column in [&mut *from, to, fresh] {
            column.clear();
            column.reserve(grid.len());
        }
        own.clear();
        own.extend_from_slice(times);
        let is_fixed = matches!(call.reference, Reference::At(_));
        let (mut first, mut end) = (0, 0);
        for (step, time) in grid.times().enumerate() {
            let (after, until) = call.window(time);
            let last_end = end;
            first = advance(times, first, after);
            end = advance(times, end.max(first), until);
            from.push(first);
            to.push(end);
            fresh.push(match step {
                0 => first,
                _ if is_fixed => end,
                _ => {
                    let after = until.saturating_sub(grid.step()).max(after);
                    first_after(times, (first, end), after, last_end)
                }
            });
        }
        if let Some(kind) = call.function.rate_kind().filter(|_| call.extension.is_none()) {
            self.extrapolate(call, grid, kind);
        }
    }

    fn extrapolate(&mut self, call: &RangeCall, grid: Grid, kind: RateKind) {
        let range_seconds = call.range_seconds();
        let windows = self.from.iter().zip(&self.to).zip(grid.times());
        let extrapolations = windows.map(|((from, to), time)| {
            let [first, .., last] = self.times[*from..*to] else { return Extrapolation::default() };
            let (start, end) = call.window(time);
            Sampled { start, end, first, last, gaps: to - from - 1 }.extrapolation(kind, range_seconds, None)
        });
        self.extrapolations = extrapolations.collect();
    }

    fn size_bytes(&self) -> usize {
        let positions = (self.times.len() + 3 * self.from.len()) * size_of::<usize>();
        positions + self.extrapolations.len() * size_of::<Extrapolation>()
    }
}

/// The position of the first sample of a window after a time, which is where the window before ended if that moves.
fn first_after(times: &[i64], (from, to): (usize, usize), after: i64, last_to: usize) -> usize {
    let at = last_to.clamp(from, to);
    let is_first = |at: usize| times.get(at).is_none_or(|time| *time > after);
    if is_first(at) && (at == from || !is_first(at - 1)) {
        return at;
    }
    from + times[from..to].partition_point(|time| *time <= after)
}
