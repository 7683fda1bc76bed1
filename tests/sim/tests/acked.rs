//! What was acknowledged can be read, whoever comes, goes or dies.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use meta::{Birth, ClusterState, NodeState};
use model::{Matcher, NodeId, ShardId, TimeRange};
use series::Consistency;
use sim::{FakeTarget, Outsider, World, is_stored, virtual_clock};

/// When the tests begin: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;

/// (series, time) → value.
type Readable = BTreeMap<(String, i64), f64>;

async fn read_all(outsider: &Outsider) -> Readable {
    let read = outsider.read(Matcher::equal("job", "fake"), TimeRange::ALL, Consistency::Strong);
    let mut readable = Readable::new();
    for (labels, samples) in read.await.unwrap() {
        for (time, value) in samples {
            let before = readable.insert((labels.to_string(), time), value);
            assert_eq!(before, None, "{labels} has two samples at {time}");
        }
    }
    readable
}

/// Scrapes all targets at a tick; values say which target and tick they are of.
async fn scrape_all(outsider: &Outsider, targets: &[FakeTarget], tick: i64, acked: &mut Readable) {
    for (number, target) in targets.iter().enumerate() {
        let value = |series: usize| (tick * 100 + number as i64 * 10 + series as i64) as f64;
        let answer = outsider.append(target.slot(), &target.scrape(tick, &[value(0), value(1), value(2)])).await;
        assert!(is_stored(&answer), "{answer:?}");
        for series in 0..3 {
            let labels = format!("m{series}{{instance=\"{number}\", job=\"fake\"}}");
            acked.insert((labels, tick), value(series));
        }
    }
}

fn assert_same(readable: &Readable, acked: &Readable) {
    let missing = acked.iter().filter(|(key, value)| readable.get(*key) != Some(*value)).count();
    let example = (acked.iter().find(|(key, value)| readable.get(*key) != Some(*value)), readable.first_key_value());
    assert_eq!(missing, 0, "of {} acknowledged samples, such as {example:?}", acked.len());
    assert_eq!(readable.len(), acked.len());
}

fn birth(window_ms: i64) -> Birth {
    Birth { shards: 3, replication: 3, block_window_ms: window_ms }
}

#[tokio::test(start_paused = true)]
async fn acknowledged_samples_survive_every_single_death_and_a_restart_of_all() {
    let world = World::new(&["a", "b", "c"], birth(7_200_000), virtual_clock(START_MS));
    let mut nodes = world.start_all().await;
    let outsider = world.outsider();
    let targets: Vec<_> = (0..5).map(|number| FakeTarget::new(number, 3)).collect();
    let (mut acked, mut tick) = (Readable::new(), START_MS - 100_000);
    for _ in 0..nodes.len() {
        for _ in 0..10 {
            scrape_all(&outsider, &targets, tick, &mut acked).await;
            tick += 1000;
        }
        let node = nodes.remove(0);
        let name = node.name.clone();
        node.die().await;
        scrape_all(&outsider, &targets, tick, &mut acked).await;
        tick += 1000;
        assert_same(&read_all(&outsider).await, &acked);
        nodes.push(world.start(&name).await);
    }
    for node in nodes {
        node.die().await;
    }
    let again = world.start_all().await;
    assert_same(&read_all(&outsider).await, &acked);
    for node in again {
        node.die().await;
    }
    outsider.stop().await;
}

#[tokio::test(start_paused = true)]
async fn windows_are_cut_shipped_and_dropped_and_the_answer_stays_the_same() {
    let window_ms = 60_000;
    let clock = virtual_clock(START_MS);
    let world = World::new(&["a"], birth(window_ms), clock.clone());
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    let targets: Vec<_> = (0..5).map(|number| FakeTarget::new(number, 3)).collect();
    let mut acked = Readable::new();
    world.outage.set(true);
    for _ in 0..50 {
        scrape_all(&outsider, &targets, clock.wall_ms(), &mut acked).await;
        clock.sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(outsider.client.state().blocks.len(), 0);
    assert_same(&read_all(&outsider).await, &acked);
    world.outage.set(false);
    tokio::time::sleep(Duration::from_secs(300)).await;
    let cataloged: Vec<String> = outsider.client.state().blocks.values().map(|block| block.key.clone()).collect();
    assert!(cataloged.len() >= 3 * 3, "{cataloged:?}");
    assert_same(&read_all(&outsider).await, &acked);
    let stored = world.bucket.list("").await.unwrap();
    let stored: Vec<String> = stored.into_iter().map(|object| object.key).filter(|key| key.ends_with(".rwb")).collect();
    assert_eq!(stored.len(), cataloged.len(), "the catalog has every block, and no other");
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}

/// Goes on scraping until the state of the cluster is as it should be.
async fn scrape_until(
    outsider: &Outsider,
    targets: &[FakeTarget],
    (tick, acked): (&mut i64, &mut Readable),
    is_reached: impl Fn(&ClusterState) -> bool,
) {
    for _ in 0..600 {
        if is_reached(&outsider.client.state()) {
            assert_same(&read_all(outsider).await, acked);
            return;
        }
        scrape_all(outsider, targets, *tick, acked).await;
        *tick += 1000;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("it never comes: {:?}", outsider.client.state().shard_map);
}

/// Whether each shard has so many replicas, on these nodes alone, and none is about to move.
fn has_settled(state: &ClusterState, count: usize, nodes: &[NodeId]) -> bool {
    let map = state.shard_map.as_ref().unwrap();
    let is_there = |node: &NodeId| nodes.contains(node);
    map.shards
        .values()
        .all(|shard| !shard.is_moving() && shard.replicas.len() == count && shard.replicas.iter().all(is_there))
}

#[tokio::test(start_paused = true)]
async fn a_cluster_grows_from_one_to_six_and_shrinks_to_one_again() {
    let world = World::new(&["a"], birth(7_200_000), virtual_clock(START_MS));
    let mut nodes = world.start_all().await;
    let outsider = world.outsider();
    let targets: Vec<_> = (0..5).map(|number| FakeTarget::new(number, 3)).collect();
    let (mut acked, mut tick) = (Readable::new(), START_MS);
    scrape_all(&outsider, &targets, tick, &mut acked).await;
    tick += 1000;
    for names in [["b", "c"].as_slice(), &["d", "e", "f"]] {
        for name in names {
            world.wipe(name);
            nodes.push(world.start(name).await);
        }
        let ids: Vec<NodeId> = nodes.iter().map(|node| node.ingester.identity().node).collect();
        let reached =
            |state: &ClusterState| has_settled(state, 3, &ids) && ids.iter().all(|node| state.replicas_on(*node) > 0);
        scrape_until(&outsider, &targets, (&mut tick, &mut acked), reached).await;
    }
    for left in [3, 1] {
        let leaving = nodes.split_off(left);
        for node in &leaving {
            let id = node.ingester.identity().node;
            outsider.client.drain(id, false, Duration::from_secs(10)).await.unwrap();
        }
        let ids: Vec<NodeId> = nodes.iter().map(|node| node.ingester.identity().node).collect();
        let reached = |state: &ClusterState| has_settled(state, left.min(3), &ids);
        scrape_until(&outsider, &targets, (&mut tick, &mut acked), reached).await;
        for node in leaving {
            let id = node.ingester.identity().node;
            node.die().await;
            outsider.client.remove(id, false, Duration::from_secs(10)).await.unwrap();
        }
        scrape_all(&outsider, &targets, tick, &mut acked).await;
        tick += 1000;
        assert_same(&read_all(&outsider).await, &acked);
    }
    assert_eq!(outsider.client.state().shard_map.as_ref().unwrap().replicas(ShardId::META).len(), 1);
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}

#[tokio::test(start_paused = true)]
async fn founders_that_leave_and_come_back_set_nothing_up_again() {
    let world = World::new(&["a", "b", "c"], birth(7_200_000), virtual_clock(START_MS));
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    let targets: Vec<_> = (0..5).map(|number| FakeTarget::new(number, 3)).collect();
    let (mut acked, mut tick) = (Readable::new(), START_MS);
    scrape_all(&outsider, &targets, tick, &mut acked).await;
    tick += 1000;
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.ingester.identity().node).collect();
    for (cancel, holders) in [(false, &ids[..1]), (true, &ids[..])] {
        for node in &ids[1..] {
            outsider.client.drain(*node, cancel, Duration::from_secs(10)).await.unwrap();
        }
        let reached = |state: &ClusterState| has_settled(state, holders.len(), holders);
        scrape_until(&outsider, &targets, (&mut tick, &mut acked), reached).await;
        // Long enough for those that left to remove what they had.
        for _ in 0..20 {
            scrape_all(&outsider, &targets, tick, &mut acked).await;
            tick += 1000;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_same(&read_all(&outsider).await, &acked);
    }
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_is_replaced_and_told_so_when_it_comes_back() {
    let clock = virtual_clock(START_MS);
    let world = World::new(&["a", "b", "c", "d"], birth(7_200_000), clock.clone());
    let mut nodes = world.start_all().await;
    let outsider = world.outsider();
    let targets: Vec<_> = (0..5).map(|number| FakeTarget::new(number, 3)).collect();
    let (mut acked, mut tick) = (Readable::new(), START_MS);
    scrape_all(&outsider, &targets, tick, &mut acked).await;
    tick += 1000;
    let lost = nodes.remove(1);
    let (name, id) = (lost.name.clone(), lost.ingester.identity().node);
    lost.die().await;
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.ingester.identity().node).collect();
    let reached = |state: &ClusterState| state.nodes[&id].state == NodeState::Gone && has_settled(state, 3, &ids);
    let begun = clock.now();
    scrape_until(&outsider, &targets, (&mut tick, &mut acked), reached).await;
    assert!(clock.now() - begun >= sim::REPLACE_AFTER, "it was given time to come back");
    let told = world.try_start(&name).await.err().unwrap().to_string();
    assert!(told.contains("has ended"), "{told}");
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}
