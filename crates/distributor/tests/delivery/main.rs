//! Records to nodes that lose, delay, refuse and contradict, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod node;

use std::sync::Arc;
use std::time::Duration;

use distributor::{Config, Delivery, Distributor, Dropped, Outgoing};
use model::{ShardId, Slot};
use node::{FakeRoutes, Faults, World, shard_map, start};
use parking_lot::Mutex;
use proptest::prelude::*;
use proto::entry::{Outcome, Record, Scrape, record};
use ring::ShardMap;
use stdx::{ByteSize, Clock, Rng, Tasks};
use telemetry::Registry;

/// What a record takes in memory beside its contents.
const OVERHEAD: u64 = 1024;

/// A record of one shard, named by its tick, of some hundred bytes.
fn outgoing(slot: u16, tick_ms: i64) -> Outgoing {
    let scrape = Scrape { tick_ms, row: vec![7; 100].into(), ..Scrape::default() };
    let record = Record { tenant: "a".to_owned(), record: Some(record::Record::Scrape(scrape)), verdict: None };
    Outgoing { slot: Slot(slot), record, samples: 10 }
}

struct Test {
    world: Arc<Mutex<World>>,
    routes: Arc<FakeRoutes>,
    distributor: Distributor,
    registry: Registry,
    tasks: Tasks,
}

impl Test {
    /// Three nodes, of which the first one leads everything.
    async fn new(shards: u32, config: Config, faults: Faults, seed: u64) -> Self {
        let world = World { faults, window: 4 << 20, hints: true, ..World::default() };
        let world = Arc::new(Mutex::new(world));
        let tasks = Tasks::new();
        let nodes = start(&world, &[1, 2, 3], seed, &tasks).await;
        let map = Some(Arc::new(shard_map(shards, &[1, 2, 3])));
        let routes = Arc::new(FakeRoutes { map: Mutex::new(map), hints: Mutex::default() });
        let registry = Registry::new();
        let rng = Rng::from_seed(seed);
        let distributor = Distributor::new(config, nodes, routes.clone(), Clock::system(), rng, &registry, &tasks);
        Self { world, routes, distributor, registry, tasks }
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.registry.encode().unwrap();
        let lines = text.lines().filter(|line| line.starts_with(&format!("ringwood_distributor_{name}")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    async fn end(self) {
        self.distributor.drain(Duration::from_secs(1)).await;
        self.tasks.stop();
        self.tasks.wait().await;
    }
}

fn outcome(delivery: &Delivery) -> Outcome {
    delivery.as_ref().unwrap().outcome()
}

#[tokio::test(start_paused = true)]
async fn records_reach_the_leader_in_order_and_in_few_batches() {
    let test = Test::new(1, Config::default(), Faults::default(), 1).await;
    let answers = test.distributor.append((0..500).map(|tick| outgoing(0, tick)).collect()).await;
    assert!(answers.iter().all(|answer| outcome(answer) == Outcome::Stored));
    let world = test.world.lock();
    assert_eq!(world.order, (0..500).collect::<Vec<_>>());
    assert_eq!(world.asked, [1]);
    assert_eq!((test.metric("records_total"), test.metric("buffer_bytes")), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn without_hints_each_replica_is_asked_in_turn() {
    let test = Test::new(1, Config::default(), Faults::default(), 1).await;
    *test.world.lock() = World { leaders: [(1, 3)].into(), hints: false, window: 4 << 20, ..World::default() };
    test.distributor.append(vec![outgoing(0, 1)]).await;
    assert_eq!(test.world.lock().asked, [1, 2, 3]);
    test.distributor.append(vec![outgoing(0, 2)]).await;
    assert_eq!(test.world.lock().asked, [1, 2, 3, 3]);
    assert_eq!(test.metric("retries_total"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hint_leads_straight_to_the_leader() {
    let test = Test::new(1, Config::default(), Faults::default(), 1).await;
    test.world.lock().leaders = [(1, 3)].into();
    test.distributor.append(vec![outgoing(0, 1)]).await;
    assert_eq!(test.world.lock().asked, [1, 3]);
    // A stale hint of one's own costs one more question.
    test.world.lock().leaders = [(1, 2)].into();
    test.distributor.append(vec![outgoing(0, 2)]).await;
    assert_eq!(test.world.lock().asked, [1, 3, 3, 2]);
    assert_eq!(test.routes.hints.lock()[&ShardId(1)].0, 2);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_point_at_each_other_end_no_search() {
    let test = Test::new(1, Config::default(), Faults::default(), 1).await;
    // Node 9 is nowhere, and everyone says that it leads.
    test.world.lock().leaders = [(1, 9)].into();
    let pending = test.distributor.append(vec![outgoing(0, 1)]);
    tokio::time::sleep(Duration::from_secs(20)).await;
    test.world.lock().leaders = [(1, 2)].into();
    assert_eq!(outcome(&pending.await[0]), Outcome::Stored);
    assert!((10..400).contains(&test.world.lock().asked.len()), "{}", test.world.lock().asked.len());
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_asked_again_after_the_deadline() {
    let test = Test::new(1, Config::default(), Faults::default(), 1).await;
    test.world.lock().frozen = true;
    let pending = test.distributor.append(vec![outgoing(0, 1)]);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(test.world.lock().asked, [1, 2]);
    test.world.lock().frozen = false;
    assert_eq!(outcome(&pending.await[0]), Outcome::Stored);
    test.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_window_is_kept() {
    let config = Config { batch: ByteSize(1_000), ..Config::default() };
    let faults = Faults { slowest: Duration::from_millis(50), ..Faults::default() };
    let test = Test::new(16, config, faults, 3).await;
    test.world.lock().window = 3_000;
    // Learns the window.
    test.distributor.append(vec![outgoing(0, -1)]).await;
    let records = (0..2_000).map(|tick| outgoing(tick as u16, tick)).collect();
    let answers = test.distributor.append(records).await;
    assert!(answers.iter().all(|answer| outcome(answer) == Outcome::Stored));
    let most = test.world.lock().most_in_flight;
    assert!((2_000..=3_000).contains(&most), "{most}");
}

#[tokio::test(start_paused = true)]
async fn records_of_a_slot_that_has_moved_follow_it() {
    let test = Test::new(2, Config::default(), Faults::default(), 1).await;
    let (stays, moves) = (0, 2);
    test.world.lock().fenced = Some(1);
    let records = (0..20).map(|tick| outgoing(if tick % 2 == 0 { stays } else { moves }, tick)).collect();
    let mut appended = test.distributor.append(records);
    // Nobody knows yet where it will be, and the others do not wait for that.
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut appended).await.is_err());
    assert_eq!(test.world.lock().order, (0..20).step_by(2).collect::<Vec<i64>>());
    let map = test.routes.map.lock().clone().unwrap();
    let mut moved = ShardMap::clone(&map);
    moved.begin_move(Slot(moves), ShardId(2));
    moved.end_move(1, 0);
    *test.routes.map.lock() = Some(Arc::new(moved));
    let answers = appended.await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|it| it.outcome() == Outcome::Stored)));
    let stored: Vec<(u32, i64)> = test.world.lock().stored.keys().copied().collect();
    let expected = (0..20).step_by(2).map(|tick| (1, tick)).chain((1..20).step_by(2).map(|tick| (2, tick)));
    assert_eq!(stored, expected.collect::<Vec<_>>());
    assert_eq!((test.metric("buffer_records"), test.metric("buffer_bytes ")), (0, 0));
    test.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_drops_the_oldest_and_counts_them() {
    let size = prost::Message::encoded_len(&outgoing(0, 1000).record) as u64;
    let config = Config { buffer: ByteSize(10 * (size + OVERHEAD)), batch: ByteSize(2 * size), ..Config::default() };
    let test = Test::new(1, config, Faults::default(), 1).await;
    test.world.lock().frozen = true;
    let under_way = test.distributor.append((1000..1002).map(|tick| outgoing(0, tick)).collect());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = test.distributor.append((1002..1010).map(|tick| outgoing(0, tick)).collect());
    let second = test.distributor.append((1010..1013).map(|tick| outgoing(0, tick)).collect());
    assert_eq!((test.metric("dropped_records_total"), test.metric("dropped_samples_total")), (3, 30));
    assert_eq!(test.metric("dropped_bytes_total"), 3 * size);
    test.world.lock().frozen = false;
    let first = first.await;
    assert_eq!(first[..3], [Err(Dropped::BufferFull), Err(Dropped::BufferFull), Err(Dropped::BufferFull)]);
    let stored = first[3..].iter().chain(&second.await).chain(&under_way.await).map(outcome).collect::<Vec<_>>();
    assert_eq!(stored, [Outcome::Stored; 10]);
}

#[tokio::test(start_paused = true)]
async fn news_go_before_the_backlog() {
    let size = prost::Message::encoded_len(&outgoing(0, 1000).record) as u64;
    let config = Config { batch: ByteSize(2 * size), ..Config::default() };
    let faults = Faults { slowest: Duration::from_millis(20), ..Faults::default() };
    let test = Test::new(1, config, faults, 1).await;
    test.world.lock().frozen = true;
    let old = test.distributor.append((1000..1020).map(|tick| outgoing(0, tick)).collect());
    tokio::time::sleep(Duration::from_secs(30)).await;
    test.world.lock().frozen = false;
    let new = test.distributor.append((2000..2004).map(|tick| outgoing(0, tick)).collect());
    new.await;
    let order = test.world.lock().order.clone();
    // What was on its way, and what the backlog's lane took before the news came.
    assert!(order.len() <= 12, "{order:?}");
    old.await;
    let order = test.world.lock().order.clone();
    let backlog: Vec<_> = order.iter().copied().filter(|tick| (1002..2000).contains(tick)).collect();
    let newest_first: Vec<_> = (0..9).rev().flat_map(|pair| [1002 + 2 * pair, 1003 + 2 * pair]).collect();
    assert_eq!(backlog, newest_first);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_is_dropped_at_the_end() {
    let test = Test::new(2, Config::default(), Faults::default(), 1).await;
    test.world.lock().frozen = true;
    let pending = test.distributor.append((0..4).map(|tick| outgoing(tick as u16, tick)).collect());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let late = test.distributor.append(vec![outgoing(0, 9)]);
    test.distributor.drain(Duration::from_secs(5)).await;
    assert_eq!(pending.await, [const { Err(Dropped::Stopped) }; 4]);
    assert_eq!(late.await, [Err(Dropped::Stopped)]);
    assert_eq!(test.distributor.append(vec![outgoing(0, 10)]).await, [Err(Dropped::Stopped)]);
    assert_eq!((test.metric("dropped_records_total"), test.metric("buffer_records")), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_no_shard_takes_is_not_sent() {
    let test = Test::new(1, Config::default(), Faults::default(), 1).await;
    let mut large = outgoing(0, 1);
    if let Some(record::Record::Scrape(scrape)) = &mut large.record.record {
        scrape.row = vec![0; 33 << 20].into();
    }
    assert_eq!(test.distributor.append(vec![large]).await, [Err(Dropped::TooLarge)]);
    assert!(test.world.lock().asked.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_map_nothing_is_taken() {
    let test = Test::new(1, Config::default(), Faults::default(), 1).await;
    *test.routes.map.lock() = None;
    assert_eq!(test.distributor.append(vec![outgoing(0, 1)]).await, [Err(Dropped::NoShardMap)]);
}

/// Appends for a while, with leaders that change, to nodes that fail as told. Everything must be stored once, or counted.
async fn survive(seed: u64, faults: Faults, buffer: u64) {
    let config = Config { buffer: ByteSize(buffer), batch: ByteSize(2_000), ..Config::default() };
    let test = Test::new(4, config, faults, seed).await;
    let rng = Rng::from_seed(seed);
    let mut pending = Vec::new();
    for tick in 0..300 {
        if tick % 40 == 0 {
            let mut world = test.world.lock();
            world.leaders = (1..=4).map(|shard| (shard, 1 + rng.below(3))).collect();
            world.hints = rng.below(2) == 0;
        }
        pending.push(test.distributor.append(vec![outgoing(tick as u16, tick)]));
        tokio::time::sleep(rng.duration(Duration::ZERO, Duration::from_millis(40))).await;
    }
    let mut dropped = 0;
    for (tick, delivery) in pending.into_iter().enumerate() {
        let shard = 1 + tick as u32 % 4;
        match &delivery.await[0] {
            Ok(answer) => {
                assert!(matches!(answer.outcome(), Outcome::Stored | Outcome::Duplicate));
                assert!(test.world.lock().stored.contains_key(&(shard, tick as i64)), "{tick} is not stored");
            }
            Err(why) => {
                assert_eq!(*why, Dropped::BufferFull);
                dropped += 1;
            }
        }
    }
    assert_eq!(test.metric("dropped_records_total"), dropped);
    assert_eq!(test.metric("records_total") + dropped, 300);
    assert_eq!((test.metric("buffer_bytes"), test.metric("buffer_records")), (0, 0));
    test.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_stored_or_counted(
        seed: u64,
        shares in prop::array::uniform5(0u64..150),
        slowest in 0u64..500,
        buffer in prop::sample::select(vec![20_000, 100_000, 1 << 20]),
    ) {
        let [lose_reply, lose_request, break_stream, unknown, busy] = shares;
        let slowest = Duration::from_millis(slowest);
        let faults = Faults { lose_reply, lose_request, break_stream, unknown, busy, slowest };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(survive(seed, faults, buffer));
    }
}
