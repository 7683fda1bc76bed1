//! Somebody who writes and reads.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use meta::Client;
use model::{Labels, Matcher, NodeId, ShardId, TenantId, TimeRange};
use proto::entry::{self, Outcome};
use proto::ingest;
use proto::ingest::append_reply::Reply;
use proto::ingest::ingest_client::IngestClient;
use querier::{CacheLimits, Querier, QuerierEnv};
use series::{Budget, Consistency, Hints, QueryError, Queryable, Samples, Select};
use stdx::{Clock, Tasks};
use telemetry::Registry;
use transport::{Hello, Nodes};

use crate::World;

/// A client of the cluster that is no node of it.
pub struct Outsider {
    /// Follows meta.
    pub client: Client,
    nodes: Nodes,
    querier: Querier,
    clock: Clock,
    tasks: Tasks,
}

/// How long one try of a write may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

impl World {
    /// A client of the cluster that is no node of it.
    pub fn outsider(&self) -> Outsider {
        let tasks = Tasks::new();
        let nodes = Nodes::new(self.wires.at("outsider"), Hello::new());
        let config = meta::ClientConfig {
            seeds: self.names.clone(),
            catalog: true,
            nodes: nodes.clone(),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
        };
        let client = Client::start(config, &tasks);
        let querier = Querier::new(QuerierEnv {
            client: client.clone(),
            nodes: nodes.clone(),
            bucket: self.bucket.clone(),
            cache: CacheLimits::default(),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
            registry: Registry::new(),
        });
        Outsider { client, nodes, querier, clock: self.clock.clone(), tasks }
    }
}

/// What became of a record within some time.
#[derive(Clone, Debug)]
pub enum Appended {
    /// This was the answer.
    Answer(entry::RecordAnswer),
    /// This was the answer, but an earlier try may have been taken before.
    Later(entry::RecordAnswer),
    /// There was none.
    Unknown,
}

impl Outsider {
    /// The connections that it uses.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The storage of the default tenant.
    pub fn storage(&self, consistency: Consistency) -> Arc<dyn Queryable> {
        self.querier.storage(&TenantId::default(), consistency)
    }

    /// Appends a record, wherever its leader is by now, until it is answered.
    pub async fn append(&self, slot: model::Slot, record: &entry::Record) -> entry::RecordAnswer {
        loop {
            match self.append_within(slot, record, TRY_LIMIT).await {
                Appended::Answer(answer) | Appended::Later(answer) => return answer,
                Appended::Unknown => {}
            }
        }
    }

    /// Appends a record, wherever its leader is by now, until it is answered or the time is over.
    pub async fn append_within(&self, slot: model::Slot, record: &entry::Record, limit: Duration) -> Appended {
        let until = self.clock.now() + limit;
        let mut is_first = true;
        while self.clock.now() < until {
            let state = self.client.state();
            let Some(map) = &state.shard_map else {
                self.clock.sleep(PAUSE).await;
                continue;
            };
            let shard = map.shard_of(slot);
            let mut replicas = map.replicas(shard).to_vec();
            let leader = self.client.leader_hint(shard);
            replicas.sort_by_key(|node| Some(*node) != leader);
            for node in replicas {
                match self.try_append(node, shard, record).await {
                    Some(answer) if is_first => return Appended::Answer(answer),
                    Some(answer) => return Appended::Later(answer),
                    None => is_first = false,
                }
            }
            self.clock.sleep(PAUSE).await;
        }
        Appended::Unknown
    }

    /// The newest map says where it belongs by now if it has moved.
    async fn try_append(&self, node: NodeId, shard: ShardId, record: &entry::Record) -> Option<entry::RecordAnswer> {
        self.append_to(node, shard, record).await.filter(|answer| answer.outcome() != Outcome::Moved)
    }

    /// What a node says of a record for a shard; `None` if it is not the leader, or says nothing.
    pub(crate) async fn append_to(
        &self,
        node: NodeId,
        shard: ShardId,
        record: &entry::Record,
    ) -> Option<entry::RecordAnswer> {
        let mut client = IngestClient::new(self.nodes.client(node)?);
        let request =
            ingest::AppendRequest { sequence: 1, shard: shard.0, map_epoch: 1, records: vec![record.clone()] };
        let answered = async {
            let mut replies = client.append(tokio_stream::iter([request])).await.ok()?.into_inner();
            match replies.message().await.ok()??.reply? {
                Reply::Answer(mut answer) => answer.records.pop(),
                _ => None,
            }
        };
        self.clock.timeout(TRY_LIMIT, answered).await?
    }

    /// All series that match, with the times and values of their samples.
    ///
    /// # Errors
    /// If no answer is to be had.
    pub async fn read(
        &self,
        matcher: Matcher,
        range: TimeRange,
        consistency: Consistency,
    ) -> Result<Vec<(Labels, Vec<(i64, f64)>)>, QueryError> {
        let select = Select { matchers: Arc::new([matcher]), range, hints: Hints::default() };
        let stream = self.storage(consistency).select(select, &Budget::unlimited()).await?;
        let batches: Vec<_> = stream.try_collect().await?;
        let read = |series: &series::Series| {
            let mut samples = Samples::default();
            series.read(range, &mut samples)?;
            Ok((series.labels.clone(), samples.float_times.into_iter().zip(samples.floats).collect()))
        };
        batches.iter().flatten().map(read).collect()
    }

    /// Ends.
    pub async fn stop(self) {
        self.tasks.stop();
        self.tasks.wait().await;
    }
}

/// Whether everything of a scrape is stored.
pub fn is_stored(answer: &entry::RecordAnswer) -> bool {
    matches!(answer.outcome(), Outcome::Stored | Outcome::Duplicate)
}
