//! Meta's log stays short, who comes late gets the state instead of all that led to it, a leader that is cut off is not waited
//! for, nothing is removed because of what a node has merely heard, and groups have the members that the map names.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use consensus::{GroupStatus, Standing};
use meta::Birth;
use model::{NodeId, ShardId, Slot};
use proto::ingest::ChangeReplicasRequest;
use proto::ingest::ingest_client::IngestClient;
use proto::meta::LeaseRequest;
use sim::{Node, Outsider, World, virtual_clock};

/// When the test begins: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;
const LIMIT: Duration = Duration::from_secs(10);
/// The shard that a node gives away.
const SHARD: ShardId = ShardId(1);
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends a slot from one of two shards to the other: two commands of meta.
async fn move_on(outsider: &Outsider, slot: Slot) {
    let mut states = outsider.client.watch();
    let born = states.wait_for(|state| state.shard_map.is_some()).await.unwrap().clone();
    let to = ShardId(3 - born.shard_map.as_ref().unwrap().shard_of(slot).0);
    while outsider.client.move_slot(slot, to, LIMIT).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let is_there = |state: &Arc<meta::ClusterState>| state.shard_map.as_ref().unwrap().shard_of(slot) == to;
    tokio::time::timeout(LIMIT, states.wait_for(is_there)).await.unwrap().unwrap();
}

fn status(node: &Node) -> GroupStatus {
    let all = (node.ingester.observer())();
    all.into_iter().find(|(shard, _)| *shard == ShardId::META).unwrap().1
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}: it did not come to that");
}

async fn wait_for(node: &Node, what: &str, is_so: impl Fn(&GroupStatus) -> bool) -> GroupStatus {
    wait_until(what, || is_so(&status(node))).await;
    status(node)
}

fn leads(node: &Node) -> bool {
    status(node).standing == Standing::Leader
}

async fn end(nodes: Vec<Node>, outsider: Outsider) {
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}

/// What a replica is; `None` if the node has none.
fn standing(node: &Node, shard: ShardId) -> Option<Standing> {
    let all = (node.ingester.observer())();
    all.into_iter().find(|(id, _)| *id == shard).map(|(_, status)| status.standing)
}

/// Who has a vote in the shard, as its leader says; nobody if there is none.
fn voters(nodes: &[Node], shard: ShardId) -> BTreeSet<NodeId> {
    let all = nodes.iter().flat_map(|node| (node.ingester.observer())());
    let leader = all.filter(|(id, status)| *id == shard && status.standing == Standing::Leader && !status.is_joint);
    leader.map(|(_, status)| status.voters).next().unwrap_or_default()
}

fn id(node: &Node) -> NodeId {
    node.ingester.identity().node
}

/// Whether a node has heard that it has no part in the shard any more.
fn has_heard(node: &Node) -> bool {
    let state = node.ingester.client().state();
    let shard = &state.shard_map.as_ref().unwrap().shards[&SHARD];
    [&shard.replicas, &shard.joining, &shard.leaving].iter().all(|named| !named.contains(&id(node)))
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_the_state_of_meta_and_all_restart_from_theirs() {
    let birth = Birth { shards: 2, replication: 3, block_window_ms: 7_200_000 };
    let world = World::new(&["a", "b", "c"], birth, virtual_clock(START_MS));
    let mut nodes = world.start_all().await;
    let outsider = world.outsider();
    // More than any log keeps of what its snapshot has.
    for round in 0..160 {
        move_on(&outsider, Slot(round % 7)).await;
    }
    for node in &nodes {
        wait_for(node, "its log is short", |status| status.purged_count > 0).await;
    }
    let map = outsider.client.newest_shard_map(LIMIT).await.unwrap();

    // Its disk is lost: another node comes to its place, and can't have what was purged before but in a snapshot.
    let lost = nodes.pop().unwrap();
    lost.lose_power().await;
    world.wipe("c");
    let newcomer = world.start("c").await;
    let own = newcomer.ingester.identity().node;
    let has_all = |status: &GroupStatus| status.voters.contains(&own) && status.snapshot_count > 0;
    let joined = wait_for(&newcomer, "the newcomer votes", has_all).await;
    assert!(joined.applied_count >= joined.snapshot_count);
    nodes.push(newcomer);

    // All that they have now is on their disks: a snapshot each, and the log behind it.
    for node in nodes {
        node.lose_power().await;
    }
    let nodes = world.start_all().await;
    let again = outsider.client.newest_shard_map(LIMIT).await.unwrap();
    assert_eq!(again.last_move, map.last_move);
    assert!((0..7).all(|slot| again.shard_of(Slot(slot)) == map.shard_of(Slot(slot))));
    assert!(again.shards[&ShardId::META].replicas.contains(&own));
    end(nodes, outsider).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_from_the_others_keeps_nobody_waiting() {
    let birth = Birth { shards: 2, replication: 3, block_window_ms: 7_200_000 };
    let names = ["a", "b", "c"];
    let world = World::new(&names, birth, virtual_clock(START_MS));
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    outsider.client.reached(1).await;
    let lease = |incarnation| {
        let request = LeaseRequest { name: "scraper".to_owned(), incarnation, ..LeaseRequest::default() };
        // As long as scrapers give a renewal: less than a call may take that nobody answers.
        outsider.client.lease(request, Duration::from_secs(1))
    };
    for round in 1..=6 {
        lease(round).await.unwrap();
        let leader = nodes.iter().find(|node| leads(node)).unwrap().name.clone();
        let others = names.into_iter().filter(|name| *name != leader);
        // Clients reach it, and it can't know whether it leads.
        for other in others.clone() {
            world.wires.cut(&leader, other);
            world.wires.cut(other, &leader);
        }
        wait_until("another one leads", || nodes.iter().any(|node| leads(node) && node.name != leader)).await;
        let mut tries = 0;
        while let Err(error) = lease(round).await {
            tries += 1;
            assert!(tries < 4, "{error}");
        }
        for other in others {
            world.wires.mend(&leader, other);
            world.wires.mend(other, &leader);
        }
        wait_until("only one leads", || nodes.iter().filter(|node| leads(node)).count() == 1).await;
    }
    end(nodes, outsider).await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_not_wanted_stays_until_the_leader_of_meta_says_so() {
    let birth = Birth { shards: 1, replication: 3, block_window_ms: 7_200_000 };
    let names = ["a", "b", "c", "d"];
    let world = World::new(&names, birth, virtual_clock(START_MS));
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    let mut states = outsider.client.watch();
    states.wait_for(|state| state.shard_map.is_some()).await.unwrap();
    let holds = |node: &&Node| standing(node, SHARD) == Some(Standing::Follower);
    wait_until("the shard has followers", || nodes.iter().any(|node| holds(&node))).await;
    let emptied =
        nodes.iter().filter(holds).find(|node| standing(node, ShardId::META) != Some(Standing::Leader)).unwrap();

    outsider.client.drain(id(emptied), false, LIMIT).await.unwrap();
    wait_until("it has heard that it is not wanted", || has_heard(emptied)).await;
    let others = || names.into_iter().filter(|name| *name != emptied.name);
    for other in others() {
        world.wires.cut(&emptied.name, other);
        world.wires.cut(other, &emptied.name);
    }
    // It would have been given back meanwhile, and not have heard of it.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(standing(emptied, SHARD).is_some(), "what it has may be wanted again");
    for other in others() {
        world.wires.mend(&emptied.name, other);
        world.wires.mend(other, &emptied.name);
    }
    wait_until("it lets its replica go", || standing(emptied, SHARD).is_none()).await;
    end(nodes, outsider).await;
}

#[tokio::test(start_paused = true)]
async fn members_that_are_not_those_of_the_map_are_set_right() {
    let birth = Birth { shards: 2, replication: 3, block_window_ms: 7_200_000 };
    let world = World::new(&["a", "b", "c"], birth, virtual_clock(START_MS));
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    move_on(&outsider, Slot(7)).await;
    wait_until("the shard has three members", || voters(&nodes, SHARD).len() == 3).await;
    let leader = nodes.iter().find(|node| standing(node, SHARD) == Some(Standing::Leader)).unwrap();
    let other = nodes.iter().find(|node| node.name != leader.name).unwrap();
    let two = BTreeSet::from([id(leader), id(other)]);
    let order = async |map_epoch| {
        let mut client = IngestClient::new(outsider.nodes().client(id(leader)).unwrap());
        let replicas = two.iter().map(|node| node.0).collect();
        client.change_replicas(ChangeReplicasRequest { shard: SHARD.0, replicas, map_epoch }).await
    };

    // By a map that is old.
    let refused = order(1).await.unwrap_err();
    assert!(refused.message().contains("is to be held by"), "{refused}");
    assert_eq!(voters(&nodes, SHARD).len(), 3);
    // By nobody knows which.
    order(0).await.unwrap();
    assert_eq!(voters(&nodes, SHARD), two);
    wait_until("the shard has the members of the map", || voters(&nodes, SHARD).len() == 3).await;
    end(nodes, outsider).await;
}
