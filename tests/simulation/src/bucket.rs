//! A bucket that can be out of reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bucket::{Bucket, BucketConfig, Fault, Faults, Operation};
use stdx::{Clock, Rng};
use telemetry::Registry;

/// Lets a bucket fail for a while. Clones share it.
#[derive(Clone, Default)]
pub struct Outage(Arc<AtomicBool>);

impl Outage {
    /// From now on every try is refused, or none is.
    pub fn set(&self, is_down: bool) {
        self.0.store(is_down, Ordering::Relaxed);
    }
}

impl Faults for Outage {
    fn next(&self, _: Operation, _: &str) -> Fault {
        if self.0.load(Ordering::Relaxed) { Fault::Refused } else { Fault::None }
    }
}

/// An empty bucket in memory.
pub(crate) fn memory_bucket(clock: &Clock, rng: &Rng, outage: &Outage) -> Bucket {
    let config = BucketConfig::new("memory://");
    let bucket = Bucket::open(config, clock.clone(), rng, &Registry::new()).unwrap();
    bucket.with_faults(Arc::new(outage.clone()))
}
