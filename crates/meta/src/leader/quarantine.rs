//! Replicas that can't be relied on are built anew: those that differ from most, and those whose disk is damaged.

use std::collections::{BTreeMap, BTreeSet};

use model::{NodeId, ShardId};
use proto::meta;
use proto::meta::place_request::Order;
use ring::Shard;

use super::Leader;
use crate::digests::{Digest, different};
use crate::state::ClusterState;

impl Leader {
    /// Has one replica of each shard that has such a replica built anew, if the shard can do without it and at most `room`
    /// shards do not move yet.
    pub(super) async fn rebuild_unreliable(&self, state: &ClusterState, room: usize) {
        let Some(map) = &state.shard_map else { return };
        let reports = self.reports();
        let unreliable = map.shards.iter().filter(|(_, shard)| !shard.is_moving()).filter_map(|(id, shard)| {
            let (node, why) = unreliable(shard, reports.get(id)?)?;
            Some((*id, node, why))
        });
        let mut left = room;
        for (shard, node, why) in unreliable {
            if left == 0 {
                return;
            }
            let request = meta::PlaceRequest { shard: shard.0, order: Some(Order::Rebuild(node.0)) };
            match self.place(state, request).await {
                Ok(_) => {
                    left -= 1;
                    tracing::error!(%shard, %node, why, "a replica can't be relied on: it is built anew");
                }
                // It is tried again with the next look.
                Err(error) => tracing::debug!(%shard, %node, why, %error, "a replica can't be built anew yet"),
            }
        }
    }

    /// What the nodes have said of their replicas, by shard.
    fn reports(&self) -> BTreeMap<ShardId, BTreeMap<NodeId, meta::ReplicaStatus>> {
        let mut reports: BTreeMap<ShardId, BTreeMap<NodeId, meta::ReplicaStatus>> = BTreeMap::new();
        for (node, beat) in self.beats() {
            for report in beat.request.replicas {
                reports.entry(ShardId(report.shard)).or_default().insert(node, report);
            }
        }
        reports
    }
}

/// A replica of a shard that can't be relied on, and why not.
fn unreliable(shard: &Shard, reports: &BTreeMap<NodeId, meta::ReplicaStatus>) -> Option<(NodeId, String)> {
    let holders: BTreeSet<NodeId> = shard.replicas.iter().copied().collect();
    let held = || reports.iter().filter(|(node, _)| holders.contains(node));
    if let Some((node, report)) = held().find(|(_, report)| !report.damage.is_empty()) {
        return Some((*node, report.damage.clone()));
    }
    let said = held().filter(|(_, report)| report.digest_count > 0);
    let digests: BTreeMap<NodeId, Digest<'_>> =
        said.map(|(node, report)| (*node, (report.digest_count, &report.digest[..]))).collect();
    let node = different(&digests, holders.len()).into_iter().next()?;
    Some((node, format!("its state differs from that of most after {} entries", digests[&node].0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(digest: &'static [u8], damage: &str) -> meta::ReplicaStatus {
        meta::ReplicaStatus { digest: digest.into(), digest_count: 9, damage: damage.to_owned(), ..Default::default() }
    }

    #[test]
    fn a_replica_that_is_damaged_or_differs_is_found() {
        let shard = Shard::born([1, 2, 3].map(NodeId).to_vec());
        let find = |reports: [meta::ReplicaStatus; 3]| {
            unreliable(&shard, &(1..).map(NodeId).zip(reports).collect()).map(|(node, _)| node.0)
        };
        assert_eq!(find([report(b"x", ""), report(b"x", ""), report(b"x", "")]), None);
        assert_eq!(find([report(b"x", ""), report(b"x", ""), report(b"y", "")]), Some(3));
        assert_eq!(find([report(b"x", ""), report(b"x", "a segment"), report(b"x", "")]), Some(2));
        let elsewhere = BTreeMap::from([(NodeId(4), report(b"y", "a segment"))]);
        assert_eq!(unreliable(&shard, &elsewhere), None, "it has left the shard");
    }
}
