//! The newest sample at each step.

use model::is_stale;
use series::{QueryError, Samples};

use super::{ReadContext, Reading, Reference, advance};
use crate::identity::{Identity, in_braces};
use crate::scalar::seconds;
use crate::table::Table;

/// Adds a series with what is read of its newest sample at each step, unless that is too old or a staleness marker.
pub(super) fn read(
    mut id: Identity,
    samples: &Samples,
    (reference, lookback): (Reference, i64),
    what: Reading,
    context: ReadContext<'_>,
    table: &mut Table,
) -> Result<(), QueryError> {
    let grid = context.grid;
    let mut row = table.start_row(grid.len());
    let (mut float, mut histogram) = (0, 0);
    for (step, time) in grid.times().enumerate() {
        let newest = reference.time(time);
        let oldest = newest.saturating_sub(lookback);
        float = advance(&samples.float_times, float, newest);
        histogram = advance(&samples.histogram_times, histogram, newest);
        let float_time = before(&samples.float_times, float, oldest);
        let histogram_time = before(&samples.histogram_times, histogram, oldest);
        if histogram_time > float_time {
            let value = &samples.histograms[histogram - 1];
            if value.is_stale() {
                continue;
            }
            match what {
                Reading::Value => row.push_histogram(step, value.clone()),
                Reading::InfoTime => {
                    row.abandon();
                    let message =
                        format!("this should be an info metric, with float samples: {}", in_braces(&id.labels()));
                    return Err(QueryError::Execution(message));
                }
                Reading::Time => row.set(step, seconds(samples.histogram_times[histogram - 1])),
                Reading::StartTime => row.set(step, start_time(&samples.histogram_starts, histogram - 1)),
            }
        } else if float_time.is_some() && !is_stale(samples.floats[float - 1]) {
            let value = match what {
                Reading::Value => samples.floats[float - 1],
                Reading::InfoTime => samples.float_times[float - 1] as f64,
                Reading::Time => seconds(samples.float_times[float - 1]),
                Reading::StartTime => start_time(&samples.float_starts, float - 1),
            };
            row.set(step, value);
        }
    }
    if matches!(what, Reading::Time | Reading::StartTime) {
        id.drop_name(context.naming);
    }
    row.finish(id);
    Ok(())
}

/// The time before the position `at`, if it is beyond `oldest`.
fn before(times: &[i64], at: usize, oldest: i64) -> Option<i64> {
    times[..at].last().copied().filter(|time| *time > oldest)
}

fn start_time(starts: &[i64], at: usize) -> f64 {
    seconds(starts.get(at).copied().unwrap_or_default())
}
