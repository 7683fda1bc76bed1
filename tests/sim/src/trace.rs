//! What a person reads to understand a failure, and what proves that a seed is replayed.

use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stdx::{Clock, Instant};

/// Lines with the time at which they were written. Clones share them.
#[derive(Clone)]
pub struct Trace(Arc<Inner>);

struct Inner {
    clock: Clock,
    started: Instant,
    lines: Mutex<Vec<(Duration, String)>>,
}

impl Trace {
    /// Nothing, from now on.
    pub fn new(clock: Clock) -> Self {
        let started = clock.now();
        Self(Arc::new(Inner { clock, started, lines: Mutex::default() }))
    }

    /// Something happened.
    pub fn note(&self, what: impl Into<String>) {
        let at = self.0.clock.now().duration_since(self.0.started);
        self.0.lines.lock().push((at, what.into()));
    }

    /// The lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lines.lock().iter().map(|(at, what)| format!("{:10.6}  {what}", at.as_secs_f64())).collect()
    }

    /// The same for the same lines at the same times.
    pub fn digest(&self) -> u64 {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        for (at, what) in self.0.lines.lock().iter() {
            hasher.write_u128(at.as_nanos());
            hasher.write(what.as_bytes());
        }
        hasher.finish()
    }
}
