//! Orders to meta, and how far they are.

use std::time::Duration;

use model::{NodeId, ShardId};
use proto::ingest::TransferLeaderRequest;
use proto::ingest::ingest_client::IngestClient;
use proto::meta::place_request::Order;
use proto::meta::{MoveReplica, Release};
use serde_json::{Value, json};
use transport::deadline;

use super::cluster::{Cluster, ORDER_LIMIT, failed};
use super::{Answer, progress};
use crate::flags::Output;

/// The pause between two looks at how far an order is.
const LOOK: Duration = Duration::from_millis(250);
/// How long a shard may take to change its leader: a new one is elected in less than two seconds.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(15);
/// A leader that was asked to hand over is asked again after so many looks.
const LOOKS_PER_REQUEST: u32 = 8;

/// Has a node emptied, and tells how far that is.
pub(super) async fn drain(cluster: &Cluster, node: NodeId, cancel: bool, output: Output) -> Result<Answer, String> {
    let drained = cluster.client.drain(node, cancel, ORDER_LIMIT).await;
    drained.map_err(|error| failed(&format!("drain node {node}"), &error))?;
    if cancel {
        let data = json!({"node": node.0, "state": "up"});
        return Ok(Answer::good(data, format!("node {node} takes part again\n")));
    }
    let mut states = cluster.client.watch();
    let mut told = None;
    loop {
        let state = states.borrow_and_update().clone();
        let is_draining = state.nodes.get(&node).is_some_and(|node| node.state == meta::NodeState::Draining);
        let held = state.replicas_on(node);
        match told {
            _ if is_draining && held == 0 => {
                let data = json!({"node": node.0, "state": "draining", "replicas": 0});
                return Ok(Answer::good(data, format!("node {node} is empty: it can be ended, and then removed\n")));
            }
            _ if is_draining && told != Some(held) => {
                progress(output, &format!("node {node} holds {held} replicas"));
                told = Some(held);
            }
            Some(_) if !is_draining => return Err(format!("node {node} is not to be emptied any more")),
            // Nothing is new, or what came first does not know of the order yet.
            _ => {}
        }
        states.changed().await.map_err(|_| "the client of meta ended".to_owned())?;
    }
}

/// Ends the identity of a node.
pub(super) async fn remove(cluster: &Cluster, node: NodeId, force: bool) -> Result<Answer, String> {
    let removed = cluster.client.remove(node, force, ORDER_LIMIT).await;
    removed.map_err(|error| failed(&format!("remove node {node}"), &error))?;
    Ok(Answer::good(json!({"node": node.0, "state": "gone"}), format!("node {node} is removed\n")))
}

/// Lets a node lead a shard. Meta writes it down, so that the leader that is there hands over whenever it can; it is asked to
/// do so at once.
pub(super) async fn transfer_leader(cluster: &Cluster, shard: ShardId, node: NodeId) -> Result<Answer, String> {
    let what = format!("let node {node} lead shard {shard}");
    let version = cluster.client.place(shard, Order::Lead(node.0), ORDER_LIMIT).await;
    cluster.client.reached(version.map_err(|error| failed(&what, &error))?).await;
    let until = cluster.clock.now() + HAND_OVER_LIMIT;
    for look in 0u32.. {
        let leader = leader_of(&cluster.status().await?, shard);
        if leader == Some(node) {
            let data = json!({"shard": shard.0, "leader": node.0});
            return Ok(Answer::good(data, format!("node {node} leads shard {shard}\n")));
        }
        if cluster.clock.now() >= until {
            break;
        }
        if let Some(connection) = leader
            .filter(|_| look.is_multiple_of(LOOKS_PER_REQUEST) && shard != ShardId::META)
            .and_then(|leader| cluster.nodes.client(leader))
        {
            let request = TransferLeaderRequest { shard: shard.0, to: node.0 };
            let mut connection = IngestClient::new(connection);
            // It may lead no more by now: the next look shows it.
            drop(deadline(&cluster.clock, ORDER_LIMIT, connection.transfer_leader(request)).await);
        }
        cluster.clock.sleep(LOOK).await;
    }
    Err(format!(
        "node {node} does not lead shard {shard} yet. It is written down: whoever leads hands over when it can"
    ))
}

/// Who leads a shard, as far as nodes say. Those whose identity has ended have said it before, and of others the last elected
/// one counts.
pub(super) fn leader_of(status: &Value, shard: ShardId) -> Option<NodeId> {
    let nodes = status["nodes"].as_array().into_iter().flatten().filter(|node| node["state"] != "gone");
    let leads = |replica: &&Value| replica["shard"] == shard.0 && replica["isLeader"] == true;
    let claims = nodes.filter_map(|node| {
        let replica = node["replicas"].as_array()?.iter().find(leads)?;
        Some((replica["term"].as_u64(), node["id"].as_u64()?))
    });
    claims.max().map(|(_, node)| NodeId(node))
}

/// Moves a replica, and tells how far that is.
pub(super) async fn move_replica(
    cluster: &Cluster,
    shard: ShardId,
    order: MoveReplica,
    output: Output,
) -> Result<Answer, String> {
    let MoveReplica { from, to, .. } = order;
    let placed = cluster.client.place(shard, Order::Move(order), ORDER_LIMIT).await;
    placed.map_err(|error| failed(&format!("move shard {shard} from node {from} to node {to}"), &error))?;
    let replicas = settle(cluster, shard, output).await?;
    if !replicas.contains(&to) || replicas.contains(&from) {
        return Err(format!(
            "shard {shard} is on {replicas:?} now: placement had to go another way, most likely because a node was lost"
        ));
    }
    let data = json!({"shard": shard.0, "replicas": replicas});
    Ok(Answer::good(data, format!("shard {shard} is on nodes {replicas:?}\n")))
}

/// Has a replica built anew, and tells how far that is.
pub(super) async fn rebuild(cluster: &Cluster, shard: ShardId, node: NodeId, output: Output) -> Result<Answer, String> {
    let placed = cluster.client.place(shard, Order::Rebuild(node.0), ORDER_LIMIT).await;
    placed.map_err(|error| failed(&format!("build the replica of shard {shard} on node {node} anew"), &error))?;
    let replicas = settle(cluster, shard, output).await?;
    if !replicas.contains(&node.0) {
        return Err(format!(
            "shard {shard} is on {replicas:?} now: node {node} was lost, and another one took its place"
        ));
    }
    let data = json!({"shard": shard.0, "replicas": replicas});
    Ok(Answer::good(data, format!("the replica of shard {shard} on node {node} is new\n")))
}

/// Lets placement move a shard again.
pub(super) async fn release(cluster: &Cluster, shard: ShardId) -> Result<Answer, String> {
    let placed = cluster.client.place(shard, Order::Release(Release {}), ORDER_LIMIT).await;
    placed.map_err(|error| failed(&format!("release shard {shard}"), &error))?;
    Ok(Answer::good(json!({"shard": shard.0, "byHand": false}), format!("shard {shard} may be moved again\n")))
}

/// Waits until a shard moves no more, telling what is new; returns who holds it then.
async fn settle(cluster: &Cluster, shard: ShardId, output: Output) -> Result<Vec<u64>, String> {
    let mut told = String::new();
    loop {
        let status =
            cluster.status().await.map_err(|error| format!("{error}. What was ordered goes on all the same"))?;
        let Some(now) = status["shards"].as_array().into_iter().flatten().find(|it| it["shard"] == shard.0) else {
            return Err(format!("there is no shard {shard}"));
        };
        let news = under_way(&status, now);
        if news.is_empty() {
            return Ok(ids(&now["replicas"]));
        }
        if news != told {
            progress(output, &format!("shard {shard}: {news}"));
            told = news;
        }
        cluster.clock.sleep(LOOK).await;
    }
}

/// What is under way in a shard, in words; empty if it does not move.
fn under_way(status: &Value, shard: &Value) -> String {
    let entries = |node: &u64, name: &str| {
        let nodes = status["nodes"].as_array().into_iter().flatten();
        let of = |it: &&Value| *node == 0 || it["id"] == *node;
        let replicas = nodes.filter(of).flat_map(|node| node["replicas"].as_array().into_iter().flatten());
        let replicas = replicas.filter(|replica| replica["shard"] == shard["shard"]);
        replicas.filter_map(|replica| replica[name].as_u64()).max().unwrap_or(0)
    };
    let joins = |node: &u64| {
        let (has, all) = (entries(node, "applied"), entries(&0, "committed"));
        format!("node {node} joins and has {has} of {all} entries")
    };
    let joining = ids(&shard["joining"]);
    let leaving = ids(&shard["leaving"]);
    let rebuilding = ids(&shard["rebuilding"]);
    let dropping = rebuilding.iter().filter(|node| !leaving.contains(node));
    let parts = joining.iter().map(joins);
    let parts = parts.chain(leaving.iter().map(|node| format!("node {node} leaves")));
    parts.chain(dropping.map(|node| format!("node {node} drops what it has"))).collect::<Vec<_>>().join(", ")
}

fn ids(list: &Value) -> Vec<u64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_who_joins_leaves_and_drops() {
        let replica =
            |applied: u64| json!({"shard": 3, "applied": applied, "committed": 90, "isLeader": applied == 90});
        let status = json!({"nodes": [{"id": 1, "replicas": [replica(90)]}, {"id": 4, "replicas": [replica(7)]}]});
        let check = |joining: &[u64], leaving: &[u64], rebuilding: &[u64], expected: &str| {
            let shard = json!({"shard": 3, "joining": joining, "leaving": leaving, "rebuilding": rebuilding});
            assert_eq!(under_way(&status, &shard), expected);
        };
        check(&[4], &[2], &[], "node 4 joins and has 7 of 90 entries, node 2 leaves");
        check(&[], &[2], &[2], "node 2 leaves");
        check(&[], &[], &[2], "node 2 drops what it has");
        check(&[], &[], &[], "");
        assert_eq!((leader_of(&status, ShardId(3)), leader_of(&status, ShardId(4))), (Some(NodeId(1)), None));
    }

    #[test]
    fn the_last_elected_of_those_that_are_left_leads() {
        let node = |id: u64, state: &str, term: u64| {
            let replica = json!({"shard": 3, "isLeader": true, "term": term});
            json!({"id": id, "state": state, "replicas": [replica]})
        };
        let status = json!({"nodes": [node(4, "gone", 9), node(1, "up", 5), node(2, "up", 6), node(3, "draining", 5)]});
        assert_eq!(leader_of(&status, ShardId(3)), Some(NodeId(2)));
    }
}
