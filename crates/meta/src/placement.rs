//! Which replicas there should be: the state in, moves out.

mod by_hand;
mod slots;

use std::collections::{BTreeMap, BTreeSet};

use model::{NodeId, ShardId};
use ring::Shard;

use crate::state::{ClusterState, Node, NodeState};

pub(crate) use by_hand::ordered;
pub(crate) use slots::{ShardLoad, hot_shards, ordered as slot_ordered, settled, slot_to_move};

/// How many nodes hold meta, as far as there are nodes.
pub(crate) const META_VOTERS: usize = 3;

/// What a shard without series costs, its log and its group: as much as so many series.
const EMPTY_SHARD: f64 = 1000.0;

/// A replica moves to a less loaded node if their loads differ by so many times its weight: less would only go to and fro.
const WORTH: f64 = 1.5;

/// The shards that are to change, meta included, at most `room` of those that do not move yet. Pure.
///
/// In this order: replicas on nodes that take no part any more are replaced, and missing ones are added; replicas that share a
/// zone go to zones that have none; replicas go from nodes with a high load to nodes with a low one, by the series that each
/// shard has (`series`); leaders are spread. What an operator placed by hand is only repaired. A move that is under way goes on, unless the node that joins is lost.
///
/// A shard whose nodes are all gone is left alone: its data are gone with them.
pub(crate) fn changes(state: &ClusterState, series: &BTreeMap<ShardId, u64>, room: usize) -> BTreeMap<ShardId, Shard> {
    let (Some(map), Some(birth)) = (&state.shard_map, state.birth) else { return BTreeMap::new() };
    let mut plan = Plan::new(state, &map.shards, series, room);
    for id in map.shards.keys() {
        let count = if *id == ShardId::META { META_VOTERS } else { birth.replication as usize };
        plan.repair(*id, count);
    }
    map.shards.keys().for_each(|id| plan.spread_over_zones(*id));
    plan.balance_replicas();
    plan.balance_leaders();
    plan.changed
}

/// Whether a silent node can be replaced: every shard that it holds has most of its replicas, and the copies that it is to
/// have fit on the nodes that were heard of. Pure.
pub(crate) fn can_do_without(state: &ClusterState, lost: NodeId, heard: &BTreeSet<NodeId>) -> bool {
    let (Some(map), Some(birth)) = (&state.shard_map, state.birth) else { return false };
    let mut held = map.shards.values().filter(|shard| shard.replicas.contains(&lost));
    let has_most = |shard: &Shard| {
        let there = shard.replicas.iter().filter(|node| heard.contains(node)).count();
        2 * there > shard.replicas.len()
    };
    heard.len() >= birth.replication as usize && held.all(has_most)
}

/// What is planned so far.
struct Plan<'a> {
    state: &'a ClusterState,
    /// All shards as they will be.
    shards: BTreeMap<ShardId, Shard>,
    weights: BTreeMap<ShardId, f64>,
    /// What each node that takes part has to carry when all moves are over.
    loads: BTreeMap<NodeId, f64>,
    changed: BTreeMap<ShardId, Shard>,
    room: usize,
}

impl<'a> Plan<'a> {
    fn new(
        state: &'a ClusterState,
        shards: &BTreeMap<ShardId, Shard>,
        series: &BTreeMap<ShardId, u64>,
        room: usize,
    ) -> Self {
        let weights = weights(shards.keys().copied(), series);
        let mut loads: BTreeMap<NodeId, f64> = state.nodes_up().map(|(node, _)| (node, 0.0)).collect();
        for (id, shard) in shards {
            for node in shard.wanted() {
                loads.entry(node).and_modify(|load| *load += weights[id]);
            }
        }
        Self { state, shards: shards.clone(), weights, loads, changed: BTreeMap::new(), room }
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.loads.contains_key(&node)
    }

    fn node(&self, node: NodeId) -> &Node {
        &self.state.nodes[&node]
    }

    /// Whether a shard does not move, and could: all who hold it take part.
    fn is_settled(&self, shard: &Shard) -> bool {
        !shard.is_moving() && shard.replicas.iter().all(|node| self.is_up(*node))
    }

    fn zone(&self, node: NodeId) -> Zone<'_> {
        zone(self.state, node)
    }

    fn zones(&self, nodes: &[NodeId]) -> BTreeSet<Zone<'_>> {
        zones(self.state, nodes)
    }

    /// Plans that a shard goes to other nodes; `false` if there is no room for another move.
    fn lead(&mut self, id: ShardId, wanted: &[NodeId]) -> bool {
        let shard = &self.shards[&id];
        // Where a move that is under way is turned back nobody knows how far it came. Whoever was to join may have a vote, and
        // must not believe that it holds nothing; whoever was to leave may have left, and has to be let in again.
        let stays = |node: &NodeId| {
            shard.replicas.contains(node) && !shard.leaving.contains(node) && !shard.joining.contains(node)
        };
        let forgets = stdx::makes_mistake("forget who was to join");
        let stranded =
            shard.joining.iter().filter(|node| !forgets && !wanted.contains(node) && !shard.replicas.contains(node));
        let replicas: Vec<NodeId> = shard.replicas.iter().chain(stranded).copied().collect();
        let next = Shard {
            joining: wanted.iter().copied().filter(|node| !stays(node)).collect(),
            leaving: replicas.iter().copied().filter(|node| !wanted.contains(node)).collect(),
            rebuilding: shard.rebuilding.iter().copied().filter(|node| self.is_up(*node)).collect(),
            replicas,
            ..shard.clone()
        };
        if next == *shard {
            return true;
        }
        // What the operator wanted can't be had.
        let next = Shard { by_hand: false, ..next };
        if !shard.is_moving() {
            let Some(room) = self.room.checked_sub(1) else { return false };
            self.room = room;
        }
        let weight = self.weights[&id];
        for (nodes, sign) in [(shard.wanted(), -1.0), (next.wanted(), 1.0)] {
            for node in nodes {
                self.loads.entry(node).and_modify(|load| *load += sign * weight);
            }
        }
        self.shards.insert(id, next.clone());
        self.changed.insert(id, next);
        true
    }

    /// Replaces replicas on nodes that take no part, adds missing ones, and takes superfluous ones away.
    fn repair(&mut self, id: ShardId, count: usize) {
        let shard = &self.shards[&id];
        if shard.forced {
            return;
        }
        let has_data = |node: &NodeId| self.node(*node).state != NodeState::Gone;
        if !shard.replicas.iter().any(has_data) {
            return;
        }
        let mut wanted: Vec<NodeId> = shard.wanted().into_iter().filter(|node| self.is_up(*node)).collect();
        // Nodes that build their replica anew come back: their places are taken.
        let rebuilt: Vec<NodeId> = shard.rebuilding.iter().copied().filter(|node| self.is_up(*node)).collect();
        while wanted.len() + rebuilt.len() > count {
            let Some(surplus) = self.surplus(&wanted) else { break };
            wanted.retain(|node| *node != surplus);
        }
        while wanted.len() + rebuilt.len() < count {
            let held = [&wanted[..], &rebuilt[..]].concat();
            let Some(best) = self.best(&held, |_| true) else { break };
            wanted.push(best);
        }
        // Nodes that are all to be emptied keep what nobody else could take.
        if !wanted.is_empty() {
            self.lead(id, &wanted);
        }
    }

    /// The least loaded node that is none of `held`, in a zone without one of these if there is such a node.
    fn best(&self, held: &[NodeId], accept: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let zones = self.zones(held);
        let free = self.loads.iter().filter(|(node, _)| !held.contains(node) && accept(**node));
        let order = |node: NodeId, load: f64| (zones.contains(&self.zone(node)), load, node);
        let best = free.min_by(|(a, a_load), (b, b_load)| {
            let (a, b) = (order(**a, **a_load), order(**b, **b_load));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2))
        });
        best.map(|(node, _)| *node)
    }

    /// The one of these nodes that is missed least: in a zone with another one if there is such a node, and the most loaded.
    fn surplus(&self, held: &[NodeId]) -> Option<NodeId> {
        let shares = |node: NodeId| held.iter().filter(|other| self.zone(**other) == self.zone(node)).count() > 1;
        let load = |node: NodeId| self.loads.get(&node).copied().unwrap_or(f64::INFINITY);
        let worst = |a: &NodeId, b: &NodeId| shares(*a).cmp(&shares(*b)).then(load(*a).total_cmp(&load(*b)));
        held.iter().copied().max_by(worst)
    }

    /// Where two replicas share a zone and another zone has none, one of them goes there.
    fn spread_over_zones(&mut self, id: ShardId) {
        let shard = &self.shards[&id];
        let held = shard.wanted();
        let zones = self.zones(&held);
        if !self.is_settled(shard) || shard.by_hand || zones.len() == held.len() {
            return;
        }
        let elsewhere = self.best(&held, |node| !zones.contains(&self.zone(node)));
        if let (Some(to), Some(from)) = (elsewhere, self.surplus(&held)) {
            self.lead(id, &swapped(&held, from, to));
        }
    }

    /// Lets replicas go from loaded nodes to less loaded ones, as long as that is worth it.
    fn balance_replicas(&mut self) {
        while self.room > 0 {
            let Some((id, wanted)) = self.best_move() else { return };
            if !self.lead(id, &wanted) {
                return;
            }
        }
    }

    /// The move that evens loads out most: it takes most away from the sum of their squares.
    fn best_move(&self) -> Option<(ShardId, Vec<NodeId>)> {
        let mut best: Option<(f64, ShardId, NodeId, NodeId)> = None;
        let may_move = |id: ShardId, shard: &Shard| id != ShardId::META && self.is_settled(shard) && !shard.by_hand;
        for (id, shard) in self.shards.iter().filter(|(id, shard)| may_move(**id, shard)) {
            let weight = self.weights[id];
            for from in &shard.replicas {
                for (to, load) in self.loads.iter().filter(|(to, _)| !shard.replicas.contains(to)) {
                    let surplus = self.loads.get(from).map_or(0.0, |from| from - load);
                    let gain = weight * (surplus - weight);
                    let is_better = surplus >= WORTH * weight && best.is_none_or(|(most, ..)| gain > most);
                    if is_better && self.keeps_zones(&shard.replicas, *from, *to) {
                        best = Some((gain, *id, *from, *to));
                    }
                }
            }
        }
        best.map(|(_, id, from, to)| (id, swapped(&self.shards[&id].replicas, from, to)))
    }

    fn keeps_zones(&self, held: &[NodeId], from: NodeId, to: NodeId) -> bool {
        self.zones(&swapped(held, from, to)).len() >= self.zones(held).len()
    }

    /// Lets other replicas be the preferred leaders where one node has two more than another one.
    fn balance_leaders(&mut self) {
        let mut led: BTreeMap<NodeId, usize> = self.loads.keys().map(|node| (*node, 0)).collect();
        for shard in self.shards.values() {
            shard.wanted().first().and_then(|node| led.get_mut(node)).into_iter().for_each(|count| *count += 1);
        }
        let settled: Vec<ShardId> = self
            .shards
            .iter()
            .filter(|(_, shard)| self.is_settled(shard) && !shard.by_hand)
            .map(|(id, _)| *id)
            .collect();
        for id in settled.into_iter().filter(|id| *id != ShardId::META) {
            let replicas = &self.shards[&id].replicas;
            let Some(heir) = replicas.iter().copied().min_by_key(|node| led[node]) else { continue };
            if self.room == 0 || led[&replicas[0]] < led[&heir] + 2 {
                continue;
            }
            self.room -= 1;
            led.entry(replicas[0]).and_modify(|count| *count -= 1);
            led.entry(heir).and_modify(|count| *count += 1);
            let mut next = self.shards[&id].clone();
            next.replicas.retain(|node| *node != heir);
            next.replicas.insert(0, heir);
            self.shards.insert(id, next.clone());
            self.changed.insert(id, next);
        }
    }
}

/// What fails together with a node: it alone if it is in no zone.
type Zone<'a> = (&'a str, Option<NodeId>);

fn zone(state: &ClusterState, node: NodeId) -> Zone<'_> {
    let zone = state.nodes[&node].zone.as_str();
    (zone, zone.is_empty().then_some(node))
}

fn zones<'a>(state: &'a ClusterState, nodes: &[NodeId]) -> BTreeSet<Zone<'a>> {
    nodes.iter().map(|node| zone(state, *node)).collect()
}

fn swapped(held: &[NodeId], from: NodeId, to: NodeId) -> Vec<NodeId> {
    held.iter().map(|node| if *node == from { to } else { *node }).collect()
}

/// What each shard weighs, in series. Meta weighs nothing: its voters are chosen first.
fn weights(shards: impl Iterator<Item = ShardId>, series: &BTreeMap<ShardId, u64>) -> BTreeMap<ShardId, f64> {
    let weight = |id: ShardId| match id {
        ShardId::META => 0.0,
        _ => EMPTY_SHARD + series.get(&id).copied().unwrap_or(0) as f64,
    };
    shards.map(|id| (id, weight(id))).collect()
}

#[cfg(test)]
mod tests;
