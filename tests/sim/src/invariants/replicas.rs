//! Replicas that have applied the same have the same, and no change of members is left half done.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use model::{NodeId, ShardId};

use crate::cluster::Cluster;
use crate::universe::Shared;

/// How long followers may take to catch up when nothing more comes in.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn check(shared: &Shared, cluster: &Cluster) {
    let until = shared.clock.now() + LIMIT;
    loop {
        let mut counts: BTreeMap<ShardId, Vec<u64>> = BTreeMap::new();
        let state = shared.outsider.client.state();
        let map = state.shard_map.as_ref().expect("a cluster that was written to has a map");
        // One that was removed does not hear the end of it.
        let mut replicas = cluster.replicas();
        replicas.retain(|(_, node, shard, _)| map.replicas(*shard).contains(node));
        for (_, _, shard, status) in &replicas {
            counts.entry(*shard).or_default().push(status.applied_count);
        }
        let uneven = counts.iter().find(|(_, counts)| counts.iter().any(|count| *count != counts[0]));
        let joint = replicas.iter().find(|(.., status)| status.is_joint);
        if uneven.is_none() && joint.is_none() {
            break;
        }
        if let Some((machine, _, shard, status)) = joint
            && shared.clock.now() > until
        {
            return shared
                .violated(format!("n{machine}: two configurations of shard {shard} are in force: {status:?}"));
        }
        let Some((shard, counts)) = uneven else {
            shared.clock.sleep(PAUSE).await;
            continue;
        };
        if shared.clock.now() > until {
            for (machine, _, _, status) in replicas.iter().filter(|(_, _, of, _)| of == shard) {
                shared.trace.note(format!("n{machine}: {status:?}"));
            }
            let held = &map.shards[shard];
            return shared.violated(format!("replicas of shard {shard} have applied {counts:?} entries: {held:?}"));
        }
        shared.clock.sleep(PAUSE).await;
    }
    check_digests(shared).await;
}

/// Replicas that have hashed their state as of the same entry have the same hash, and all have hashed one.
async fn check_digests(shared: &Shared) {
    let until = shared.clock.now() + LIMIT;
    loop {
        let digests = digests(shared).await;
        for ((shard, count), of) in &digests {
            let is_same = of.iter().all(|(_, digest)| *digest == of[0].1);
            if !is_same {
                return shared.violated(format!("replicas of shard {shard} differ after {count} entries: {of:?}"));
            }
        }
        let state = shared.outsider.client.state();
        let map = state.shard_map.as_ref().expect("a cluster that was written to has a map");
        let is_whole = |shard: &ShardId| digests.iter().any(|((of, _), all)| of == shard && all.len() > 1);
        if map.shards.keys().all(|shard| *shard == ShardId::META || is_whole(shard)) {
            return;
        }
        if shared.clock.now() > until {
            return shared.violated(format!("no replicas have hashed their state: {digests:?}"));
        }
        shared.clock.sleep(Duration::from_millis(500)).await;
    }
}

/// What hashes of each shard meta has heard of, by the number of entries that they are of.
async fn digests(shared: &Shared) -> BTreeMap<(ShardId, u64), Vec<(NodeId, Bytes)>> {
    let mut digests: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let Ok(status) = shared.outsider.client.status(Duration::from_secs(1)).await else { return digests };
    for node in status.nodes {
        let id = NodeId(node.node.map_or(0, |node| node.node_id));
        for replica in node.replicas.into_iter().filter(|replica| replica.digest_count > 0) {
            let of = (ShardId(replica.shard), replica.digest_count);
            digests.entry(of).or_default().push((id, replica.digest));
        }
    }
    digests
}
