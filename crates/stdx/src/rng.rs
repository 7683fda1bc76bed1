//! Chance as a handle.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// A cheap handle on a seeded random number generator. Not for secrets.
///
/// The same seed and the same calls give the same numbers on every machine and in every version of this crate's user,
/// as long as `fastrand` keeps its algorithm (wyrand); nothing durable may depend on them.
#[derive(Clone, Debug)]
pub struct Rng(Arc<Mutex<fastrand::Rng>>);

impl Rng {
    /// A generator that always gives the same numbers.
    pub fn from_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// A generator seeded by the operating system.
    pub fn from_entropy() -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::new())))
    }

    /// A generator of its own, seeded by this one, so that two parts do not disturb each other's numbers.
    pub fn fork(&self) -> Self {
        Self::from_seed(self.u64())
    }

    /// A number of 64 random bits.
    pub fn u64(&self) -> u64 {
        self.0.lock().u64(..)
    }

    /// A number of 128 random bits.
    pub fn u128(&self) -> u128 {
        self.0.lock().u128(..)
    }

    /// A number in `[0, bound)`.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.0.lock().u64(..bound)
    }

    /// A number in `[0, 1)`.
    pub fn unit(&self) -> f64 {
        self.0.lock().f64()
    }

    /// A duration in `[low, high)`, or `low` when the range is empty.
    pub fn duration(&self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }
}
