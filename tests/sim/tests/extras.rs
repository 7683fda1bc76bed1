//! What a page says beside its values comes out of queries: exemplars, and when counters began.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::sync::Arc;
use std::time::Duration;

use discovery::{Discovered, TargetGroup};
use engine::{Engine, EngineOptions, QueryRequest, Value};
use meta::Birth;
use model::{Labels, MatchOp, Matcher, Timestamp};
use scraper::Job;
use series::{Budget, Consistency, ExemplarQuery, SeriesExemplars};
use sim::{CounterPages, Outsider, World, virtual_clock};
use stdx::{Clock, CpuPool};
use tokio::sync::watch;

/// When the tests begin: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;
/// When the counters began.
const BEGAN_MS: i64 = START_MS - 12_345_678;
const INTERVAL: Duration = Duration::from_secs(1);
const TARGETS: usize = 6;

async fn exemplars(outsider: &Outsider, instance: &str) -> Vec<SeriesExemplars> {
    let matchers =
        vec![Matcher::equal("__name__", "asked_total"), Matcher::new(MatchOp::Regex, "instance", instance).unwrap()];
    let query = ExemplarQuery { selectors: [matchers].into(), start: Timestamp::MIN, end: Timestamp::MAX };
    outsider.storage(Consistency::Strong).exemplars(query, &Budget::unlimited()).await.unwrap()
}

/// The values of an instant query, which are those of vectors.
async fn values(outsider: &Outsider, clock: &Clock, query: &str) -> Vec<f64> {
    let mut options = EngineOptions::default();
    options.features.start_timestamps = true;
    options.features.parse.experimental_functions = true;
    let engine = Engine::new(options, clock.clone(), CpuPool::inline());
    let prepared = engine.prepare(QueryRequest::instant(query, clock.wall_ms())).unwrap();
    match engine.run(prepared, outsider.storage(Consistency::Strong)).await.unwrap().value {
        Value::Vector(samples) => samples
            .iter()
            .map(|sample| match sample.value {
                model::Value::Float(value) => value,
                model::Value::Histogram(_) => f64::NAN,
            })
            .collect(),
        other => panic!("{query} is {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn exemplars_and_starts_come_out_of_queries_whoever_dies() {
    let birth = Birth { shards: 3, replication: 3, block_window_ms: 7_200_000 };
    let clock = virtual_clock(START_MS);
    let world = World::new(&["a", "b", "c"], birth, clock.clone());
    let mut ingesters = world.start_all().await;
    let addresses: Vec<String> = (0..TARGETS).map(|number| format!("target-{number}:80")).collect();
    let group = TargetGroup::new("test", addresses.iter().map(String::as_str), Labels::empty());
    let found = Discovered { groups: [Arc::new(group)].into(), is_complete: true };
    let (_found, discovered) = watch::channel(found);
    let job = Job { interval: INTERVAL, timeout: INTERVAL, start_timestamps: true, ..Job::new("job") };
    let pages = Arc::new(CounterPages { clock: clock.clone(), began_ms: BEGAN_MS });
    let scraper = world.start_scraper_of("one", job, discovered, None, pages);

    // One after the other every ingester dies and comes back with what it has on its disk: snapshots, and the log behind.
    for _ in 0..ingesters.len() {
        clock.sleep(Duration::from_secs(70)).await;
        let lost = ingesters.remove(0);
        let name = lost.name.clone();
        lost.die().await;
        clock.sleep(Duration::from_secs(30)).await;
        ingesters.push(world.start(&name).await);
    }
    clock.sleep(Duration::from_secs(10)).await;
    let outsider = world.outsider();
    outsider.client.reached(1).await;

    let found = exemplars(&outsider, ".*").await;
    assert_eq!(found.len(), TARGETS);
    assert!(found.is_sorted_by(|a, b| a.labels < b.labels));
    for SeriesExemplars { labels, exemplars } in &found {
        assert!(exemplars.len() > 100, "{labels} has {}", exemplars.len());
        for exemplar in exemplars {
            let count = (exemplar.timestamp.as_ms() - BEGAN_MS) / 1000;
            assert_eq!((exemplar.value, exemplar.labels.value("trace_id")), (0.5, count.to_string().as_str()));
        }
    }
    assert_eq!(exemplars(&outsider, "target-1:80").await.len(), 1);

    let began = BEGAN_MS as f64 / 1000.0;
    assert_eq!(values(&outsider, &clock, "start_timestamp(asked_total)").await, [began; TARGETS]);
    assert_eq!(values(&outsider, &clock, "start_timestamp(up)").await, [0.0; TARGETS]);

    // Every shard keeps its share of what is configured, from the moment at which that changes.
    world.max_exemplars.send_replace(Some(9));
    clock.sleep(Duration::from_secs(5)).await;
    let kept = exemplars(&outsider, ".*").await.iter().map(|series| series.exemplars.len()).sum::<usize>();
    assert!((1..=9).contains(&kept), "{kept} exemplars");

    scraper.drain().await;
    for ingester in ingesters {
        ingester.die().await;
    }
    outsider.stop().await;
}
