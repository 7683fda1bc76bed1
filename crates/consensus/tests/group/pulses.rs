//! What replicas know without asking, and what that saves.

use std::time::Duration;

use consensus::{Standing, Timing};

use crate::cluster::Cluster;

/// What is asked for: an answer that lacks nothing that was acknowledged so long before.
const BOUND: Duration = Duration::from_millis(250);

/// Lets pulses become frequent: nobody has asked so far.
async fn ask(cluster: &Cluster) {
    tokio::time::sleep(Duration::from_secs(20)).await;
    for node in &cluster.nodes {
        node.group.committed_lately(BOUND);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_rests_sends_few_heartbeats_and_more_to_who_knows_no_pulses() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let leader = cluster.leader(None).await;
    let in_a_minute = async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        *cluster.wires.heartbeats.lock() = 0;
        tokio::time::sleep(Duration::from_secs(60)).await;
        *cluster.wires.heartbeats.lock()
    };
    let steps = 60_000 / Timing::default().heartbeat.as_millis() as usize;
    let few = in_a_minute().await;
    assert!((2 * steps / 5..=2 * steps / 3).contains(&few), "{few} heartbeats to two nodes");
    let follower = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    cluster.wires.deaf.lock().insert(follower.id);
    let many = in_a_minute().await;
    assert!(many >= 2 * steps - 4, "{many} heartbeats to two nodes");
    let status = leader.group.status();
    assert_eq!((status.standing, status.term), (Standing::Leader, 1), "nobody was elected meanwhile");
}

#[tokio::test(start_paused = true)]
async fn every_replica_knows_at_any_time_what_was_committed_a_quarter_of_a_second_ago() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let leader = cluster.leader(None).await;
    ask(&cluster).await;
    for word in 0..50 {
        cluster.say(&[&word.to_string()], None).await;
        let committed = leader.group.status().committed_count;
        tokio::time::sleep(BOUND).await;
        for node in &cluster.nodes {
            let known = node.group.committed_lately(BOUND);
            assert!(known.is_some_and(|known| known >= committed), "{known:?} of {committed} on node {}", node.id);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_hears_late_or_nothing_does_not_know() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let leader = cluster.leader(None).await;
    let follower = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    ask(&cluster).await;
    assert!(follower.group.committed_lately(BOUND).is_some());
    *cluster.wires.delay.lock() = BOUND;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..100 {
        assert_eq!(follower.group.committed_lately(BOUND), None, "what it hears was said long ago");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    *cluster.wires.delay.lock() = Duration::ZERO;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(follower.group.committed_lately(BOUND).is_some());
    cluster.wires.set_down(leader.id, true);
    tokio::time::sleep(BOUND + Duration::from_millis(10)).await;
    assert_eq!((leader.group.committed_lately(BOUND), follower.group.committed_lately(BOUND)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_falls_silent_is_replaced_in_time() {
    let Timing { election_timeout, .. } = Timing::default();
    for _ in 0..20 {
        let cluster = Cluster::new(3).await;
        cluster.say(&["a"], None).await;
        let old = cluster.leader(None).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        cluster.wires.set_down(old.id, true);
        let began = stdx::Clock::system().now();
        cluster.leader(Some(old.id)).await;
        let silence = began.elapsed();
        assert!(silence >= election_timeout, "a new leader after {silence:?}");
        assert!(silence < election_timeout * 4, "a new leader after {silence:?}");
    }
}
