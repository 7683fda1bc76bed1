//! What scrapers were told is stored can be read, whoever dies, and no target is left alone for long.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use discovery::{Discovered, TargetGroup};
use futures::TryStreamExt;
use meta::Birth;
use model::{Labels, Matcher, TimeRange};
use scraper::Job;
use serde_json::Value;
use series::{Budget, Consistency, Hints, Samples, Select};
use sim::{Outsider, World, virtual_clock};
use tokio::sync::watch;

/// When the tests begin: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;
const INTERVAL: Duration = Duration::from_secs(5);
const TARGETS: u32 = 24;

/// Values by time, by labels.
type Readable = BTreeMap<String, BTreeMap<i64, f64>>;

async fn read(outsider: &Outsider, metric: &str) -> Readable {
    let matchers = Arc::new([Matcher::equal("__name__", metric)]);
    let select = Select { matchers, range: TimeRange::ALL, hints: Hints::default() };
    let storage = outsider.storage(Consistency::Strong);
    let batches: Vec<_> = storage.select(select, &Budget::unlimited()).await.unwrap().try_collect().await.unwrap();
    let mut readable = Readable::new();
    for series in batches.into_iter().flatten() {
        let mut samples = Samples::default();
        series.read(TimeRange::ALL, &mut samples).unwrap();
        let samples = samples.float_times.iter().copied().zip(samples.floats.iter().copied());
        readable.insert(series.labels.value("instance").to_owned(), samples.collect());
    }
    readable
}

/// The (instance, time) pairs of which a scraper was told that they are stored.
fn acknowledged(journal: &Path) -> Vec<(String, i64)> {
    let text = std::fs::read_to_string(journal).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    // A duplicate may be that of another scraper, with a time of its own.
    lines
        .filter(|line| line["outcome"] == "stored")
        .map(|line| {
            let instance = line["labels"]["instance"].as_str().unwrap().to_owned();
            (instance, line["timestamp_ms"].as_i64().unwrap())
        })
        .collect()
}

/// Every sample bears the time at which it was asked for, and none is a staleness marker.
fn assert_honest(readable: &Readable) {
    for (instance, samples) in readable {
        for (time, value) in samples {
            assert!(
                (*time as f64 - value).abs() <= 50.0,
                "{instance} was asked at {value}, and it is stored at {time}"
            );
        }
    }
}

/// The longest time for which a target was not scraped.
fn longest_gap(readable: &Readable) -> Duration {
    let gaps = readable.values().flat_map(|samples| {
        let times: Vec<i64> = samples.keys().copied().collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    });
    Duration::from_millis(gaps.max().unwrap().unsigned_abs())
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_can_be_read_and_no_target_is_left_alone() {
    let birth = Birth { shards: 3, replication: 3, block_window_ms: 7_200_000 };
    let clock = virtual_clock(START_MS);
    let world = World::new(&["a", "b", "c"], birth, clock.clone());
    let mut ingesters = world.start_all().await;
    let folder = tempfile::tempdir().unwrap();
    let addresses: Vec<String> = (0..TARGETS).map(|number| format!("target-{number}:80")).collect();
    let group = TargetGroup::new("test", addresses.iter().map(String::as_str), Labels::empty());
    let found = Discovered { groups: [Arc::new(group)].into(), is_complete: true };
    let (_found, discovered) = watch::channel(found);
    let job = Job { interval: INTERVAL, timeout: INTERVAL, ..Job::new("job") };
    let names = ["one", "two", "three"];
    let start = |name: &str| world.start_scraper(name, job.clone(), discovered.clone(), folder.path().join(name));
    let some_time = || clock.sleep(Duration::from_secs(21));

    let (one, two) = (start(names[0]), start(names[1]));
    some_time().await;
    let lost = ingesters.remove(0);
    let name = lost.name.clone();
    lost.die().await;
    some_time().await;
    one.die().await;
    some_time().await;
    ingesters.push(world.start(&name).await);
    let three = start(names[2]);
    some_time().await;
    two.drain().await;
    some_time().await;
    three.drain().await;

    let outsider = world.outsider();
    outsider.client.reached(1).await;
    let readable = read(&outsider, "asked_ms").await;
    assert_eq!(readable.len(), TARGETS as usize);
    assert_honest(&readable);
    assert_honest(&read(&outsider, "asked_again_ms").await);
    for name in names {
        let acknowledged = acknowledged(&folder.path().join(name));
        assert!(acknowledged.len() > 10, "{name} had {}", acknowledged.len());
        for (instance, time) in acknowledged {
            assert!(
                readable[&instance].contains_key(&time),
                "{instance} at {time} was acknowledged, and cannot be read"
            );
        }
    }
    let gap = longest_gap(&readable);
    assert!(gap <= INTERVAL * 2, "a target was left alone for {gap:?}");
    let up = read(&outsider, "up").await;
    assert!(up.values().flat_map(BTreeMap::values).all(|value| *value == 1.0));
    for ingester in ingesters {
        ingester.die().await;
    }
    outsider.stop().await;
}
