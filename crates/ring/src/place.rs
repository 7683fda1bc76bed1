//! Where the replicas of new shards are born.

use std::collections::{BTreeMap, BTreeSet};

use model::{NodeId, ShardId};

/// A node that can hold replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Which node.
    pub node: NodeId,
    /// What fails together with it; empty: nothing else.
    pub zone: String,
}

/// Spreads `shards` shards, numbered from 1, over `hosts`, with `replication` replicas each or as many as there are hosts.
///
/// Replicas of a shard are in different zones as long as there are zones; among equals the least loaded host is chosen, and
/// each host is the preferred leader (the first replica) of about equally many shards.
pub fn place(shards: u32, replication: usize, hosts: &[Host]) -> BTreeMap<ShardId, Vec<NodeId>> {
    let mut replicas: BTreeMap<NodeId, usize> = hosts.iter().map(|host| (host.node, 0)).collect();
    let mut leads = replicas.clone();
    let mut placed = BTreeMap::new();
    for shard in (1..=shards).map(ShardId) {
        let mut chosen: Vec<&Host> = Vec::new();
        while chosen.len() < replication.min(hosts.len()) {
            let zones: BTreeSet<&str> = chosen.iter().map(|host| &*host.zone).filter(|zone| !zone.is_empty()).collect();
            let free = hosts.iter().filter(|host| !chosen.contains(host));
            let best = free.min_by_key(|host| (zones.contains(&*host.zone), replicas[&host.node], host.node));
            let Some(best) = best else { break };
            *replicas.entry(best.node).or_default() += 1;
            chosen.push(best);
        }
        let mut nodes: Vec<_> = chosen.iter().map(|host| host.node).collect();
        if let Some(leader) = (0..nodes.len()).min_by_key(|at| (leads[&nodes[*at]], nodes[*at])) {
            *leads.entry(nodes[leader]).or_default() += 1;
            nodes.swap(0, leader);
        }
        placed.insert(shard, nodes);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(zones: &[&str]) -> Vec<Host> {
        (1..).zip(zones).map(|(node, zone)| Host { node: NodeId(node), zone: (*zone).to_owned() }).collect()
    }

    fn load(placed: &BTreeMap<ShardId, Vec<NodeId>>, of: impl Fn(&[NodeId]) -> &[NodeId]) -> BTreeMap<NodeId, usize> {
        let mut counts = BTreeMap::new();
        for node in placed.values().flat_map(|nodes| of(nodes)) {
            *counts.entry(*node).or_default() += 1;
        }
        counts
    }

    #[test]
    fn one_replica_a_zone_and_even_load() {
        let hosts = hosts(&["a", "a", "b", "b", "c", "c"]);
        let placed = place(64, 3, &hosts);
        let zone = |node: &NodeId| hosts[node.0 as usize - 1].zone.clone();
        for nodes in placed.values() {
            assert_eq!(nodes.iter().map(zone).collect::<BTreeSet<_>>().len(), 3, "{nodes:?}");
        }
        assert!(load(&placed, |nodes| nodes).values().all(|count| *count == 32));
        assert!(load(&placed, |nodes| &nodes[..1]).values().all(|count| (10..=11).contains(count)));
    }

    #[test]
    fn fewer_hosts_hold_fewer_replicas() {
        assert!(place(4, 3, &hosts(&[""])).values().all(|nodes| *nodes == [NodeId(1)]));
        assert!(place(4, 3, &hosts(&["a", "a"])).values().all(|nodes| nodes.len() == 2));
        assert!(place(4, 3, &[]).values().all(Vec::is_empty));
    }
}
