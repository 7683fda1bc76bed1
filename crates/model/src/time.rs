//! Points and ranges in time.

use std::fmt;
use std::time::Duration;

/// Milliseconds since the Unix epoch. Negative values are before 1970 and are legal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Earlier than every sample.
    pub const MIN: Self = Self(i64::MIN);
    /// Later than every sample.
    pub const MAX: Self = Self(i64::MAX);

    /// The milliseconds.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, as queries see them.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// This much later; stops at [`Timestamp::MAX`].
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This much earlier; stops at [`Timestamp::MIN`].
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// Writes the milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Half-open `[start, end)`. Query APIs are closed at both ends: converted once, in `api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    start: Timestamp, // Invariant: start <= end.
    end: Timestamp,
}

impl TimeRange {
    /// All of time but its very last millisecond.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// `[start, end)`; empty at `start` when `end` is earlier.
    pub fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end: end.max(start) }
    }

    /// `[start, end]`: every sample with `start <= t <= end`, except one at [`Timestamp::MAX`].
    pub fn inclusive(start: Timestamp, end: Timestamp) -> Self {
        Self::new(start, Timestamp(end.0.saturating_add(1)))
    }

    /// The first millisecond in the range, if it is not empty.
    pub fn start(self) -> Timestamp {
        self.start
    }

    /// The first millisecond after the range.
    pub fn end(self) -> Timestamp {
        self.end
    }

    /// Whether no time is in the range.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `t` is in the range.
    pub fn contains(self, t: Timestamp) -> bool {
        self.start <= t && t < self.end
    }

    /// Whether some time is in both ranges.
    pub fn overlaps(self, other: Self) -> bool {
        self.start.max(other.start) < self.end.min(other.end)
    }

    /// What is in both ranges.
    pub fn intersection(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The smallest range that has all of both.
    pub fn union(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self { start: self.start.min(other.start), end: self.end.max(other.end) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: i64, end: i64) -> TimeRange {
        TimeRange::new(Timestamp(start), Timestamp(end))
    }

    #[test]
    fn ranges_are_half_open() {
        assert!(range(1, 3).contains(Timestamp(1)) && !range(1, 3).contains(Timestamp(3)));
        assert!(!range(1, 3).overlaps(range(3, 5)) && range(1, 4).overlaps(range(3, 5)));
        assert!(!range(2, 2).overlaps(range(0, 5)));
        assert_eq!(range(1, 4).intersection(range(3, 9)), range(3, 4));
        assert!(range(1, 2).intersection(range(5, 9)).is_empty());
        assert_eq!(range(1, 2).union(range(5, 9)), range(1, 9));
        assert_eq!(range(1, 1).union(range(5, 9)), range(5, 9));
        assert!(TimeRange::inclusive(Timestamp(1), Timestamp(2)).contains(Timestamp(2)));
    }
}
