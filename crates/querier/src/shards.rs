//! Which replica of a shard is asked, and which one after it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use meta::Client;
use model::{NodeId, ShardId};
use proto::select as wire;
use proto::select::shard_error::Kind;
use series::{Consistency, QueryError};
use stdx::{Backoff, Clock, Rng};
use transport::{Client as Connection, ErrorKind, Nodes, RpcError};

use crate::metrics::Metrics;

/// How old an answer may be, as shards are told.
pub(crate) fn to_wire(consistency: Consistency) -> wire::Consistency {
    match consistency {
        Consistency::Bounded => wire::Consistency::Bounded,
        Consistency::Strong => wire::Consistency::Strong,
        Consistency::StaleOk => wire::Consistency::StaleOk,
    }
}

/// For how long the replicas of a shard are asked again: long enough for one of them to become leader.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The way to shards. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shards {
    pub(crate) client: Client,
    pub(crate) nodes: Nodes,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) metrics: Metrics,
}

/// Why one replica did not answer.
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// Another one may.
    Replica(String),
    /// No other one would.
    Question(QueryError),
}

impl From<RpcError> for Refused {
    fn from(error: RpcError) -> Self {
        match error.kind {
            ErrorKind::Rejected => Self::Question(QueryError::Execution(error.message)),
            _ => Self::Replica(error.message),
        }
    }
}

impl From<tonic::Status> for Refused {
    fn from(status: tonic::Status) -> Self {
        RpcError::from(status).into()
    }
}

impl Refused {
    pub(crate) fn of_shard(error: &wire::ShardError, limit_bytes: u64, what: impl FnOnce() -> String) -> Self {
        match error.kind() {
            Kind::Unavailable | Kind::Corrupt => Self::Replica(error.message.clone()),
            Kind::TooLarge => Self::Question(QueryError::OverBudget { limit_bytes, what: what() }),
            Kind::Invalid => Self::Question(QueryError::Execution(error.message.clone())),
        }
    }
}

impl Shards {
    /// Asks the replicas of a shard one after the other until one answers.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, Refused>>>(
        &self,
        shard: ShardId,
        consistency: Consistency,
        ask: impl Fn(NodeId, Connection) -> F,
    ) -> Result<T, QueryError> {
        let deadline = self.clock.now() + PATIENCE;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE, self.rng.fork());
        let mut failures = Failures::default();
        loop {
            for node in self.candidates(shard, consistency) {
                let Some(connection) = self.nodes.short_client(node) else { continue };
                // One that hangs must leave time for others, and for a map that names others.
                let limit = deadline.saturating_duration_since(self.clock.now()) / 2;
                let refused = match self.clock.timeout(limit, ask(node, connection)).await {
                    Some(Ok(answer)) => return Ok(answer),
                    Some(Err(Refused::Question(error))) => return Err(error),
                    Some(Err(Refused::Replica(why))) => why,
                    None => "it did not answer in time".to_owned(),
                };
                self.metrics.failovers.inc();
                failures.note(node, refused);
            }
            let pause = backoff.next_pause();
            if self.clock.now() + pause >= deadline {
                self.metrics.failures.inc();
                return Err(QueryError::Unavailable(format!("shard {shard} can't be read: {failures}")));
            }
            self.clock.sleep(pause).await;
        }
    }

    /// The replicas of a shard in the order in which they are asked: for a strong read the leader first, which needs nobody
    /// else to answer; else by chance, so that reads spread.
    fn candidates(&self, shard: ShardId, consistency: Consistency) -> Vec<NodeId> {
        let state = self.client.state();
        let mut replicas = state.shard_map.as_ref().map_or_else(Vec::new, |map| map.replicas(shard).to_vec());
        if !replicas.is_empty() {
            let first = self.rng.below(replicas.len() as u64) as usize;
            replicas.rotate_left(first);
        }
        if consistency == Consistency::Strong
            && let Some(leader) = self.client.leader_hint(shard)
        {
            replicas.sort_by_key(|node| *node != leader);
        }
        replicas
    }
}

/// What each replica said last.
#[derive(Debug, Default)]
struct Failures(Vec<(NodeId, String)>);

impl Failures {
    fn note(&mut self, node: NodeId, why: String) {
        self.0.retain(|(other, _)| *other != node);
        self.0.push((node, why));
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nobody knows where its replicas live");
        }
        for (at, (node, why)) in self.0.iter().enumerate() {
            write!(f, "{}node {node}: {why}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
