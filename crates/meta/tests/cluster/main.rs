//! Meta over several nodes of one process, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod node;

use std::time::Duration;

use meta::{LEASE, NodeState};
use model::{NodeId, ShardId};
use node::{Host, World};
use proto::meta as wire;

const SOON: Duration = Duration::from_secs(10);

fn lease(name: &str, incarnation: u64) -> wire::LeaseRequest {
    wire::LeaseRequest { name: name.to_owned(), incarnation, address: "x".to_owned(), targets: 1 }
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
