//! What a node says to others about itself, again and again.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use consensus::{Group, GroupStatus, Standing};
use futures::future::join_all;
use meta::{Client, MetaMachine, MetaService};
use model::{NodeId, ShardId};
use proto::meta as wire;
use stdx::Throttle;
use transport::ErrorKind;

use crate::budget::MemoryBudget;
use crate::replica::report;
use crate::replicas::Replicas;
use crate::time::ClusterTime;

/// The pause between two beats.
const BEAT: Duration = Duration::from_millis(500);
/// How long a beat may take.
const BEAT_LIMIT: Duration = Duration::from_secs(2);
/// Memory is measured once in so many beats: it takes a walk over the heads.
const BEATS_PER_MEASURE: u32 = 10;

/// What beats say beside the shards.
pub(crate) struct Beats {
    pub(crate) own: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) client: Client,
    /// The node's part of meta. Nodes that have no replica of it open the group all the same.
    pub(crate) meta_group: Group<MetaMachine>,
    pub(crate) meta_service: MetaService,
    pub(crate) budget: MemoryBudget,
    pub(crate) time: ClusterTime,
    /// How fast copies of shards come in.
    pub(crate) receiving: Throttle,
}

impl Beats {
    /// Tells meta that this node lives and how it sees its shards, for ever. Ends only if meta says that the identity of
    /// this node has ended; returns what it said.
    pub(crate) async fn run(self, replicas: Arc<Replicas>) -> String {
        let mut memory_bytes = 0;
        for beat in 0u32.. {
            if beat.is_multiple_of(BEATS_PER_MEASURE) {
                memory_bytes = self.measure(&replicas).await;
            }
            let all = replicas.all();
            let mut reports = join_all(all.iter().map(|replica| replica.report())).await;
            self.show(&replicas, &reports, memory_bytes);
            note_damage(&mut reports, replicas.damage().all());
            let meta_status = self.meta_group.status();
            if meta_status.voters.contains(&self.own) || meta_status.learners.contains(&self.own) {
                reports.push(report(ShardId::META, meta_status));
            }
            let request = wire::BeatRequest {
                node_id: self.own.0,
                incarnation: self.incarnation,
                replicas: reports,
                memory_bytes,
                wall_ms: self.time.own_wall_ms(),
                received_bytes: self.receiving.taken_bytes(),
                receives_bytes_per_second: self.receives_bytes_per_second(),
                dropped: replicas.dropped().into_iter().map(|shard| shard.0).collect(),
                feature_level: meta::FEATURE_LEVEL,
                watchers_level: self.meta_service.watchers_level(),
            };
            let asked = replicas.clock().now();
            match self.client.beat(request, BEAT_LIMIT).await {
                Ok(reply) => self.time.hear(asked, reply.wall_ms),
                Err(error) if error.kind == ErrorKind::Rejected => return error.message,
                Err(error) => tracing::debug!(%error, "a beat was not heard"),
            }
            replicas.clock().sleep_about(BEAT).await;
        }
        String::new()
    }

    /// Sums up what the heads take, in bytes.
    async fn measure(&self, replicas: &Arc<Replicas>) -> u64 {
        let all = replicas.all();
        let led = all.iter().filter(|replica| replica.group.status().standing == Standing::Leader).count();
        self.budget.holds(all.len(), led);
        let promised = self.budget.begin();
        let views = join_all(all.into_iter().map(|replica| async move { replica.group.view().await.1 })).await;
        let series = views.iter().map(|view| view.series_count()).sum();
        let measured =
            replicas.reading().run(move || views.iter().map(|view| view.memory().total() as u64).sum::<u64>());
        let used = measured.await;
        self.budget.measured(used, series, promised);
        used
    }

    fn receives_bytes_per_second(&self) -> u64 {
        self.receiving.bytes_per_second().map_or(0, NonZeroU64::get)
    }

    fn show(&self, replicas: &Replicas, reports: &[wire::ReplicaStatus], memory_bytes: u64) {
        let metrics = replicas.metrics();
        metrics.shards.set(reports.len() as i64);
        metrics.leaderships.set(reports.iter().filter(|report| report.is_leader).count() as i64);
        metrics.leaderless_shards.set(reports.iter().filter(|report| report.leader == 0).count() as i64);
        metrics.follower_lag_entries.set(follower_lag(replicas) as i64);
        metrics.series.set(reports.iter().map(|report| report.series_count as i64).sum());
        metrics.unshipped_cuts.set(reports.iter().map(|report| i64::from(report.unshipped_cuts)).sum());
        let received = self.receiving.taken_bytes();
        metrics.received_bytes.inc_by(received.saturating_sub(metrics.received_bytes.get()));
        metrics.receiving_limit.set(i64::try_from(self.receives_bytes_per_second()).unwrap_or(i64::MAX));
        metrics.memory_bytes.set(memory_bytes as i64);
        metrics.memory_limit_bytes.set(i64::try_from(self.budget.limit_bytes()).unwrap_or(i64::MAX));
        metrics.damaged_shards.set(replicas.damage().all().len() as i64);
        metrics.clock_ahead_seconds.set(self.time.own_ahead_seconds());
    }
}

/// Adds what is damaged to what replicas say of themselves; one that could not even be opened says nothing else.
fn note_damage(reports: &mut Vec<wire::ReplicaStatus>, damaged: BTreeMap<ShardId, String>) {
    for (shard, damage) in damaged {
        match reports.iter_mut().find(|report| report.shard == shard.0) {
            Some(report) => report.damage = damage,
            None => reports.push(wire::ReplicaStatus { shard: shard.0, damage, ..Default::default() }),
        }
    }
}

/// How many committed entries the slowest follower of a shard lacks that is led here.
fn follower_lag(replicas: &Replicas) -> u64 {
    let lag = |status: GroupStatus| {
        let behind = status.replicated_count.iter().map(|(_, count)| status.committed_count.saturating_sub(*count));
        behind.max().unwrap_or(0)
    };
    replicas.all().iter().map(|replica| lag(replica.group.status())).max().unwrap_or(0)
}
