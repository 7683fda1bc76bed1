//! What shards are bound by, and how it comes into their state.
//!
//! What is fixed at the birth of a cluster every replica knows by itself. What can be configured a leader writes into the
//! log: as soon as it leads, and whenever its configuration changes. So it is the leader's configuration that counts, and
//! all replicas decide alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consensus::Standing;
use head::HeadLimits;
use meta::Birth;
use prost::Message;
use proto::entry;
use proto::entry::entry::Entry as Command;
use tokio::sync::watch;

use crate::replica::Replica;

/// A late tick is stored up to this part of a block's window, ...
const TICK_WINDOW_PART: i64 = 12;
/// ... within these bounds, in ms.
const TICK_WINDOW_MS: std::ops::RangeInclusive<i64> = 10_000..=600_000;
/// The pause after limits could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// What a data shard is bound by when it is born, in a cluster with this birth.
pub fn limits_of(birth: Birth) -> HeadLimits {
    let window_ms = birth.block_window_ms;
    let tick_window_ms = (window_ms / TICK_WINDOW_PART).clamp(*TICK_WINDOW_MS.start(), *TICK_WINDOW_MS.end());
    HeadLimits { window_ms, tick_window_ms, ..HeadLimits::default() }
}

/// How many exemplars a shard keeps of the number that all `shards` keep together: its share, rounded up.
fn share(max_exemplars: u64, shards: u32) -> u64 {
    max_exemplars.div_ceil(u64::from(shards.max(1)))
}

/// Writes what is configured into the shard whenever this node leads and the shard has it otherwise, for ever.
///
/// `max_exemplars` is how many all `shards` keep together; as long as it is not known, nothing is written.
pub(crate) async fn keep_limits(replica: Arc<Replica>, mut max_exemplars: watch::Receiver<Option<u64>>, shards: u32) {
    loop {
        let Some(led) = replica.group.wait_for(|status| status.standing == Standing::Leader).await else { return };
        let wanted = *max_exemplars.borrow_and_update();
        if let Some(wanted) = wanted.map(|wanted| share(wanted, shards))
            && !write(&replica, wanted).await
        {
            replica.clock().sleep_about(PAUSE).await;
            continue;
        }
        let left = replica.group.wait_for(|status| status.standing != Standing::Leader || status.term != led.term);
        let changed = async {
            if max_exemplars.changed().await.is_err() {
                // Nobody can change it any more, but whoever leads later still has to write it.
                std::future::pending().await
            }
        };
        tokio::select! {
            _ = left => {}
            () = changed => {}
        }
    }
}

/// Whether the shard has the limit now.
async fn write(replica: &Replica, max_exemplars: u64) -> bool {
    let limits = replica.group.view().await.1.limits();
    if limits.max_exemplars == max_exemplars {
        return true;
    }
    let limits = entry::Limits {
        block_window_ms: limits.window_ms,
        tick_window_ms: limits.tick_window_ms,
        out_of_order_window_ms: limits.out_of_order_ms,
        max_exemplars,
    };
    let bytes = Bytes::from(entry::Entry { entry: Some(Command::Limits(limits)) }.encode_to_vec());
    match replica.group.propose(bytes).await {
        Ok(_) => {
            tracing::info!(shard = %replica.shard, max_exemplars, "limits written");
            true
        }
        Err(error) => {
            tracing::warn!(shard = %replica.shard, %error, "limits can't be written yet");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_the_limit_and_none_is_left_without() {
        let shares = [(100_000, 4), (100_000, 64), (3, 64), (0, 64), (5, 0)];
        assert_eq!(shares.map(|(limit, shards)| share(limit, shards)), [25_000, 1563, 1, 0, 5]);
    }
}
