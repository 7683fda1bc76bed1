//! Virtual wall time.

use stdx::{Clock, Instant, TimeSource};

/// A wall clock that goes with tokio's: in a paused runtime it stands still while there is work, and jumps when all wait.
struct VirtualTime {
    start_ms: i64,
    started: Instant,
}

impl TimeSource for VirtualTime {
    fn wall_ms(&self) -> i64 {
        let now = Clock::system().now();
        self.start_ms + now.duration_since(self.started).as_millis() as i64
    }
}

/// A clock whose wall time is `start_ms` now and goes on with tokio's time.
pub fn virtual_clock(start_ms: i64) -> Clock {
    Clock::new(VirtualTime { start_ms, started: Clock::system().now() })
}
