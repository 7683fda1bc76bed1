//! What the heads of a node may take in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a series is taken to need: its labels, its place in the index, samples until they are in a file.
///
/// A new one takes less at first. Counted by what it takes then, so many would be let in that their samples did not fit.
const SERIES_BYTES: u64 = 600;

/// Decides whether new series are let in. Cheap to clone.
///
/// The heads are measured every few seconds, for that takes a walk over all of them. In between ten times as many series as
/// there is room for may come in one scrape, so each is counted, by an estimate, from the moment it is let in; and so are those
/// that are let in meanwhile by the leaders of the other shards of this node.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit_bytes: u64,
    /// What the heads were found to take, or what their series will need if that is more.
    needed_bytes: AtomicU64,
    /// For series that were let in and are not measured yet.
    promised_bytes: AtomicU64,
    /// How many series come to this node for each that it lets in.
    copies: AtomicU64,
    /// Whether series were refused since the last measurement, and whether that was told.
    has_refused: AtomicBool,
    is_told: AtomicBool,
}

/// What had been promised when a measurement began: it finds these series.
#[derive(Debug)]
pub(crate) struct Promised(u64);

impl MemoryBudget {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self(Arc::new(Inner {
            limit_bytes,
            needed_bytes: AtomicU64::new(0),
            promised_bytes: AtomicU64::new(0),
            copies: AtomicU64::new(1),
            has_refused: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
        }))
    }

    pub(crate) fn limit_bytes(&self) -> u64 {
        self.0.limit_bytes
    }

    /// Lets a record in that may bring so many new series, or says why its new series are refused.
    ///
    /// A record whose series may all be known asks for none; what is new in it all the same is refused while memory is over.
    pub(crate) fn admit(&self, new_series: u32) -> Result<(), String> {
        let wanted = u64::from(new_series) * SERIES_BYTES * self.0.copies.load(Ordering::Relaxed);
        let (needed, limit) = (self.0.needed_bytes.load(Ordering::Relaxed), self.0.limit_bytes);
        // Never promised for a moment and taken back: a measurement that began in between would count it as found.
        let promise = |promised| Some(promised + wanted).filter(|promised| needed.saturating_add(*promised) <= limit);
        match self.0.promised_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, promise) {
            Ok(_) => Ok(()),
            Err(promised) => {
                self.0.has_refused.store(true, Ordering::Relaxed);
                Err(format!(
                    "the node's heads need {needed} bytes, new series up to {promised} more, and may take {limit}"
                ))
            }
        }
    }

    /// To be called before the heads are measured.
    pub(crate) fn begin(&self) -> Promised {
        Promised(self.0.promised_bytes.load(Ordering::Relaxed))
    }

    /// Takes down that this node has so many shards, of which it leads some. Leaders elsewhere see their own nodes: of what comes
    /// to all shards alike, this node lets in only its part.
    pub(crate) fn holds(&self, shards: usize, led: usize) {
        self.0.copies.store(shards.div_ceil(led.max(1)).max(1) as u64, Ordering::Relaxed);
    }

    /// Takes down what the heads take and how many series they have, as it was measured since [`Self::begin`].
    pub(crate) fn measured(&self, bytes: u64, series: u64, Promised(found): Promised) {
        self.0.needed_bytes.store(bytes.max(series * SERIES_BYTES), Ordering::Relaxed);
        self.0.promised_bytes.fetch_sub(found, Ordering::Relaxed);
        let has_refused = self.0.has_refused.swap(false, Ordering::Relaxed);
        if self.0.is_told.swap(has_refused, Ordering::Relaxed) != has_refused {
            let limit_bytes = self.0.limit_bytes;
            tracing::warn!(bytes, limit_bytes, refused = has_refused, "memory for new series");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_count_from_the_moment_they_are_let_in() {
        let budget = MemoryBudget::new(100 * SERIES_BYTES);
        budget.admit(60).unwrap();
        let refused = budget.admit(60).unwrap_err();
        assert!(refused.contains("60000"), "the limit is named: {refused}");
        budget.admit(40).unwrap();
        budget.admit(0).unwrap();

        let found = budget.begin();
        budget.admit(1).unwrap_err();
        budget.measured(10 * SERIES_BYTES, 30, found);
        let found = budget.begin();
        budget.admit(50).unwrap();
        budget.measured(30 * SERIES_BYTES, 10, found);
        budget.admit(30).unwrap_err();
        budget.admit(20).unwrap();

        let found = budget.begin();
        budget.measured(101 * SERIES_BYTES, 10, found);
        budget.admit(0).unwrap_err();
    }

    #[test]
    fn room_is_left_for_what_other_leaders_let_in() {
        let budget = MemoryBudget::new(100 * SERIES_BYTES);
        for (shards, led, fitting) in [(0, 0, 100), (1, 1, 100), (3, 1, 33), (4, 3, 50), (2, 0, 50)] {
            budget.holds(shards, led);
            budget.admit(fitting + 1).unwrap_err();
            budget.admit(fitting).unwrap();
            let found = budget.begin();
            budget.measured(0, 0, found);
        }
    }
}
