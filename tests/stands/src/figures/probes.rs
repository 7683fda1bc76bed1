//! Writes to every shard, one sample at a time, to see how long each takes to be acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use bench_query::data::{Target, Times};
use bench_query::load::Ringwood;
use model::ShardId;
use processes::list;
use stdx::Clock;

use crate::cluster::Cluster;

/// The time between two ticks that a probe has a name for.
const INTERVAL_MS: i64 = 5;

/// A target in each shard.
pub(crate) struct Probes {
    way: Ringwood,
    clock: Clock,
    targets: BTreeMap<u64, Probe>,
    times: Times,
}

struct Probe {
    target: Target,
    next_tick: AtomicU64,
}

impl Probes {
    pub(crate) async fn connect(cluster: &Cluster) -> anyhow::Result<Self> {
        let (way, clock) = (Ringwood::connect(&cluster.address(1)).await, cluster.clock.clone());
        let status = cluster.status().await?;
        let shards = list(&status["shards"]).iter().filter(|shard| shard["shard"] != 0).count();
        let mut targets = BTreeMap::new();
        for number in 0.. {
            if targets.len() == shards {
                break;
            }
            let target = Target::probe(number);
            let ShardId(shard) = way.shard_of(&target).context("the shard map is known")?;
            targets.entry(u64::from(shard)).or_insert(Probe { target, next_tick: AtomicU64::new(0) });
        }
        let times = Times { start_ms: clock.wall_ms(), end_ms: i64::MAX, interval_ms: INTERVAL_MS };
        Ok(Self { way, clock, targets, times })
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = u64> + Clone {
        self.targets.keys().copied()
    }

    /// Writes a sample of now into a shard. Returns how long it took to be acknowledged.
    pub(crate) async fn write(&self, shard: u64) -> anyhow::Result<Duration> {
        let began = self.clock.now();
        let probe = self.targets.get(&shard).with_context(|| format!("there is no shard {shard}"))?;
        let now = ((self.clock.wall_ms() - self.times.start_ms) / INTERVAL_MS) as u64;
        // Each write is a tick of its own: one that is repeated would be acknowledged for the first one's sake.
        let tick = now.max(probe.next_tick.load(Ordering::Relaxed));
        probe.next_tick.store(tick + 1, Ordering::Relaxed);
        self.way.append_tick(&probe.target, self.times, tick).await?;
        Ok(self.clock.now().duration_since(began))
    }

    pub(crate) async fn end(self) {
        self.way.end().await;
    }
}
