//! Meta over several nodes of one process, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod node;

use std::time::Duration;

use meta::{FEATURE_LEVEL, LEASE, NodeState};
use model::{NodeId, ShardId};
use node::{Host, World};
use proto::meta as wire;
use transport::ErrorKind;

const SOON: Duration = Duration::from_secs(10);

fn lease(name: &str, incarnation: u64) -> wire::LeaseRequest {
    wire::LeaseRequest {
        name: name.to_owned(),
        incarnation,
        address: "x".to_owned(),
        targets: 1,
        feature_level: FEATURE_LEVEL,
        ..wire::LeaseRequest::default()
    }
}

/// Lets a scraper and nodes say for a while which feature levels they and those who follow through them know; returns the
/// cluster's.
async fn say(nodes: &[Host], levels: [u32; 3], watchers: u32, scraper: u32) -> u32 {
    let client = &nodes[0].client;
    for _ in 0..30 {
        for (node, feature_level) in nodes.iter().zip(levels) {
            let beat = wire::BeatRequest { node_id: node.identity.node.0, feature_level, ..Default::default() };
            client.beat(wire::BeatRequest { watchers_level: Some(watchers), ..beat }, SOON).await.unwrap();
        }
        client.lease(wire::LeaseRequest { feature_level: scraper, ..lease("one", 1) }, SOON).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    client.state().feature_level
}

#[tokio::test(start_paused = true)]
async fn the_feature_level_rises_when_everyone_has_known_it_for_a_while() {
    let world = World::new(&["a", "b", "c"]);
    let nodes = world.start_all(3).await;
    let new = FEATURE_LEVEL;
    assert_eq!(say(&nodes, [new, new, 0], new, new).await, 0, "a node is old");
    assert_eq!(say(&nodes, [new; 3], 1, new).await, 0, "somebody who follows is");
    assert_eq!(say(&nodes, [new; 3], new, 0).await, 0, "a scraper is");
    assert_eq!(say(&nodes[..2], [new; 3], new, new).await, 0, "a node is silent");
    assert_eq!(say(&nodes, [new; 3], new + 1, new).await, new);
    assert_eq!(nodes[0].client.status(SOON).await.unwrap().feature_level, new);
    // From now on older ones are refused.
    let client = &nodes[1].client;
    let id = nodes[1].identity.node.0;
    let old = wire::LeaseRequest { feature_level: 0, ..lease("one", 1) };
    let refused = [
        client.lease(old, SOON).await.map(drop),
        client.beat(wire::BeatRequest { node_id: id, ..Default::default() }, SOON).await.map(drop),
        client.register(wire::RegisterRequest { node_id: id, ..Default::default() }, SOON).await.map(drop),
    ];
    let needed = format!("knows feature level 1, and the cluster is at {new}: upgrade it");
    for refused in refused {
        let why = refused.unwrap_err();
        assert!(why.kind == ErrorKind::Rejected && why.message.contains(&needed), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn three_fresh_nodes_form_one_cluster_and_remember_it() {
    let world = World::new(&["a", "b", "c"]);
    let nodes = world.start_all(3).await;
    let clusters: Vec<_> = nodes.iter().map(|node| node.identity.cluster_id).collect();
    assert!(clusters.iter().all(|cluster| *cluster == clusters[0]));
    let mut ids: Vec<_> = nodes.iter().map(|node| node.identity.node.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
    let state = nodes[0].client.reached(1).await;
    assert_eq!(state.shard_map.as_ref().unwrap().replicas(ShardId::META).len(), 3);
    for node in nodes {
        node.stop().await;
    }
    let again = world.start_all(3).await;
    assert!(again.iter().all(|node| node.identity.cluster_id == clusters[0]));
    again[0].client.status(SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_of_three_form_nothing_until_the_third_comes() {
    let world = World::new(&["a", "b", "c"]);
    let two = tokio::join!(
        tokio::time::timeout(Duration::from_secs(30), world.start("a", 3)),
        tokio::time::timeout(Duration::from_secs(30), world.start("b", 3)),
    );
    assert!(two.0.is_err() && two.1.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_wiped_node_joins_as_another_one_and_takes_the_place_of_the_old() {
    let mut world = World::new(&["a", "b", "c"]);
    let mut nodes = world.start_all(3).await;
    nodes[0].client.reached(1).await;
    let lost = nodes.remove(1);
    let (name, old) = (lost.name.clone(), lost.identity.node);
    lost.stop().await;
    world.wipe(&name);
    let back = world.start(&name, 3).await;
    assert_eq!(back.identity.node, NodeId(4));
    let mut watch = back.client.watch();
    let state = watch.wait_for(|state| {
        let voters = state.shard_map.as_ref().map(|map| map.replicas(ShardId::META).to_vec());
        voters.is_some_and(|voters| voters.contains(&NodeId(4)) && voters.len() == 3)
    });
    let state = state.await.unwrap().clone();
    assert_eq!(state.nodes[&old].state, NodeState::Gone);
    back.client.status(SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_of_scrapers_is_settled_when_all_have_acted_upon_the_newest() {
    let world = World::new(&["a", "b", "c"]);
    let nodes = world.start_all(3).await;
    let client = &nodes[0].client;
    assert_eq!(say(&nodes, [FEATURE_LEVEL; 3], FEATURE_LEVEL, FEATURE_LEVEL).await, FEATURE_LEVEL);
    let renew = async |name: &str, acting: Option<u64>, leaving: bool| {
        let request = wire::LeaseRequest { acting_epoch: acting, leaving, ..lease(name, 1) };
        let reply = client.lease(request, SOON).await.unwrap();
        (reply.epoch, reply.settled_epoch)
    };
    assert_eq!(renew("one", Some(0), false).await, (1, Some(0)));
    assert_eq!(renew("one", Some(1), false).await, (1, Some(1)));
    assert_eq!(renew("two", Some(0), false).await, (2, Some(1)));
    assert_eq!(renew("one", Some(2), false).await, (2, Some(1)), "the newcomer has nothing yet");
    // A version that was passed over before all had acted is never settled by itself.
    assert_eq!(renew("three", Some(0), false).await, (3, Some(1)));
    assert_eq!(renew("two", Some(2), false).await, (3, Some(1)));
    assert_eq!(renew("one", Some(3), false).await, (3, Some(1)));
    assert_eq!(renew("two", Some(3), false).await, (3, Some(1)));
    assert_eq!(renew("three", Some(3), false).await, (3, Some(3)));
    // Whoever leaves has nothing to act upon.
    assert_eq!(renew("three", Some(3), true).await, (4, Some(3)));
    assert_eq!(renew("one", Some(4), false).await, (4, Some(3)));
    assert_eq!(renew("two", Some(4), false).await, (4, Some(4)));
    // A scraper of an older version says nothing.
    assert_eq!(renew("four", None, false).await, (5, None));
}

#[tokio::test(start_paused = true)]
async fn a_silent_scraper_is_let_go_and_a_leader_change_spares_the_others() {
    let world = World::new(&["a", "b", "c"]);
    let mut nodes = world.start_all(3).await;
    let client = nodes[0].client.clone();
    let first = client.lease(lease("one", 1), SOON).await.unwrap();
    let second = client.lease(lease("two", 1), SOON).await.unwrap();
    assert_eq!((first.epoch, second.epoch), (1, 2));
    let keep_two = |client: meta::Client| async move {
        loop {
            client.lease(lease("two", 1), SOON).await.unwrap();
            tokio::time::sleep(LEASE / 4).await;
        }
    };
    let renewing = stdx::Tasks::new().spawn("renewing", keep_two(client.clone()));
    let mut watch = client.watch();
    let state = watch.wait_for(|state| state.scraper_epoch == 3).await.unwrap().clone();
    assert_eq!(state.scrapers.keys().collect::<Vec<_>>(), ["two"]);

    let leader = nodes.iter().position(Host::leads_meta).unwrap();
    if leader != 0 {
        nodes.remove(leader).stop().await;
        tokio::time::sleep(LEASE * 3).await;
        assert_eq!(client.state().scraper_epoch, 3, "the one that renews stays");
    }
    assert!(!renewing.is_finished());
    renewing.abort();
    client.leave(wire::LeaveRequest { name: "two".to_owned(), incarnation: 1 }, SOON).await.unwrap();
    assert!(watch.wait_for(|state| state.scrapers.is_empty()).await.is_ok());
}
