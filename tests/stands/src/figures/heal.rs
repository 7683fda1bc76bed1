//! Ingesters restart, lose what they have, and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use bench_query::data::{Fleet, Target, Times};
use bench_query::load::Ringwood;
use futures::future::try_join_all;
use processes::{list, node_at};
use serde_json::Value;

use super::{Figure, Probes, quantile, thousands};
use crate::cluster::{Cluster, get};

const SERIES_PER_TARGET: usize = 500;
const INTERVAL_MS: i64 = 15_000;
const LENGTH_MS: i64 = 2 * 3600 * 1000;
/// The ingester that things happen to.
const VICTIM: usize = 2;

/// Writes two hours of samples.
pub(super) async fn load(cluster: &Cluster, series: usize) -> anyhow::Result<()> {
    let end_ms = cluster.clock.wall_ms() / INTERVAL_MS * INTERVAL_MS;
    let fleet = Fleet {
        targets: (0..series.div_ceil(SERIES_PER_TARGET)).map(Target::node).collect(),
        times: Times { start_ms: end_ms - LENGTH_MS, end_ms, interval_ms: INTERVAL_MS },
    };
    let way = Ringwood::connect(&cluster.address(1)).await;
    way.append(&fleet).await?;
    way.end().await;
    cluster.settled().await
}

/// Kills an ingester and starts it again.
pub(super) async fn restart(cluster: &mut Cluster, series: usize) -> anyhow::Result<[Figure; 2]> {
    let running = cluster.ingester(VICTIM)?.reset_peak()?;
    cluster.kill(VICTIM);
    let began = cluster.clock.now();
    cluster.restart(VICTIM).await?;
    let ready = cluster.clock.now().duration_since(began);
    cluster.settled().await?;
    let settled = cluster.clock.now().duration_since(began);
    let peak = cluster.ingester(VICTIM)?.peak()?;
    let what = format!("restart after SIGKILL, {} series × 2 h", thousands(series));
    let time = Figure {
        what: format!("{what}: until ready"),
        wanted: "5 s",
        measured: format!(
            "{:.1} s, and {:.1} s until it has all that the others have",
            ready.as_secs_f64(),
            settled.as_secs_f64()
        ),
    };
    let memory = Figure {
        what: format!("{what}: peak of resident memory"),
        wanted: "what it was before",
        measured: format!("{} MiB, before {} MiB", peak / 1024, running / 1024),
    };
    Ok([time, memory])
}

/// An ingester loses its disk, and comes back as another node.
pub(super) async fn wiped(cluster: &mut Cluster, series: usize) -> anyhow::Result<Figure> {
    cluster.kill(VICTIM);
    cluster.wipe(VICTIM)?;
    let began = cluster.clock.now();
    cluster.restart(VICTIM).await?;
    cluster.settled().await?;
    let took = cluster.clock.now().duration_since(began);
    Ok(Figure {
        what: format!("disk lost, {} series × 2 h: until all shards have three replicas again", thousands(series)),
        wanted: "60 s",
        measured: format!("{:.1} s", took.as_secs_f64()),
    })
}

/// Adds three ingesters, and empties one of the six while all shards are written to and a querier is asked.
pub(super) async fn drain(cluster: &mut Cluster, probes: &Probes) -> anyhow::Result<Figure> {
    for _ in 0..3 {
        cluster.add().await?;
    }
    let querier = cluster.start_querier().await?;
    let shards = probes.shards().count();
    // Half of what each would have if all had the same: moves are throttled, and this is not what is measured.
    let is_filled = |status: &Value| {
        let nodes = list(&status["nodes"]).iter().filter(|node| node["state"] == "up");
        nodes.clone().count() == 6 && nodes.into_iter().all(|node| list(&node["replicas"]).len() * 4 >= shards)
    };
    cluster.wait_until("six ingesters share the shards", |status| is_filled(status).then_some(())).await?;
    let node = node_at(&cluster.status().await?, &cluster.address(1)).context("ingester 1 is known")?;
    let is_over = AtomicBool::new(false);
    let draining = async {
        let began = cluster.clock.now();
        cluster.order(&["drain", &node.to_string()]).await?;
        let is_empty = |status: &Value| {
            let holds = |list_name: &str| {
                list(&status["shards"]).iter().any(|shard| list(&shard[list_name]).contains(&node.into()))
            };
            (!holds("replicas") && !holds("leaving")).then_some(())
        };
        let emptied = cluster.wait_until("a node is empty", is_empty).await;
        let took = cluster.clock.now().duration_since(began);
        is_over.store(true, Ordering::Relaxed);
        emptied.map(|()| took)
    };
    let writing = try_join_all(probes.shards().map(|shard| write_on(cluster, probes, shard, &is_over)));
    let (took, written, asked) = tokio::join!(draining, writing, ask_on(cluster, &querier, &is_over));
    let (took, mut written) = (took?, written?.concat());
    let (answered, failed) = asked;
    Ok(Figure {
        what: "one of six ingesters emptied, under load".to_owned(),
        wanted: "no write, no query fails",
        measured: format!(
            "{:.1} s; {} writes, none failed, p99 {} ms, at most {} ms; {answered} queries, {failed} failed",
            took.as_secs_f64(),
            written.len(),
            quantile(&mut written, 990),
            quantile(&mut written, 1000)
        ),
    })
}

/// Writes into a shard again and again. Returns how long each took.
async fn write_on(
    cluster: &Cluster,
    probes: &Probes,
    shard: u64,
    is_over: &AtomicBool,
) -> anyhow::Result<Vec<Duration>> {
    const PAUSE: Duration = Duration::from_millis(100);
    let mut written = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        written.push(probes.write(shard).await?);
        cluster.clock.sleep(PAUSE).await;
    }
    Ok(written)
}

/// Asks a querier again and again. Returns how many queries were answered, and how many were not.
async fn ask_on(cluster: &Cluster, querier: &str, is_over: &AtomicBool) -> (u64, u64) {
    const PAUSE: Duration = Duration::from_millis(50);
    let (mut answered, mut failed) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        match get(&cluster.client, &format!("{querier}/api/v1/query?query=count(probe)")).await {
            Ok(_) => answered += 1,
            Err(error) => {
                eprintln!("  {error:#}");
                failed += 1;
            }
        }
        cluster.clock.sleep(PAUSE).await;
    }
    (answered, failed)
}
