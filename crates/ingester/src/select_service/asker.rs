//! Whoever waits for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whoever waits for an answer, for as long as this lives: it belongs to the future that asks, and work on other threads
/// looks whether it is still there.
#[derive(Debug, Default)]
pub(super) struct Asker {
    has_left: Arc<AtomicBool>,
}

impl Asker {
    /// Tells whether somebody still waits. Cheap.
    pub(super) fn is_waiting(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let has_left = self.has_left.clone();
        move || !has_left.load(Ordering::Relaxed)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.has_left.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_dropped_has_left() {
        let asker = Asker::default();
        let is_waiting = asker.is_waiting();
        assert!(is_waiting());
        drop(asker);
        assert!(!is_waiting());
    }
}
