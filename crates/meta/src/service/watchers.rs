//! What those know who follow the cluster's state through this node.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many there are of each feature level. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchers(Arc<Mutex<BTreeMap<u32, usize>>>);

/// One of them, as long as it lives.
#[derive(Debug)]
pub(super) struct Counted {
    watchers: Watchers,
    level: u32,
}

impl Watchers {
    pub(super) fn count(&self, level: u32) -> Counted {
        *self.0.lock().entry(level).or_default() += 1;
        Counted { watchers: self.clone(), level }
    }

    pub(super) fn lowest(&self) -> Option<u32> {
        self.0.lock().keys().next().copied()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.watchers.0.lock();
        if let Some(count) = counts.get_mut(&self.level) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.level);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_counts_as_long_as_it_is_there() {
        let watchers = Watchers::default();
        let (new, old, again) = (watchers.count(2), watchers.count(1), watchers.count(1));
        drop(old);
        assert_eq!(watchers.lowest(), Some(1));
        drop(again);
        assert_eq!(watchers.lowest(), Some(2));
        drop(new);
        assert_eq!(watchers.lowest(), None);
    }
}
