//! Windows of samples that move with the steps.

use std::sync::Arc;

use model::Histogram;
use series::{QueryError, Samples};

use super::RangeCall;
use crate::grid::Grid;
use crate::read::{Reference, advance};
use crate::table::NewRow;
use crate::tally::{Alike, Passage, Reads, histogram_weight};

/// The samples that a function looks at for one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    pub(super) floats: Points<'a, f64>,
    pub(super) histograms: Points<'a, Arc<Histogram>>,
    /// The range, without what `anchored` and `smoothed` look at beyond it: samples after `start` and not after `end`.
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) step: usize,
    /// The time of the step.
    pub(super) time: i64,
}

/// Samples of one kind.
#[derive(Debug)]
pub(super) struct Points<'a, T> {
    pub(super) times: &'a [i64],
    pub(super) values: &'a [T],
    /// When their counters began, 0 where that is not known; may be shorter.
    starts: &'a [i64],
    /// The position of the first one among all of the series.
    pub(super) first: usize,
}

// Derived, these would want `T` to be `Copy`.
impl<T> Clone for Points<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Points<'_, T> {}

/// What a function makes of a window.
#[derive(Debug)]
pub(super) enum Outcome {
    Nothing,
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl<'a, T> Points<'a, T> {
    fn new(times: &'a [i64], values: &'a [T], starts: &'a [i64], (from, to): (usize, usize)) -> Self {
        let starts = starts.get(from..to.min(starts.len())).unwrap_or_default();
        Self { times: &times[from..to], values: &values[from..to], starts, first: from }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// When the counter of a sample began; 0 if that is not known.
    pub(super) fn start(&self, at: usize) -> i64 {
        self.starts.get(at).copied().unwrap_or_default()
    }

    /// The samples from a position on.
    pub(super) fn skip(&self, count: usize) -> Self {
        let starts = self.starts.get(count..).unwrap_or_default();
        Self { times: &self.times[count..], values: &self.values[count..], starts, first: self.first + count }
    }
}

impl Outcome {
    pub(super) fn histogram(histogram: Histogram) -> Self {
        Self::Histogram(Arc::new(histogram))
    }
}

/// What is counted while windows move.
pub(super) struct Counters<'a> {
    pub(super) passage: &'a mut Passage,
    pub(super) alike: &'a mut Alike,
    pub(super) reads: &'a mut Reads,
    /// Whether samples come from storage: those of subqueries were counted there.
    pub(super) is_storage: bool,
}

/// Gives each step's window, unless it is empty, to a function, and writes what it makes of it.
///
/// # Errors
/// Those of the function.
pub(super) fn for_each_window(
    call: &RangeCall,
    samples: &Samples,
    grid: Grid,
    counters: Counters<'_>,
    row: &mut NewRow<'_>,
    mut function: impl FnMut(Window<'_>) -> Result<Outcome, QueryError>,
) -> Result<(), QueryError> {
    let weights = Weights::new(samples);
    let Counters { passage, alike, reads, is_storage } = counters;
    if reads.queryable.is_empty() {
        *reads = Reads::none(grid);
    }
    let (mut float, mut histogram) = (Bounds::default(), Bounds::default());
    let mut own = Passage::default();
    let mut written = 0;
    for (step, time) in grid.times().enumerate() {
        let end = call.reference.time(time);
        let start = end.saturating_sub(call.range);
        let (from, to) = call.reach(start, end);
        float.advance(&samples.float_times, from, to);
        histogram.advance(&samples.histogram_times, from, to);
        let size = float.len() as u64 + weights.of(histogram.from, histogram.to);
        own.peak = own.peak.max(size);
        own.rest = size;
        if size == 0 {
            continue;
        }
        reads.queryable[step] += size;
        let is_fixed = matches!(call.reference, Reference::At(_));
        if is_storage && (step == 0 || !is_fixed) {
            let from = if step == 0 { from } else { to.saturating_sub(grid.step()).max(from) };
            let new_float = float.to - float.first_after(&samples.float_times, from, step);
            let new_histogram = histogram.first_after(&samples.histogram_times, from, step);
            reads.new[step] += new_float as u64 + weights.of(new_histogram, histogram.to);
        }
        let floats = Points::new(&samples.float_times, &samples.floats, &samples.float_starts, float.pair());
        let histograms =
            Points::new(&samples.histogram_times, &samples.histograms, &samples.histogram_starts, histogram.pair());
        match function(Window { floats, histograms, start, end, step, time })? {
            Outcome::Nothing => {}
            Outcome::Float(value) => {
                row.set(step, value);
                written += 1;
            }
            Outcome::Histogram(value) => {
                written += histogram_weight(value.size_bytes());
                row.push_histogram(step, value);
            }
        }
    }
    // The last window stays in memory until the next series, the results for good.
    own.peak = own.peak.max(own.rest + written);
    own.rest = written;
    passage.then(own);
    alike.see(own);
    Ok(())
}

/// The positions of a window's samples.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    from: usize,
    to: usize,
    /// Where the window before ended.
    last_to: usize,
}

impl Bounds {
    fn advance(&mut self, times: &[i64], after: i64, until: i64) {
        self.last_to = self.to;
        self.from = advance(times, self.from, after);
        self.to = advance(times, self.to.max(self.from), until);
    }

    fn len(self) -> usize {
        self.to - self.from
    }

    fn pair(self) -> (usize, usize) {
        (self.from, self.to)
    }

    /// The position of the first sample of the window after a time, which is where the window before ended if that moves.
    fn first_after(self, times: &[i64], after: i64, step: usize) -> usize {
        if step == 0 {
            return self.from;
        }
        let at = self.last_to.clamp(self.from, self.to);
        let is_first = |at: usize| times.get(at).is_none_or(|time| *time > after);
        if is_first(at) && (at == self.from || !is_first(at - 1)) {
            return at;
        }
        self.from + times[self.from..self.to].partition_point(|time| *time <= after)
    }
}

/// What the first so many histograms count, in samples.
struct Weights(Vec<u64>);

impl Weights {
    fn new(samples: &Samples) -> Self {
        let mut sum = 0;
        let weights = samples.histograms.iter().map(|histogram| {
            sum += histogram_weight(histogram.size_bytes());
            sum
        });
        Self(std::iter::once(0).chain(weights).collect())
    }

    fn of(&self, from: usize, to: usize) -> u64 {
        if from >= to { 0 } else { self.0[to] - self.0[from] }
    }
}
