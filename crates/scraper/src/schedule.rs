//! When a target is scraped.

use std::time::Duration;

use model::TargetId;

/// How far the beginning of a scrape may be from its planned time for its samples to have that.
const MAX_TOLERANCE_MS: i64 = 50;

/// The planned times of a target: its phase, and then every interval. They depend on nothing else, so that they are the
/// same for every scraper that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    interval_ms: i64,
    phase_ms: i64,
}

impl Schedule {
    pub(crate) fn new(target: TargetId, interval: Duration) -> Self {
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let phase_ms = (target.0 % interval_ms.unsigned_abs() as u128) as i64;
        Self { interval_ms, phase_ms }
    }

    pub(crate) fn interval_ms(self) -> i64 {
        self.interval_ms
    }

    /// The first planned time that is not before `time_ms`.
    pub(crate) fn at_or_after(self, time_ms: i64) -> i64 {
        let since = (time_ms - self.phase_ms).rem_euclid(self.interval_ms);
        if since == 0 { time_ms } else { time_ms + self.interval_ms - since }
    }

    /// The planned time to go for after the scrape planned at `last_ms`, and how many were skipped. One that is late by less
    /// than an interval is made up for. A clock that was set back starts again from what it says now: its ticks may have been
    /// stored before, which their shard will notice.
    pub(crate) fn next(self, last_ms: i64, now_ms: i64) -> (i64, u64) {
        let next = self.at_or_after(last_ms + 1);
        let late = now_ms - next;
        if late < -self.interval_ms {
            return (self.at_or_after(now_ms), 0);
        }
        if late < self.interval_ms {
            return (next, 0);
        }
        let skipped = late / self.interval_ms;
        (next + skipped * self.interval_ms, skipped.unsigned_abs())
    }

    /// The time of the samples of a scrape that began at `start_ms`: the planned one if that is near enough.
    pub(crate) fn timestamp(self, planned_ms: i64, start_ms: i64) -> i64 {
        let tolerance = (self.interval_ms / 100).min(MAX_TOLERANCE_MS);
        if (start_ms - planned_ms).abs() <= tolerance { planned_ms } else { start_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(phase: u128) -> Schedule {
        Schedule::new(TargetId(10_000 * 7 + phase), Duration::from_secs(10))
    }

    #[test]
    fn planned_times_are_an_interval_apart() {
        let schedule = schedule(2_500);
        assert_eq!([0, 2_500, 2_501].map(|time| schedule.at_or_after(time)), [2_500, 2_500, 12_500]);
        assert_eq!(schedule.at_or_after(-1), 2_500);
        assert_eq!(schedule.at_or_after(-7_501), -7_500);
    }

    #[test]
    fn what_is_late_is_made_up_for_once_and_then_skipped() {
        let schedule = schedule(0);
        assert_eq!(schedule.next(20_000, 20_100), (30_000, 0));
        assert_eq!(schedule.next(20_000, 39_999), (30_000, 0));
        assert_eq!(schedule.next(20_000, 40_000), (40_000, 1));
        assert_eq!(schedule.next(20_000, 75_000), (70_000, 4));
        // The clock was set back.
        assert_eq!(schedule.next(3_600_000, 41_000), (50_000, 0));
        // Planned by another interval before.
        assert_eq!(schedule.next(21_234, 21_300), (30_000, 0));
    }

    #[test]
    fn samples_have_the_planned_time_if_it_is_near() {
        let schedule = schedule(0);
        assert_eq!([20_050, 19_950, 20_051].map(|start| schedule.timestamp(20_000, start)), [20_000, 20_000, 20_051]);
        let second = Schedule::new(TargetId(0), Duration::from_secs(1));
        assert_eq!([10, 11].map(|late| second.timestamp(5_000, 5_000 + late)), [5_000, 5_011]);
    }
}
