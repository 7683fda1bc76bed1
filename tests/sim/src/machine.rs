//! What of a node outlives its process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use stdx::{Clock, Rng, TimeSource};

use crate::{Coverage, Mistake, SimDisk, SimLog};

/// Disks and a clock.
#[derive(Clone)]
pub struct Machine {
    /// Where files lie.
    pub disk: SimDisk,
    /// Where logs lie.
    pub log: SimLog,
    /// Its wall clock.
    pub clock: SkewedClock,
}

impl Machine {
    /// A machine that was never used, whose clock goes with `time`.
    pub fn new(time: &Clock, rng: &Rng, coverage: &Coverage, mistake: Mistake) -> Self {
        Self {
            disk: SimDisk::default(),
            log: SimLog::new(time.clone(), rng.fork(), coverage.clone(), mistake),
            clock: SkewedClock { time: time.clone(), ahead_ms: Arc::default() },
        }
    }

    /// The power goes, and with it whatever was not synced.
    pub fn power_off(&self) {
        self.disk.power_off();
        self.log.power_off();
    }

    /// The process ends. What it wrote reaches the disk.
    pub fn process_ends(&self) {
        self.disk.power_off();
        self.log.process_ends();
    }
}

/// A wall clock that may be wrong. Clones share it.
#[derive(Clone)]
pub struct SkewedClock {
    time: Clock,
    ahead_ms: Arc<AtomicI64>,
}

impl SkewedClock {
    /// From now on it is ahead by so much.
    pub fn set_ahead(&self, by_ms: i64) {
        self.ahead_ms.store(by_ms, Ordering::Relaxed);
    }

    /// As a handle.
    pub fn handle(&self) -> Clock {
        Clock::new(self.clone())
    }
}

impl TimeSource for SkewedClock {
    fn wall_ms(&self) -> i64 {
        self.time.wall_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }
}
