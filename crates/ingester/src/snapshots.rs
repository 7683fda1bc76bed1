//! When a group takes a snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use consensus::{Group, StateMachine};
use stdx::Clock;

use crate::metrics::Metrics;

/// How long a group is left alone between two looks at how much it has applied.
const LOOK: Duration = Duration::from_secs(1);

/// How much the groups of a node have to replay at most when it starts again.
#[derive(Debug)]
pub(crate) struct ReplayLimit {
    bytes: u64,
    groups: Arc<AtomicU64>,
}

impl ReplayLimit {
    /// All groups that have a share replay so many bytes of entries together: a restart takes as long with many small shards as
    /// with a few large ones.
    pub(crate) fn new(bytes: u64) -> Self {
        Self { bytes, groups: Arc::default() }
    }

    /// The share of one more group.
    pub(crate) fn share(&self) -> ReplayShare {
        self.groups.fetch_add(1, Ordering::Relaxed);
        ReplayShare { all_bytes: self.bytes, groups: self.groups.clone() }
    }
}

/// What one group may have to replay. Others have more once it is dropped.
#[derive(Debug)]
pub(crate) struct ReplayShare {
    all_bytes: u64,
    groups: Arc<AtomicU64>,
}

impl ReplayShare {
    fn bytes(&self) -> u64 {
        self.all_bytes / self.groups.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for ReplayShare {
    fn drop(&mut self) {
        self.groups.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes a snapshot whenever commands of as many bytes as its share were applied since the last one, so that the log stays
/// short and a restart quick. Returns when the group has stopped.
pub(crate) async fn take_snapshots<S: StateMachine>(
    group: Group<S>,
    share: ReplayShare,
    clock: Clock,
    metrics: Metrics,
) {
    let mut applied = group.watch_applied();
    let mut saved_bytes = 0;
    while applied.changed().await.is_ok() {
        let bytes = group.applied_bytes().await;
        if bytes.saturating_sub(saved_bytes) >= share.bytes() {
            saved_bytes = bytes;
            metrics.snapshots.inc();
            if group.snapshot().await.is_err() {
                return;
            }
        }
        clock.sleep_about(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_share_what_may_be_replayed() {
        let limit = ReplayLimit::new(600);
        let first = limit.share();
        assert_eq!(first.bytes(), 600);
        let others = [limit.share(), limit.share()];
        assert_eq!((first.bytes(), others[1].bytes()), (200, 200));
        drop(others);
        assert_eq!(first.bytes(), 600);
    }
}
