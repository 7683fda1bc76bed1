//! Everything that a store can do wrong, for tests.

use std::time::Duration;

use bytes::Bytes;
use stdx::Rng;

use crate::Operation;

/// What goes wrong with one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It begins so much later.
    Slow(Duration),
    /// It is refused and not done, as by a store that answers 503.
    Refused,
    /// It is done, and nobody hears of it.
    LostReply,
    /// Of what was read the second half is missing.
    Short,
}

/// Decides what goes wrong. Asked once for each try.
pub trait Faults: Send + Sync {
    /// What goes wrong with the next try.
    fn next(&self, operation: Operation, key: &str) -> Fault;
}

/// Things go wrong by chance.
#[derive(Clone, Debug)]
pub struct RandomFaults {
    /// Where chance comes from.
    pub rng: Rng,
    /// How many of 100 tries go wrong, in one way or another.
    pub percent: u64,
    /// How late what is slow begins.
    pub delay: Duration,
}

impl Faults for RandomFaults {
    fn next(&self, _operation: Operation, _key: &str) -> Fault {
        if self.rng.below(100) >= self.percent {
            return Fault::None;
        }
        match self.rng.below(4) {
            0 => Fault::Slow(self.delay),
            1 => Fault::Refused,
            2 => Fault::LostReply,
            _ => Fault::Short,
        }
    }
}

impl Fault {
    /// What is left of an answer.
    pub(crate) fn apply(self, bytes: Bytes) -> Bytes {
        if self == Self::Short { bytes.slice(..bytes.len() / 2) } else { bytes }
    }
}
