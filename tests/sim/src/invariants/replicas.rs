//! Replicas that have applied the same have the same.

use std::collections::BTreeMap;
use std::time::Duration;

use model::ShardId;

use crate::cluster::Cluster;
use crate::universe::Shared;

/// How long followers may take to catch up when nothing more comes in.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn check(shared: &Shared, cluster: &Cluster) {
    let until = shared.clock.now() + LIMIT;
    loop {
        let mut counts: BTreeMap<ShardId, Vec<u64>> = BTreeMap::new();
        let state = shared.outsider.client.state();
        let map = state.shard_map.as_ref().expect("a cluster that was written to has a map");
        let replicas = cluster.replicas();
        for (_, _, shard, status) in replicas.iter().filter(|(_, node, shard, _)| map.replicas(*shard).contains(node)) {
            counts.entry(*shard).or_default().push(status.applied_count);
        }
        let uneven = counts.iter().find(|(_, counts)| counts.iter().any(|count| *count != counts[0]));
        let Some((shard, counts)) = uneven else { return };
        if shared.clock.now() > until {
            for (machine, _, _, status) in replicas.iter().filter(|(_, _, of, _)| of == shard) {
                shared.trace.note(format!("n{machine}: {status:?}"));
            }
            let held = &map.shards[shard];
            return shared.violated(format!("replicas of shard {shard} have applied {counts:?} entries: {held:?}"));
        }
        shared.clock.sleep(Duration::from_millis(50)).await;
    }
}
