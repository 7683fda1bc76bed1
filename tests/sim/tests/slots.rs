//! Slots that move from shard to shard while their targets are scraped and read.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::sync::Arc;
use std::time::Duration;

use distributor::{Config, Distributor, PushedSeries};
use engine::{Engine, EngineOptions, PushDown, QueryRequest, Value};
use meta::Birth;
use model::{Labels, Matcher, Sample, ShardId, Slot, TenantId, TimeRange, Timestamp};
use proto::entry::Outcome;
use series::{Consistency, Samples};
use sim::{FakeTarget, Outsider, World, is_stored, virtual_clock};
use stdx::{Clock, CpuPool, Rng, Tasks};
use telemetry::Registry;

/// When the tests begin: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;
const SHARDS: u32 = 3;
const TARGETS: u32 = 4;
/// How much every series counts in a second.
const PER_SECOND: f64 = 3.0;
const LIMIT: Duration = Duration::from_secs(10);

/// Sends a slot to the next shard, and waits until it is there.
async fn move_on(outsider: &Outsider, slot: Slot) -> ShardId {
    let mut states = outsider.client.watch();
    let born = states.wait_for(|state| state.shard_map.is_some()).await.unwrap().clone();
    let to = ShardId(born.shard_map.as_ref().unwrap().shard_of(slot).0 % SHARDS + 1);
    // A shard that has no leader yet has one in a moment.
    while outsider.client.move_slot(slot, to, LIMIT).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let is_there = |state: &Arc<meta::ClusterState>| state.shard_map.as_ref().unwrap().shard_of(slot) == to;
    tokio::time::timeout(LIMIT, states.wait_for(is_there)).await.unwrap().unwrap();
    to
}

async fn ask(
    outsider: &Outsider,
    clock: &Clock,
    query: &str,
    push_down: Option<PushDown>,
) -> Vec<(Labels, Vec<(i64, f64)>)> {
    let engine = Engine::new(EngineOptions::default(), clock.clone(), CpuPool::inline());
    // Counters have run for as long as the longest range when the first step comes.
    let request = QueryRequest::range(query, START_MS + 60_000, clock.wall_ms(), 5_000);
    let request = QueryRequest { push_down: push_down.unwrap_or(request.push_down), ..request };
    let result = engine.run(engine.prepare(request).unwrap(), outsider.storage(Consistency::Strong)).await.unwrap();
    let Value::Matrix(series) = result.value else { panic!("a range query answers with a matrix") };
    series.iter().map(|series| (series.labels, series.floats)).collect()
}

/// Every counter has counted evenly, whoever has which part of it.
async fn check_rates(outsider: &Outsider, clock: &Clock) {
    for push_down in [None, Some(PushDown::Never)] {
        let rates = ask(outsider, clock, "rate(m0[50s])", push_down).await;
        assert_eq!(rates.len(), TARGETS as usize);
        let sums = ask(outsider, clock, "sum(rate(m0[50s]))", push_down).await;
        let expected = [(rates, PER_SECOND), (sums, PER_SECOND * f64::from(TARGETS))];
        let steps = ((clock.wall_ms() - START_MS - 60_000) / 5_000 + 1) as usize;
        for ((labels, values), rate) in expected.iter().flat_map(|(all, rate)| all.iter().map(move |one| (one, rate))) {
            assert_eq!(values.len(), steps, "{labels} has a gap");
            let wrong = values.iter().find(|(_, value)| (value - rate).abs() > 1e-9);
            assert_eq!(wrong, None, "{labels} counts {rate} in a second");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_counter_goes_on_wherever_its_slot_is_and_what_was_left_behind_is_shipped() {
    let clock = virtual_clock(START_MS);
    let birth = Birth { shards: SHARDS, replication: 1, block_window_ms: 60_000 };
    let world = World::new(&["a"], birth, clock.clone());
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    let targets: Vec<_> = (0..TARGETS).map(|number| FakeTarget::new(number, 2)).collect();
    for round in 0..80 {
        for target in &targets {
            let tick = clock.wall_ms();
            let count = (tick - START_MS) as f64 / 1000.0 * PER_SECOND;
            let answer = outsider.append(target.slot(), &target.scrape(tick, &[count, count])).await;
            assert!(is_stored(&answer), "{answer:?}");
            // Whoever sends it again hears that it is there, before the move and after it.
            if round % 7 == 3 {
                move_on(&outsider, target.slot()).await;
            }
            let answer = outsider.append(target.slot(), &target.scrape(tick, &[0.0, 0.0])).await;
            assert_eq!(answer.outcome(), Outcome::Duplicate);
        }
        let next = START_MS + (round + 1) * 5_000;
        clock.sleep(Duration::from_millis(u64::try_from(next - clock.wall_ms()).unwrap())).await;
        if round > 14 && round % 6 == 0 {
            check_rates(&outsider, &clock).await;
        }
    }
    let state = outsider.client.state();
    let moved = state.shard_map.as_ref().unwrap().last_move;
    assert!(state.blocks.len() > 6 && moved > 30, "{} blocks, {moved} moves", state.blocks.len());
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pushed_samples_follow_their_slots() {
    let clock = virtual_clock(START_MS);
    let birth = Birth { shards: SHARDS, replication: 1, block_window_ms: 7_200_000 };
    let world = World::new(&["a"], birth, clock.clone());
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    let (tenant, tasks) = (TenantId::default(), Tasks::new());
    let distributor = Distributor::new(
        Config::default(),
        outsider.nodes().clone(),
        Arc::new(outsider.client.clone()),
        clock.clone(),
        Rng::from_seed(3),
        &Registry::new(),
        &tasks,
    );
    let labels = |number: i64| {
        Labels::from_pairs([("__name__", "p"), ("job", "pushed"), ("number", number.to_string().as_str())])
    };
    let pushed = |number: i64, time: i64| {
        let mut samples = Samples::default();
        let value = model::Value::Float((time * 10 + number) as f64);
        samples.push(&Sample { timestamp: Timestamp(time), value }, 0);
        PushedSeries { labels: labels(number), samples }
    };
    outsider.client.watch().wait_for(|state| state.shard_map.is_some()).await.unwrap();
    for round in 0..20 {
        let time = START_MS + round * 1000;
        let series: Vec<PushedSeries> = (0..10).map(|number| pushed(number, time)).collect();
        // Orders are taken at once, and samples come while slots are on their way.
        let slot = ring::slot_of_series(&tenant, &labels(round % 10));
        let moving = move_on(&outsider, slot);
        let pushing = async {
            for _ in 0..3 {
                let answers = distributor.push(&tenant, &series).unwrap().await;
                assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(is_stored)), "{answers:?}");
                clock.sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::join!(moving, pushing);
    }
    let read = outsider.read(Matcher::equal("job", "pushed"), TimeRange::ALL, Consistency::Strong).await.unwrap();
    assert_eq!(read.len(), 10);
    for (labels, samples) in read {
        let number: i64 = labels.value("number").parse().unwrap();
        let expected = (0..20).map(|round| START_MS + round * 1000).map(|time| (time, (time * 10 + number) as f64));
        assert_eq!(samples, expected.collect::<Vec<_>>(), "{labels}");
    }
    distributor.drain(LIMIT).await;
    tasks.stop();
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}
