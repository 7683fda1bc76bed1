//! Windows of samples that move with the steps.

use std::sync::Arc;

use model::Histogram;
use series::{QueryError, Samples};

use super::RangeCall;
use super::frame::{Frame, Frames};
use crate::grid::Grid;
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
    frames: &mut Frames,
    counters: Counters<'_>,
    row: &mut NewRow<'_>,
    mut function: impl FnMut(Window<'_>) -> Result<Outcome, QueryError>,
) -> Result<(), QueryError> {
    over_windows(call, samples, grid, frames, counters, |windows| windows.evaluate(row, &mut function))
}

/// Gives the windows of all steps to whoever writes what comes of them, and says how much that is, in samples.
///
/// # Errors
/// Those of writing.
pub(super) fn over_windows(
    call: &RangeCall,
    samples: &Samples,
    grid: Grid,
    frames: &mut Frames,
    counters: Counters<'_>,
    write: impl FnOnce(&Windows<'_>) -> Result<u64, QueryError>,
) -> Result<(), QueryError> {
    let floats = frames.of(call, grid, &samples.float_times);
    let histograms = (!samples.histograms.is_empty()).then(|| Frame::new(call, grid, &samples.histogram_times));
    let windows = Windows { call, samples, grid, floats, histograms };
    let mut own = windows.count(counters.reads, counters.is_storage);
    let written = write(&windows)?;
    // The last window stays in memory until the next series, the results for good.
    own.peak = own.peak.max(own.rest + written);
    own.rest = written;
    counters.passage.then(own);
    counters.alike.see(own);
    Ok(())
}

/// The windows of a series.
pub(super) struct Windows<'a> {
    call: &'a RangeCall,
    samples: &'a Samples,
    grid: Grid,
    pub(super) floats: &'a Frame,
    /// Those of histograms, if there are any.
    histograms: Option<Frame>,
}

impl Windows<'_> {
    /// Counts the samples of all windows. The most that a window has, and what the last one has.
    fn count(&self, reads: &mut Reads, is_storage: bool) -> Passage {
        if reads.queryable.is_empty() {
            *reads = Reads::none(self.grid);
        }
        let Frame { from, to, fresh, .. } = self.floats;
        let mut own = Passage::default();
        for ((queryable, from), to) in reads.queryable.iter_mut().zip(from).zip(to) {
            *queryable += (to - from) as u64;
            own.peak = own.peak.max((to - from) as u64);
        }
        if is_storage {
            for ((new, fresh), to) in reads.new.iter_mut().zip(fresh).zip(to) {
                *new += (to - fresh) as u64;
            }
        }
        own.rest = to.last().zip(from.last()).map_or(0, |(to, from)| (to - from) as u64);
        if let Some(histograms) = &self.histograms {
            let weights = Weights::new(self.samples);
            for step in 0..self.grid.len() {
                let weight = weights.of(histograms.from[step], histograms.to[step]);
                reads.queryable[step] += weight;
                if is_storage {
                    reads.new[step] += weights.of(histograms.fresh[step], histograms.to[step]);
                }
                own.rest = (to[step] - from[step]) as u64 + weight;
                own.peak = own.peak.max(own.rest);
            }
        }
        own
    }

    /// Writes what a function makes of each window. What it wrote, in samples.
    fn evaluate(
        &self,
        row: &mut NewRow<'_>,
        function: &mut impl FnMut(Window<'_>) -> Result<Outcome, QueryError>,
    ) -> Result<u64, QueryError> {
        let Self { samples, .. } = self;
        let mut written = 0;
        let bounds = self.floats.from.iter().zip(&self.floats.to);
        for ((step, time), (from, to)) in self.grid.times().enumerate().zip(bounds) {
            let floats = Points::new(&samples.float_times, &samples.floats, &samples.float_starts, (*from, *to));
            let histograms = match &self.histograms {
                Some(frame) => {
                    let bounds = (frame.from[step], frame.to[step]);
                    Points::new(&samples.histogram_times, &samples.histograms, &samples.histogram_starts, bounds)
                }
                None => Points::new(&[], &[], &[], (0, 0)),
            };
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            let end = self.call.reference.time(time);
            let start = end.saturating_sub(self.call.range);
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
        Ok(written)
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
