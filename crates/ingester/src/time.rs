//! The cluster's time, as this node knows it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stdx::{Clock, Instant, TimeSource};

/// What meta said last about the time, and since then the monotonic clock: a wall clock that is wrong here, or jumps, must
/// neither close a window too early nor make ticks look as if they came from the future.
#[derive(Clone)]
pub(crate) struct ClusterTime(Arc<Inner>);

struct Inner {
    own: Clock,
    told: Mutex<Option<(Instant, i64)>>,
}

impl ClusterTime {
    /// The node's own time, as long as nothing else is known.
    pub(crate) fn new(own: Clock) -> Self {
        Self(Arc::new(Inner { own, told: Mutex::default() }))
    }

    /// Takes over what meta answered to a question that was asked then.
    pub(crate) fn hear(&self, asked: Instant, wall_ms: i64) {
        if wall_ms == 0 {
            // Meta's leader does not know it.
            return;
        }
        let under_way = self.0.own.now().duration_since(asked);
        *self.0.told.lock() = Some((asked + under_way / 2, wall_ms));
    }

    /// The time as meta told it; `None` as long as it has not. What can't be undone waits for it.
    pub(crate) fn known_ms(&self) -> Option<i64> {
        let (at, wall_ms) = (*self.0.told.lock())?;
        Some(wall_ms + milliseconds(self.0.own.now().duration_since(at)))
    }

    /// As a handle.
    pub(crate) fn clock(&self) -> Clock {
        Clock::new(self.clone())
    }

    /// By how much the node's own wall clock is ahead, in seconds.
    pub(crate) fn own_ahead_seconds(&self) -> f64 {
        (self.0.own.wall_ms() - self.wall_ms()) as f64 / 1000.0
    }

    /// The node's own wall clock.
    pub(crate) fn own_wall_ms(&self) -> i64 {
        self.0.own.wall_ms()
    }
}

impl TimeSource for ClusterTime {
    fn wall_ms(&self) -> i64 {
        self.known_ms().unwrap_or_else(|| self.0.own.wall_ms())
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct Wrong(Arc<AtomicI64>);

    impl TimeSource for Wrong {
        fn wall_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_the_own_clock_changes_nothing_once_the_time_is_told() {
        let wall = Arc::new(AtomicI64::new(5_000));
        let time = ClusterTime::new(Clock::new(Wrong(wall.clone())));
        assert_eq!((time.clock().wall_ms(), time.known_ms()), (5_000, None));
        let asked = time.clock().now();
        tokio::time::sleep(Duration::from_millis(20)).await;
        time.hear(asked, 1_000);
        assert_eq!(time.clock().wall_ms(), 1_010, "the answer was half the time under way");
        wall.store(3_600_000, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(time.clock().wall_ms(), 1_510);
        assert!((time.own_ahead_seconds() - 3_598.49).abs() < 1e-9);
    }
}
