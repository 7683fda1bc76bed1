//! From the samples of a series to its values at each step.

mod instant;
mod smoothed;

use std::sync::Arc;

use model::{CounterReset, Histogram};
use promql::Span;
use promql::ast::Extension;
use series::{QueryError, Samples};

use crate::grid::Grid;
use crate::identity::{Identity, Naming};
use crate::ledger::Record;
use crate::range::RangeCall;
use crate::scalar::Scalar;
use crate::table::Table;

/// Which time a selector looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reference {
    /// So many ms before the step.
    Offset(i64),
    /// This time, at every step.
    At(i64),
}

impl Reference {
    pub(crate) fn time(self, step_time: i64) -> i64 {
        match self {
            Self::Offset(offset) => step_time.saturating_sub(offset),
            Self::At(time) => time,
        }
    }
}

/// The times between what one step looks at and what the next one looks at.
#[derive(Clone, Copy, Debug)]
struct Gaps {
    /// Where the first one starts, and where there are no more.
    first: i64,
    last: i64,
    /// From one to the next.
    step: i64,
    length: i64,
}

impl Gaps {
    fn has(&self, time: i64) -> bool {
        (self.first..self.last).contains(&time) && (time - self.first) % self.step < self.length
    }
}

/// What is made of the samples of each series.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    /// The newest sample.
    Instant { reference: Reference, lookback: i64, what: Reading },
    /// What lies between the samples around: `smoothed`.
    Smoothed { reference: Reference, lookback: i64, span: Span },
    /// What a function makes of the samples in a range.
    Range(RangeCall),
}

/// What is read of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Value,
    /// Its time, in seconds.
    Time,
    /// When its counter began, in seconds; 0 if that is not known.
    StartTime,
    /// Its time, in ms; histograms are refused.
    InfoTime,
}

/// What reading needs to know of the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadContext<'a> {
    pub(crate) grid: Grid,
    pub(crate) naming: Naming,
    /// The arguments of a range function beside the range.
    pub(crate) args: &'a [Scalar],
}

impl Reader {
    /// How far, in ms, it looks before a time, without that time itself, and behind it.
    fn reach(&self) -> (i64, i64) {
        match self {
            Self::Instant { lookback, .. } => (*lookback, 0),
            Self::Smoothed { lookback, .. } => (*lookback, *lookback),
            Self::Range(call) => {
                let before = call.lookback_if(call.extension.is_some());
                let after = call.lookback_if(call.extension == Some(Extension::Smoothed));
                (call.range.saturating_add(before), after)
            }
        }
    }

    /// The first and the last ms of the samples that are needed to look at a reference from the first to the last of some
    /// times.
    pub(crate) fn time_range(&self, reference: Reference, (first, last): (i64, i64)) -> (i64, i64) {
        let (before, after) = self.reach();
        let (first, last) = (reference.time(first), reference.time(last));
        (first.saturating_sub(before).saturating_add(1), last.saturating_add(after))
    }

    /// The times at which no step looks, if the steps leave any out.
    fn gaps(&self, grid: Grid) -> Option<Gaps> {
        let (before, after) = self.reach();
        let width = before.saturating_add(after);
        let reference = match self {
            Self::Instant { reference, .. } | Self::Range(RangeCall { reference, .. }) => *reference,
            // Looks at all samples, whatever the steps are.
            Self::Smoothed { .. } => return None,
        };
        let is_left_out = matches!(reference, Reference::Offset(_)) && width < grid.step();
        let [first, last] = [grid.start(), grid.end()].map(|time| reference.time(time).saturating_add(after));
        is_left_out.then_some(Gaps { first, last, step: grid.step(), length: grid.step() - width })
    }

    /// Whether staleness markers bear on what is read. Elsewhere they are as if they were not there.
    pub(crate) fn sees_staleness(&self) -> bool {
        matches!(self, Self::Instant { .. })
    }

    /// Adds a series with its values to a table.
    ///
    /// # Errors
    /// If the samples are none that the function can work with.
    pub(crate) fn read(
        &self,
        id: Identity,
        samples: &Samples,
        context: ReadContext<'_>,
        table: &mut Table,
        record: &mut Record,
    ) -> Result<(), QueryError> {
        match self {
            Self::Instant { reference, lookback, what } => {
                instant::read(id, samples, (*reference, *lookback), *what, context, table)
            }
            Self::Smoothed { reference, lookback, span } => {
                smoothed::read(id, samples, (*reference, *lookback), *span, context.grid, table, record);
                Ok(())
            }
            Self::Range(call) => call.read(id, samples, context, true, table, record),
        }
    }
}

/// The first position from `at` on whose time is beyond `bound`.
#[inline]
pub(crate) fn advance(times: &[i64], mut at: usize, bound: i64) -> usize {
    // Mostly it is near; but steps of hours pass many samples at once.
    const NEAR: usize = 16;
    let near = times.len().min(at + NEAR);
    while at < near && times[at] <= bound {
        at += 1;
    }
    if at == near { at + times[at..].partition_point(|time| *time <= bound) } else { at }
}

/// Removes staleness markers.
pub(crate) fn remove_stale(samples: &mut Samples) {
    if samples.floats.iter().any(|value| model::is_stale(*value)) {
        let keep: Vec<bool> = samples.floats.iter().map(|value| !model::is_stale(*value)).collect();
        retain(&mut samples.floats, &keep);
        retain(&mut samples.float_times, &keep);
        retain(&mut samples.float_starts, &keep);
    }
    if samples.histograms.iter().any(|histogram| histogram.is_stale()) {
        let keep: Vec<bool> = samples.histograms.iter().map(|histogram| !histogram.is_stale()).collect();
        retain(&mut samples.histograms, &keep);
        retain(&mut samples.histogram_times, &keep);
        retain(&mut samples.histogram_starts, &keep);
    }
}

fn retain<T>(column: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    column.retain(|_| keep.next().copied().unwrap_or(true));
}

/// The samples with histograms that have counts and sums only. Since without buckets nobody can tell any more whether a
/// counter started again, they say so; but for the first one behind samples that no step looks at, since Prometheus jumps
/// over those.
pub(crate) fn statistics_of(samples: &Samples, reader: &Reader, grid: Grid) -> Samples {
    let gaps = reader.gaps(grid);
    let has_gap = |after: i64, until: i64| {
        let is_within = |time: &i64| gaps.as_ref().is_some_and(|gaps| gaps.has(*time));
        [&samples.float_times, &samples.histogram_times].into_iter().any(|times| {
            let from = times.partition_point(|time| *time < after);
            times[from..].iter().take_while(|time| **time < until).any(is_within)
        })
    };
    let mut last: Option<(i64, &Histogram)> = None;
    let reduced = samples.histogram_times.iter().zip(&samples.histograms).map(|(time, histogram)| {
        let mut counter_reset = histogram.counter_reset;
        if !histogram.is_stale() {
            last = last.filter(|(before, _)| !has_gap(*before, *time));
            if let (CounterReset::Unknown, Some((_, last))) = (counter_reset, last) {
                let is_reset = histogram.is_reset_after(last);
                counter_reset = if is_reset { CounterReset::Reset } else { CounterReset::NotReset };
            }
            last = Some((*time, histogram));
        }
        let Histogram { schema, count, sum, .. } = **histogram;
        Arc::new(Histogram { schema, counter_reset, count, sum, ..Histogram::default() })
    });
    Samples { histograms: reduced.collect(), ..samples.clone() }
}
