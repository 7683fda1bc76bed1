//! Counts and sums of histograms, where nobody looks at their buckets.

use std::sync::Arc;

use model::{CounterReset, Histogram};
use series::Samples;

use super::{Reader, Reference};
use crate::grid::Grid;
use crate::range::RangeCall;

/// The samples with histograms that have counts and sums only. Since without buckets nobody can tell any more whether a
/// counter started again, they say so; but for the first one behind samples that no step looks at, which Prometheus jumps
/// over together with the one before them.
pub(crate) fn statistics_of(samples: &Samples, reader: &Reader, grid: Grid) -> Samples {
    let gaps = Gaps::between(reader, grid);
    let are_apart = |before: i64, time: i64| gaps.is_some_and(|gaps| gaps.have_any_of(samples, before, time));
    let mut last: Option<(i64, &Histogram)> = None;
    let reduced = samples.histogram_times.iter().zip(&samples.histograms).map(|(time, histogram)| {
        let mut counter_reset = histogram.counter_reset;
        if !histogram.is_stale() {
            last = last.filter(|(before, _)| !are_apart(*before, *time));
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

/// The times between what one step looks at and what the next one looks at. The end of the former belongs to them.
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
    /// `None` if the steps leave nothing out.
    fn between(reader: &Reader, grid: Grid) -> Option<Self> {
        let reference = match reader {
            Reader::Instant { reference, .. } | Reader::Range(RangeCall { reference, .. }) => *reference,
            // It walks through all samples, whatever the steps are.
            Reader::Smoothed { .. } => return None,
        };
        let (before, after) = reader.reach();
        let length = grid.step().saturating_sub(before.saturating_add(after));
        let [first, last] = [grid.start(), grid.end()].map(|time| reference.time(time).saturating_add(after));
        let moves = matches!(reference, Reference::Offset(_));
        (moves && length > 0).then_some(Self { first, last, step: grid.step(), length })
    }

    fn has(&self, time: i64) -> bool {
        (self.first..self.last).contains(&time) && (time - self.first) % self.step < self.length
    }

    /// Whether a sample lies in a gap, from a time to before another one.
    fn have_any_of(&self, samples: &Samples, from: i64, to: i64) -> bool {
        [&samples.float_times, &samples.histogram_times].into_iter().any(|times| {
            let first = times.partition_point(|time| *time < from);
            times[first..].iter().take_while(|time| **time < to).any(|time| self.has(*time))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Reading;

    /// What the histograms at these times say about resets when every 30 ms the newest of the last 10 ms is read.
    fn resets(times: &[i64]) -> Vec<CounterReset> {
        let histogram = Arc::new(Histogram { count: 1.0, ..Histogram::default() });
        let mut samples = Samples::new();
        samples.histogram_times.extend(times);
        samples.histograms.resize(times.len(), histogram);
        let reader = Reader::Instant { reference: Reference::Offset(0), lookback: 10, what: Reading::Value };
        let reduced = statistics_of(&samples, &reader, Grid::range(0, 60, 30));
        reduced.histograms.iter().map(|histogram| histogram.counter_reset).collect()
    }

    #[test]
    fn resets_are_known_unless_samples_are_jumped_over() {
        use CounterReset::{NotReset, Unknown};
        // In one window, and from one into the next.
        assert_eq!(resets(&[-5, -1, 25, 30]), [Unknown, NotReset, NotReset, NotReset]);
        // What is at a step ends its window and starts the gap.
        assert_eq!(resets(&[0, 25]), [Unknown, Unknown]);
        // What those in gaps themselves say matters to nobody.
        assert_eq!(resets(&[-5, 19, 25, 49, 55]), [Unknown, NotReset, Unknown, NotReset, Unknown]);
        // A window's first moment is looked at, though nothing is made of it. Behind the last step there are no gaps.
        assert_eq!(resets(&[-5, 20, 60, 61]), [Unknown, NotReset, NotReset, NotReset]);
    }
}
