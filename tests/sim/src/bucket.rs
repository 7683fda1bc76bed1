//! A bucket that can be out of reach, or unreliable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bucket::{Bucket, BucketConfig, Fault, Faults, Operation, RandomFaults};
use stdx::{Clock, Rng};
use telemetry::Registry;

/// Lets a bucket fail for a while. Clones share it.
#[derive(Clone)]
pub struct Outage(Arc<Inner>);

struct Inner {
    is_down: AtomicBool,
    percent: AtomicU64,
    rng: Rng,
}

/// How late what is slow begins.
const DELAY: Duration = Duration::from_secs(3);

impl Outage {
    /// None yet.
    pub fn new(rng: Rng) -> Self {
        Self(Arc::new(Inner { is_down: AtomicBool::new(false), percent: AtomicU64::new(0), rng }))
    }

    /// From now on every try is refused, or none is.
    pub fn set(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::Relaxed);
    }

    /// From now on so many of 100 tries go wrong, in one way or another.
    pub fn set_percent(&self, percent: u64) {
        self.0.percent.store(percent, Ordering::Relaxed);
    }
}

impl Faults for Outage {
    fn next(&self, operation: Operation, key: &str) -> Fault {
        if self.0.is_down.load(Ordering::Relaxed) {
            return Fault::Refused;
        }
        let percent = self.0.percent.load(Ordering::Relaxed);
        RandomFaults { rng: self.0.rng.clone(), percent, delay: DELAY }.next(operation, key)
    }
}

/// An empty bucket in memory.
pub(crate) fn memory_bucket(clock: &Clock, rng: &Rng, outage: &Outage) -> Bucket {
    let config = BucketConfig::new("memory://");
    let bucket = Bucket::open(config, clock.clone(), rng, &Registry::new()).unwrap();
    bucket.with_faults(Arc::new(outage.clone()))
}
