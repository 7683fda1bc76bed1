//! A group over several nodes of one process, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod cluster;
mod pulses;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use cluster::{Cluster, SHARD, words};
use consensus::{ProposeError, Standing, Step, Timing};
use prost::Message;
use proto::raft::{self, reply::Reply};
use raftlog::{LogDevice, MemoryDevice, Write};
use stdx::Clock;

#[tokio::test(start_paused = true)]
async fn what_is_proposed_reaches_every_replica() {
    let cluster = Cluster::new(3).await;
    let leader = cluster.leader(None).await;
    let proposed = leader.group.propose(Bytes::from("a")).await.unwrap();
    assert_eq!(proposed.answer, "1");
    cluster.say(&["b", "c"], None).await;
    for node in &cluster.nodes {
        assert_eq!(words(node, leader).await, ["a", "b", "c"]);
    }
    let follower = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    let refused = follower.group.propose(Bytes::from("x")).await;
    assert_eq!(refused, Err(ProposeError::NotLeader(cluster::SHARD, Some(leader.id))));
}

#[tokio::test(start_paused = true)]
async fn a_replica_stops_before_an_entry_of_a_later_version() {
    let cluster = Cluster::new(1).await;
    let leader = cluster.leader(None).await;
    leader.group.propose(Bytes::from("a")).await.unwrap();
    assert!(leader.group.propose(Bytes::from(cluster::TOO_NEW)).await.is_err());
    let why = leader.group.failed().await;
    assert!(why.contains("is of a later version (a word): upgrade this binary"), "{why}");
    assert_eq!(words(leader, leader).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_leader_is_replaced_and_follows_when_it_is_back() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let old = cluster.leader(None).await;
    cluster.wires.set_down(old.id, true);
    // The old leader takes the command and can't commit it; whoever waits for it must not hear that it was refused.
    let lost = old.group.submit(Bytes::from("lost")).await.unwrap();
    cluster.say(&["b"], Some(old.id)).await;
    cluster.wires.set_down(old.id, false);
    let new = cluster.leader(Some(old.id)).await;
    assert_eq!(words(old, new).await, ["a", "b"]);
    assert!(matches!(lost.await, Err(ProposeError::Unknown(_) | ProposeError::NotLeader(..))));
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_connections_broke_is_replaced_before_the_election_timeout() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let old = cluster.leader(None).await;
    let clock = stdx::Clock::system();
    let began = clock.now();
    cluster.wires.set_down(old.id, true);
    let others = cluster.nodes.iter().filter(|node| node.id != old.id);
    futures::future::join_all(others.map(|node| node.group.succeed(old.id, &clock))).await;
    cluster.leader(Some(old.id)).await;
    assert!(clock.now() - began < Timing::default().election_timeout / 2);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_one_follower_lost_stays() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let leader = cluster.leader(None).await;
    let term = leader.group.status().term;
    let follower = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    follower.group.succeed(leader.id, &stdx::Clock::system()).await;
    tokio::time::sleep(Timing::default().election_timeout * 4).await;
    assert_eq!((leader.group.status().standing, leader.group.status().term), (Standing::Leader, term));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_gives_no_read_index() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let old = cluster.leader(None).await;
    assert_eq!(old.group.read_index().await, Ok(old.group.view().await.0));
    cluster.wires.set_down(old.id, true);
    assert!(old.group.read_index().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn replicas_that_are_cut_off_or_removed_know_that_they_are_out_of_touch() {
    let limit = Duration::from_secs(3);
    let cluster = Cluster::new(3).await;
    let leader = cluster.leader(None).await;
    let others: Vec<_> = cluster.nodes.iter().filter(|node| node.id != leader.id).collect();
    let (stays, goes) = (others[0], others[1]);
    leader.group.set_voters([leader.id, stays.id].into()).await.unwrap();
    tokio::time::sleep(limit * 2).await;
    assert!(leader.group.is_in_touch(limit).await && stays.group.is_in_touch(limit).await);
    assert!(!goes.group.is_in_touch(limit).await);
    cluster.wires.set_down(leader.id, true);
    tokio::time::sleep(limit * 2).await;
    assert!(!leader.group.is_in_touch(limit).await && !stays.group.is_in_touch(limit).await);
    cluster.wires.set_down(leader.id, false);
    leader.group.wait_for(|status| status.leader.is_some()).await.unwrap();
    tokio::time::sleep(limit).await;
    assert!(leader.group.is_in_touch(limit).await && stays.group.is_in_touch(limit).await);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_members_that_was_left_half_done_is_finished() {
    let cluster = Cluster::new(3).await;
    let group = &cluster.leader(None).await.group;
    let wanted = BTreeSet::from([cluster.leader(None).await.id]);
    tokio::select! {
        biased;
        _ = group.wait_for(|status| status.is_joint) => {}
        changed = group.set_voters(wanted.clone()) => panic!("two configurations were never in force: {changed:?}"),
    }
    let mut steps = 0;
    while group.step_towards(&wanted).await != Ok(Step::Done) {
        steps += 1;
        assert!(steps < 20, "{:?}", group.status());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_removed_and_is_back_does_not_help_one_that_slept_through_it_to_lead() {
    let mut cluster = Cluster::new(3).await;
    cluster.say(&["one"], None).await;
    let leader = cluster.leader(None).await.id;
    let others: Vec<_> = cluster.nodes.iter().map(|node| node.id).filter(|id| *id != leader).collect();
    let (sleeper, emptied) = (others[0], others[1]);
    cluster.wires.set_down(sleeper, true);
    cluster.say(&["two"], None).await;
    let newcomer = cluster.add_node().await;
    let wanted = BTreeSet::from([leader, sleeper, newcomer]);
    while cluster.node(leader).group.step_towards(&wanted).await != Ok(Step::Done) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.empty(emptied).await;
    // The sleeper counts itself and the emptied node among three that have a vote.
    for (node, down) in [(leader, true), (newcomer, true), (sleeper, false)] {
        cluster.wires.set_down(node, down);
    }
    let leads = cluster.node(sleeper).group.wait_for(|status| status.standing == Standing::Leader);
    assert!(tokio::time::timeout(Duration::from_secs(60), leads).await.is_err());
    for node in [leader, newcomer] {
        cluster.wires.set_down(node, false);
    }
    cluster.say(&["three"], None).await;
    let leader = cluster.leader(None).await;
    assert_eq!(words(cluster.node(sleeper), leader).await, ["one", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_back_does_not_lead_before_it_has_what_it_had() {
    for (promised, may_lead) in [(None, true), (Some(0), true), (Some(1), false)] {
        let log = MemoryDevice::new();
        let device: &dyn LogDevice = &log;
        let promised = promised.map(|log_index| raft::LogId { term: 1, log_index });
        let vote = Some(raft::Vote { term: 1, node_id: 9, committed: false });
        device.write(Write::Remove { group: SHARD.0, vote, promised }).await.unwrap();
        // So far it is the only member.
        let config = raft::membership::Config { voters: vec![1] };
        let membership = raft::Membership { configs: vec![config], learners: Vec::new() };
        let payload = Some(raft::entry::Payload::Membership(membership));
        let entry = raft::Entry { term: 1, log_index: 0, payload }.encode_to_vec().into();
        device.write(Write::Append { group: SHARD.0, first: 0, entries: vec![entry] }).await.unwrap();
        let mut cluster = Cluster::new(0).await;
        let id = cluster.add_node_on(log).await;
        let group = &cluster.node(id).group;
        // Who leads hands over to it, and knows no better.
        let handed_over = cluster.hand_over_to(id, (1, 0)).await;
        let is_refused = matches!(&handed_over, Reply::Refused(why) if why.contains("lacks entries"));
        assert_eq!(is_refused, !may_lead, "{promised:?}: {handed_over:?}");
        group.elect().await.unwrap();
        let leads = group.wait_for(|status| status.standing == Standing::Leader);
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), leads).await.is_ok(), may_lead, "{promised:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn members_do_not_change_to_such_as_are_mostly_silent() {
    let cluster = Cluster::new(3).await;
    let leader = cluster.leader(None).await;
    let lost = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    cluster.wires.set_down(lost.id, true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let wanted = BTreeSet::from([leader.id, lost.id]);
    for _ in 0..20 {
        let step = leader.group.step_towards(&wanted).await.unwrap();
        assert!(matches!(&step, Step::Waiting(why) if why.contains("silent")), "{step:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.say(&["a"], None).await;
    cluster.wires.set_down(lost.id, false);
    while leader.group.step_towards(&wanted).await != Ok(Step::Done) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(leader.group.status().voters, wanted);
}

#[tokio::test(start_paused = true)]
async fn leadership_moves_on_request() {
    let cluster = Cluster::new(3).await;
    let leader = cluster.leader(None).await;
    let heir = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    leader.group.transfer_leader(heir.id).await.unwrap();
    heir.group.wait_for(|status| status.standing == Standing::Leader).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_heir_that_does_not_take_over_loses_its_turn() {
    let cluster = Cluster::new(3).await;
    cluster.say(&["a"], None).await;
    let leader = cluster.leader(None).await;
    let heir = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    cluster.wires.set_down(heir.id, true);
    leader.group.transfer_leader(heir.id).await.unwrap();
    let refused = leader.group.propose(Bytes::from("b")).await;
    assert_eq!(refused, Err(ProposeError::NotLeader(cluster::SHARD, Some(heir.id))), "it leads no more");
    leader.group.wait_for(|status| status.standing != Standing::Leader).await.unwrap();
    cluster.say(&["b"], Some(leader.id)).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_comes_back_leads_in_another_term_and_at_once_if_it_is_alone() {
    let mut cluster = Cluster::new(1).await;
    cluster.say(&["a"], None).await;
    let (id, term) = (cluster.nodes[0].id, cluster.nodes[0].group.status().term);
    cluster.restart(id).await;
    let before = stdx::Clock::system().now();
    assert!(cluster.leader(None).await.group.status().term > term);
    assert!(before.elapsed() < Timing::default().heartbeat);
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_from_the_snapshot_and_the_log() {
    let mut cluster = Cluster::new(1).await;
    let said: Vec<String> = (0..250).map(|number| format!("word{number}")).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    cluster.say(&said[..220], None).await;
    let node = cluster.nodes[0].id;
    let before = cluster.node(node).group.status().log_count;
    cluster.node(node).group.snapshot().await.unwrap();
    cluster.node(node).group.wait_for(|status| status.snapshot_count >= before).await.unwrap();
    cluster.say(&said[220..], None).await;
    cluster.restart(node).await;
    let leader = cluster.leader(None).await;
    assert_eq!(words(leader, leader).await, said);
}

#[tokio::test(start_paused = true)]
async fn a_new_node_takes_the_snapshot_and_one_that_was_away_only_what_it_lacks() {
    let mut cluster = Cluster::new(1).await;
    let said: Vec<String> = (0..1200).map(|number| format!("word{number:04}")).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    cluster.say(&said[..600], None).await;
    let first = cluster.nodes[0].id;
    take_snapshot(&cluster).await;
    let second = cluster.add_node().await;
    let leader = cluster.node(first);
    leader.group.add_learner(second).await.unwrap();
    leader.group.wait_for(|status| status.learners.contains(&second)).await.unwrap();
    assert_eq!(words(cluster.node(second), leader).await, said[..600]);
    let full = *cluster.wires.snapshot_bytes.lock();
    assert!(full >= 600 * 9 - 6, "{full}");

    // The learner is away while another six hundred are said, snapshotted and purged.
    take_snapshot_on(&cluster, second).await;
    cluster.wires.set_down(second, true);
    cluster.say(&said[600..], None).await;
    take_snapshot(&cluster).await;
    let purged = leader.group.wait_for(|status| status.purged_count > 900).await;
    assert!(purged.is_some(), "a follower that is away does not hold the log");
    cluster.wires.set_down(second, false);
    assert_eq!(words(cluster.node(second), cluster.node(first)).await, said);
    let more = *cluster.wires.snapshot_bytes.lock() - full;
    assert!((5000..6000).contains(&more), "it fetched {more} bytes, not only the new files");

    cluster.leader(None).await.group.set_voters(BTreeSet::from([first, second])).await.unwrap();
    let status = cluster.node(second).group.wait_for(|status| status.voters.len() == 2 && !status.is_joint).await;
    assert_eq!(status.unwrap().standing, Standing::Follower);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_no_faster_than_it_may() {
    let mut cluster = Cluster::new(1).await;
    let said: Vec<String> = (0..600).map(|number| format!("word{number:04}")).collect();
    cluster.say(&said.iter().map(String::as_str).collect::<Vec<_>>(), None).await;
    take_snapshot(&cluster).await;
    *cluster.wires.bytes_per_second.lock() = std::num::NonZeroU64::new(100);
    let second = cluster.add_node().await;
    let (clock, leader) = (Clock::system(), &cluster.nodes[0]);
    let began = clock.now();
    leader.group.add_learner(second).await.unwrap();
    assert_eq!(words(cluster.node(second), leader).await, said);
    let bytes = *cluster.wires.snapshot_bytes.lock();
    assert!(bytes >= 600 * 9 - 6, "{bytes}");
    let wanted = Duration::from_secs(bytes as u64 / 100);
    assert!(clock.now() - began >= wanted, "{bytes} bytes came in {:?}", clock.now() - began);
}

async fn take_snapshot(cluster: &Cluster) {
    take_snapshot_on(cluster, cluster.leader(None).await.id).await;
}

async fn take_snapshot_on(cluster: &Cluster, node: model::NodeId) {
    let group = &cluster.node(node).group;
    let count = group.status().applied_count;
    group.snapshot().await.unwrap();
    group.wait_for(|status| status.snapshot_count >= count).await.unwrap();
}
