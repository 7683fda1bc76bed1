//! Which replicas there should be.

use std::collections::{BTreeMap, BTreeSet};

use model::{NodeId, ShardId};

use crate::state::{ClusterState, NodeState};

/// How many nodes hold meta, as far as there are nodes.
pub const META_VOTERS: usize = 3;

/// The replicas that each shard should have, meta included, where they differ from what it has.
///
/// Replicas on nodes that are up stay; those on nodes that are gone are replaced, and missing ones are added, on the least
/// loaded node in a zone that the shard is not in yet, as far as there are such nodes. Pure.
pub fn wanted_replicas(state: &ClusterState) -> BTreeMap<ShardId, Vec<NodeId>> {
    let (Some(map), Some(birth)) = (&state.shard_map, state.birth) else { return BTreeMap::new() };
    let mut load: BTreeMap<NodeId, usize> = state.nodes_up().map(|(node, _)| (node, 0)).collect();
    for shard in map.shards.values() {
        shard.replicas.iter().chain(&shard.joining).for_each(|node| {
            load.entry(*node).and_modify(|count| *count += 1);
        });
    }
    let mut wanted = BTreeMap::new();
    for (id, shard) in &map.shards {
        let count = if *id == ShardId::META { META_VOTERS } else { birth.replication as usize };
        let chosen = fill(state, &shard.replicas, count, &load);
        if chosen != shard.replicas {
            for node in chosen.iter().filter(|node| !shard.replicas.contains(node)) {
                *load.entry(*node).or_default() += 1;
            }
            wanted.insert(*id, chosen);
        }
    }
    wanted
}

/// Those of `held` that are not gone, filled up to `count` with nodes that are up.
fn fill(state: &ClusterState, held: &[NodeId], count: usize, load: &BTreeMap<NodeId, usize>) -> Vec<NodeId> {
    let stays = |node: &NodeId| state.nodes.get(node).is_some_and(|node| node.state != NodeState::Gone);
    let mut chosen: Vec<NodeId> = held.iter().copied().filter(stays).collect();
    while chosen.len() < count {
        let zones: BTreeSet<&str> =
            chosen.iter().map(|node| state.nodes[node].zone.as_str()).filter(|zone| !zone.is_empty()).collect();
        let free = state.nodes_up().filter(|(node, _)| !chosen.contains(node));
        let best = free.min_by_key(|(id, node)| (zones.contains(&*node.zone), load.get(id).copied(), *id));
        let Some((best, _)) = best else { break };
        chosen.push(best);
    }
    // A shard whose nodes are all gone can't be helped from here: its data are gone with them.
    if chosen.iter().any(|node| held.contains(node)) || held.is_empty() { chosen } else { held.to_vec() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ring::{Shard, ShardMap};

    use super::*;
    use crate::state::{Birth, Node};

    fn state(zones: &[(&str, NodeState)], shards: &[&[u64]]) -> ClusterState {
        let node = |(zone, state): &(&str, NodeState)| Node {
            address: String::new(),
            zone: (*zone).to_owned(),
            incarnation: 0,
            state: *state,
            nonce: 0,
        };
        let nodes = (1..).map(NodeId).zip(zones.iter().map(node)).collect();
        let shard = |replicas: &&[u64]| {
            let replicas: Vec<_> = replicas.iter().copied().map(NodeId).collect();
            Shard { born_on: replicas.clone(), replicas, joining: vec![] }
        };
        let shards = (1..).map(ShardId).zip(shards.iter().map(shard)).collect();
        ClusterState {
            nodes: Arc::new(nodes),
            shard_map: Some(Arc::new(ShardMap::born(shards))),
            birth: Some(Birth { shards: 1, replication: 3, block_window_ms: 1 }),
            ..ClusterState::default()
        }
    }

    fn ids(nodes: &[NodeId]) -> Vec<u64> {
        nodes.iter().map(|node| node.0).collect()
    }

    use NodeState::{Gone, Up};

    #[test]
    fn nothing_changes_while_everyone_is_there() {
        let state = state(&[("a", Up), ("b", Up), ("c", Up), ("d", Up)], &[&[1, 2, 3], &[3, 1, 2]]);
        assert!(wanted_replicas(&state).is_empty());
    }

    #[test]
    fn the_gone_are_replaced_in_another_zone_by_the_least_loaded() {
        let zones = [("a", Up), ("b", Gone), ("c", Up), ("a", Up), ("b", Up), ("b", Up)];
        let wanted = wanted_replicas(&state(&zones, &[&[1, 2, 3], &[2, 1, 3], &[1, 3, 5]]));
        assert_eq!(ids(&wanted[&ShardId(1)]), [1, 3, 6], "node 5 has a shard already");
        assert_eq!(ids(&wanted[&ShardId(2)]), [1, 3, 5]);
        assert_eq!(wanted.len(), 2);
    }

    #[test]
    fn shards_grow_to_their_replication_and_no_further() {
        let wanted = wanted_replicas(&state(&[("", Up), ("", Up)], &[&[1]]));
        assert_eq!(ids(&wanted[&ShardId(1)]), [1, 2]);
    }

    #[test]
    fn a_shard_that_lost_everyone_is_left_alone() {
        assert!(wanted_replicas(&state(&[("", Gone), ("", Up)], &[&[1]])).is_empty());
    }

    #[test]
    fn meta_has_three_voters_whatever_the_replication() {
        let mut state = state(&[("a", Gone), ("b", Up), ("c", Up), ("d", Up), ("e", Up)], &[&[2]]);
        let mut map = ShardMap::clone(&state.shard_map.take().unwrap());
        let replicas = vec![NodeId(1), NodeId(2), NodeId(3)];
        map.shards.insert(ShardId::META, Shard { replicas, born_on: vec![], joining: vec![] });
        state.shard_map = Some(Arc::new(map));
        state.birth = Some(Birth { shards: 1, replication: 1, block_window_ms: 1 });
        let wanted = wanted_replicas(&state);
        assert_eq!(ids(&wanted[&ShardId::META]), [2, 3, 4]);
        assert_eq!(wanted.len(), 1);
    }
}
