//! Time as a handle.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A point on the monotonic time line.
pub use tokio::time::Instant;

/// Where time comes from. The simulator has its own, with clocks that skew and jump.
pub trait TimeSource: Send + Sync {
    /// Milliseconds since the Unix epoch. May jump either way: a wall clock orders nothing.
    fn wall_ms(&self) -> i64;
}

/// A cheap handle on the time of this node.
///
/// Two times exist: the wall clock, for what users see and store, and a monotonic one for deadlines and ages.
/// The monotonic one and all sleeping are tokio's, which a paused runtime turns into virtual time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    source: Box<dyn TimeSource>,
    /// Where the grid of [`Clock::sleep_about`] begins.
    began: OnceLock<Instant>,
}

/// The distance of the moments at which everybody wakes who does not mind when.
const GRID: Duration = Duration::from_millis(100);

impl Clock {
    /// The machine's own time.
    pub fn system() -> Self {
        Self::new(SystemTime)
    }

    /// A clock whose wall time is that of `source`.
    pub fn new(source: impl TimeSource + 'static) -> Self {
        Self(Arc::new(Inner { source: Box::new(source), began: OnceLock::new() }))
    }

    /// Milliseconds since the Unix epoch by this node's wall clock.
    pub fn wall_ms(&self) -> i64 {
        self.0.source.wall_ms()
    }

    /// A point on the monotonic time line.
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask: everyone else asks here")]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits for `duration`, up to 50 ms more or less: what many do again and again wakes the processor once for all of them.
    /// Less than 50 ms may take up to 100, so that nobody goes round without waiting.
    pub async fn sleep_about(&self, duration: Duration) {
        let now = self.now();
        let began = *self.0.began.get_or_init(|| now);
        let wanted = now.duration_since(began) + duration;
        let steps = (wanted + GRID / 2).as_millis() / GRID.as_millis();
        let until = began + GRID * u32::try_from(steps).unwrap_or(u32::MAX);
        self.sleep_until(if until > now { until } else { until + GRID }).await;
    }

    /// Waits until `deadline`; returns at once when it has passed.
    pub async fn sleep_until(&self, deadline: Instant) {
        tokio::time::sleep_until(deadline).await;
    }

    /// Runs `work` for at most `limit`; `None` when it took longer, in which case it was dropped.
    pub async fn timeout<F: Future>(&self, limit: Duration, work: F) -> Option<F::Output> {
        tokio::time::timeout(limit, work).await.ok()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.wall_ms())
    }
}

/// The machine's wall clock.
struct SystemTime;

impl TimeSource for SystemTime {
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask: everyone else asks here")]
    fn wall_ms(&self) -> i64 {
        let now = std::time::SystemTime::now();
        match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => since.as_millis() as i64,
            Err(before) => -(before.duration().as_millis() as i64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_mind_when_wakes_together() {
        let clock = Clock::system();
        let began = clock.now();
        let woken = async |after: u64, duration: u64| {
            clock.sleep(Duration::from_millis(after)).await;
            clock.sleep_about(Duration::from_millis(duration)).await;
            began.elapsed().as_millis()
        };
        clock.sleep_about(Duration::ZERO).await;
        let others =
            futures::future::join_all([(30, 1000), (49, 1000), (130, 900), (7, 1010)].map(|(a, d)| woken(a, d)));
        assert_eq!(others.await, [1100, 1100, 1100, 1100], "a step of the grid after the first sleep");
        assert_eq!(woken(13, 0).await, 1200, "later in any case");
        let mut woken_at = Vec::new();
        for _ in 0..3 {
            woken_at.push(woken(1, 200).await);
        }
        assert_eq!(woken_at, [1400, 1600, 1800], "the time between two sleeps is not added up");
    }
}
