//! What operators say about replicas and leaders: an order in, the shard as it is to become out.

use model::{NodeId, ShardId};
use proto::meta::place_request::Order;
use proto::meta::{MoveReplica, RecoverShard, Release};
use ring::{Host, Shard, place};

use super::{swapped, zones};
use crate::state::{ClusterState, NodeState};

/// What becomes of a shard by an order. One that was taken before changes nothing. Pure.
///
/// # Errors
/// Why it can't be done, for whoever gave the order.
pub(crate) fn ordered(state: &ClusterState, id: ShardId, order: &Order) -> Result<Shard, String> {
    let map = state.shard_map.as_ref().ok_or("the cluster is not born yet")?;
    let shard = map.shards.get(&id).ok_or_else(|| format!("there is no shard {id}"))?;
    match *order {
        Order::Move(MoveReplica { from, to, force }) => moved(state, id, shard, NodeId(from), NodeId(to), force),
        Order::Lead(node) => led(state, id, shard, NodeId(node)),
        Order::Rebuild(node) => rebuilt(state, id, shard, NodeId(node)),
        Order::Recover(RecoverShard { survivor: 0 }) => begun_anew(state, id, shard),
        Order::Recover(RecoverShard { survivor }) => forced(state, id, shard, NodeId(survivor)),
        Order::Release(Release {}) => Ok(Shard { by_hand: false, ..shard.clone() }),
    }
}

fn moved(
    state: &ClusterState,
    id: ShardId,
    shard: &Shard,
    from: NodeId,
    to: NodeId,
    force: bool,
) -> Result<Shard, String> {
    let is_under_way = shard.joining == [to] && shard.leaving == [from];
    let is_done = !shard.is_moving() && shard.replicas.contains(&to) && !shard.replicas.contains(&from);
    if from != to && (is_under_way || is_done) {
        return Ok(shard.clone());
    }
    is_settled(id, shard)?;
    takes_part(state, to)?;
    holds(id, shard, from)?;
    if shard.replicas.contains(&to) {
        return Err(format!("node {to} holds a replica of shard {id} already"));
    }
    let next = swapped(&shard.replicas, from, to);
    if zones(state, &next).len() < zones(state, &shard.replicas).len() && !force {
        let zone = &state.nodes[&to].zone;
        return Err(format!(
            "zone {zone:?} of node {to} holds a replica of shard {id} already, and both would fail together; --force moves it all the same"
        ));
    }
    Ok(Shard { joining: vec![to], leaving: vec![from], by_hand: true, ..shard.clone() })
}

fn led(state: &ClusterState, id: ShardId, shard: &Shard, node: NodeId) -> Result<Shard, String> {
    takes_part(state, node)?;
    holds(id, shard, node)?;
    if shard.leaving.contains(&node) {
        return Err(format!("node {node} is about to leave shard {id}"));
    }
    let others = shard.replicas.iter().copied().filter(|other| *other != node);
    Ok(Shard { replicas: std::iter::once(node).chain(others).collect(), by_hand: true, ..shard.clone() })
}

fn rebuilt(state: &ClusterState, id: ShardId, shard: &Shard, node: NodeId) -> Result<Shard, String> {
    if id == ShardId::META {
        return Err("a replica of meta can't be built anew in its place: move it to another node".to_owned());
    }
    if shard.rebuilding == [node] {
        return Ok(shard.clone());
    }
    is_settled(id, shard)?;
    takes_part(state, node)?;
    holds(id, shard, node)?;
    // The others must be able to let it go, and to take it in again, without it.
    if shard.replicas.len() < 3 {
        let count = shard.replicas.len();
        return Err(format!("shard {id} has {count} replicas, and needs that of node {node} for a majority"));
    }
    Ok(Shard { leaving: vec![node], rebuilding: vec![node], ..shard.clone() })
}

/// The replicas whose nodes may come back: their identities have not ended.
fn living(state: &ClusterState, shard: &Shard) -> Vec<u64> {
    let lives = |node: &&NodeId| state.nodes.get(node).is_some_and(|known| known.state != NodeState::Gone);
    shard.replicas.iter().filter(lives).map(|node| node.0).collect()
}

/// A shard that goes on with one of its replicas, and lets others in when that one leads.
fn forced(state: &ClusterState, id: ShardId, shard: &Shard, survivor: NodeId) -> Result<Shard, String> {
    if id == ShardId::META {
        return Err("meta takes orders only if it has a majority, and then there is nothing to recover".to_owned());
    }
    if shard.forced && shard.replicas == [survivor] {
        return Ok(shard.clone());
    }
    takes_part(state, survivor)?;
    holds(id, shard, survivor)?;
    let living = living(state, shard);
    if 2 * living.len() > shard.replicas.len() {
        return Err(format!(
            "nodes {living:?} may still have most replicas of shard {id}: start them, or end the identities of those that are lost with `ringwood ctl remove NODE --force`"
        ));
    }
    Ok(Shard { forced: true, born_on: Vec::new(), ..Shard::born(vec![survivor]) })
}

/// A shard that nobody has any more, on other nodes and empty.
fn begun_anew(state: &ClusterState, id: ShardId, shard: &Shard) -> Result<Shard, String> {
    let living = living(state, shard);
    if id == ShardId::META || !living.is_empty() {
        return Err(format!(
            "nodes {living:?} may still have shard {id}: start them, let one be the survivor, or end the identities of those that are lost with `ringwood ctl remove NODE --force`"
        ));
    }
    let hosts: Vec<Host> = state.nodes_up().map(|(node, known)| Host { node, zone: known.zone.clone() }).collect();
    let replication = state.birth.map_or(1, |birth| birth.replication as usize);
    let homes = place(id.0, replication, &hosts).remove(&id).unwrap_or_default();
    if homes.is_empty() { Err("no node takes part".to_owned()) } else { Ok(Shard::born(homes)) }
}

fn is_settled(id: ShardId, shard: &Shard) -> Result<(), String> {
    match shard.is_moving() {
        false => Ok(()),
        true => {
            Err(format!("the replicas of shard {id} are moving already: `ringwood ctl shards` shows how far they are"))
        }
    }
}

fn takes_part(state: &ClusterState, node: NodeId) -> Result<(), String> {
    let known = state.nodes.get(&node).ok_or_else(|| format!("node {node} was never part of this cluster"))?;
    match known.state {
        NodeState::Up => Ok(()),
        NodeState::Draining => {
            Err(format!("node {node} is being emptied; `ringwood ctl drain {node} --cancel` takes it back"))
        }
        NodeState::Gone => Err(format!("the identity of node {node} has ended")),
    }
}

fn holds(id: ShardId, shard: &Shard, node: NodeId) -> Result<(), String> {
    match shard.replicas.contains(&node) {
        true => Ok(()),
        false => Err(format!("node {node} holds no replica of shard {id}, which is on {:?}", ids(&shard.replicas))),
    }
}

fn ids(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.0).collect()
}
