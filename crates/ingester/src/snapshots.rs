//! When a group takes a snapshot.

use std::time::Duration;

use consensus::{Group, StateMachine};
use stdx::Clock;

use crate::metrics::Metrics;

/// How long a group is left alone between two looks at how much it has applied.
const LOOK: Duration = Duration::from_secs(1);

/// Takes a snapshot whenever commands of so many bytes were applied since the last one, so that the log stays short and a
/// restart quick. Returns when the group has stopped.
pub(crate) async fn take_snapshots<S: StateMachine>(group: Group<S>, every_bytes: u64, clock: Clock, metrics: Metrics) {
    let mut applied = group.watch_applied();
    let mut saved_bytes = 0;
    while applied.changed().await.is_ok() {
        let bytes = group.applied_bytes().await;
        if bytes.saturating_sub(saved_bytes) >= every_bytes {
            saved_bytes = bytes;
            metrics.snapshots.inc();
            if group.snapshot().await.is_err() {
                return;
            }
        }
        clock.sleep(LOOK).await;
    }
}
