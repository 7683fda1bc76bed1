//! How the batches of one lane reach their shard.

use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, ShardId};
use proto::entry::RecordAnswer;
use stdx::{Backoff, Clock, Rng, Tasks};

use crate::batch::Batch;
use crate::buffer::{Buffer, Lane};
use crate::link::{Failure, Links};
use crate::metrics::Metrics;
use crate::moved::follow;
use crate::route::{Round, Routes};

/// Pauses between tries. The shortest is about what an entry takes to be committed.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the lanes of all shards share.
pub(crate) struct Shared {
    pub(crate) buffer: Buffer,
    pub(crate) links: Arc<Links>,
    pub(crate) routes: Arc<dyn Routes>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// One lane of one shard. It has one batch under way at a time: that keeps records in order, and lets the next batch grow
/// meanwhile.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    shard: ShardId,
    lane: Lane,
    round: Round,
    backoff: Backoff,
    rng: Rng,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>, shard: ShardId, lane: Lane, rng: Rng) -> Self {
        let backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, rng.fork());
        Self { shared, shard, lane, round: Round::default(), backoff, rng }
    }

    /// Delivers one batch after another until the distributor stops.
    pub(crate) async fn run(mut self) {
        let shared = self.shared.clone();
        loop {
            let batch = tokio::select! {
                batch = shared.buffer.next_batch(self.shard, self.lane) => batch,
                () = shared.tasks.stopped() => return,
            };
            tokio::select! {
                answers = self.deliver(&batch) => self.finish(batch, answers),
                () = shared.tasks.stopped() => return shared.buffer.give_back(self.shard, batch),
            }
        }
    }

    /// Passes answers on. Records of slots that the shard has no more go to whoever has them.
    fn finish(&self, mut batch: Batch, mut answers: Vec<RecordAnswer>) {
        let moved = batch.take_moved(&mut answers);
        self.shared.buffer.finish(batch, answers);
        if !moved.is_empty() {
            let following = follow(self.shared.clone(), self.rng.fork(), moved);
            self.shared.tasks.spawn("append-moved", following);
        }
    }

    /// Sends a batch until it is answered.
    async fn deliver(&mut self, batch: &Batch) -> Vec<RecordAnswer> {
        let shared = self.shared.clone();
        let start = shared.clock.now();
        loop {
            let Some(node) = self.round.next(&*shared.routes, self.shard) else {
                shared.clock.sleep(self.backoff.next_pause()).await;
                continue;
            };
            let map_epoch = shared.routes.shard_map().map_or(0, |map| map.epoch);
            let failure = match shared.links.append(node, self.shard, map_epoch, batch).await {
                Ok(answers) => {
                    self.backoff.reset();
                    self.round.restart();
                    if shared.routes.leader_hint(self.shard) != Some(node) {
                        shared.routes.set_leader_hint(self.shard, Some(node));
                    }
                    shared.metrics.append_duration.observe(shared.clock.now().duration_since(start).as_secs_f64());
                    return answers;
                }
                Err(failure) => failure,
            };
            tracing::debug!(shard_id = %self.shard, node_id = %node, ?failure, "a batch has to be sent again");
            self.prepare_retry(node, failure).await;
        }
    }

    /// Decides where the next try goes, and pauses where that is due. A node that points elsewhere costs no pause: the
    /// round ends when everyone has.
    async fn prepare_retry(&mut self, node: NodeId, failure: Failure) {
        let Shared { routes, metrics, clock, .. } = &*self.shared;
        let is_hint = routes.leader_hint(self.shard) == Some(node);
        match failure {
            Failure::NotLeader(leader) => {
                metrics.count_retry("not_leader");
                if leader.is_some() || is_hint {
                    routes.set_leader_hint(self.shard, leader);
                }
            }
            Failure::Lost | Failure::Deadline => {
                metrics.count_retry(if failure == Failure::Lost { "lost" } else { "deadline" });
                if is_hint {
                    routes.set_leader_hint(self.shard, None);
                }
                clock.sleep(self.backoff.next_pause()).await;
            }
            Failure::Unknown => {
                metrics.count_retry("unknown");
                clock.sleep(self.backoff.next_pause()).await;
            }
            Failure::Busy(_) => {
                metrics.count_retry("busy");
                self.round.forgive(node);
                clock.sleep(self.backoff.next_pause()).await;
            }
        }
    }
}
