//! From the samples of a series to its values at each step.

mod instant;
mod smoothed;
mod statistics;

use promql::Span;
use promql::ast::Extension;
use series::{QueryError, Samples};

use crate::grid::Grid;
use crate::identity::{Identity, Naming};
use crate::ledger::Record;
use crate::range::{Frames, RangeCall};
use crate::scalar::Scalar;
use crate::table::Table;

pub(crate) use statistics::statistics_of;

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
    /// Whether samples come from storage: those of subqueries were counted there.
    pub(crate) is_storage: bool,
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
        frames: &mut Frames,
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
            Self::Range(call) => call.read(id, samples, context, frames, table, record),
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
