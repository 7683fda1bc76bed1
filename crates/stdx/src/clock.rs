//! Time as a handle.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
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
pub struct Clock(Arc<dyn TimeSource>);

impl Clock {
    /// The machine's own time.
    pub fn system() -> Self {
        Self::new(SystemTime)
    }

    /// A clock whose wall time is that of `source`.
    pub fn new(source: impl TimeSource + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// Milliseconds since the Unix epoch by this node's wall clock.
    pub fn wall_ms(&self) -> i64 {
        self.0.wall_ms()
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
