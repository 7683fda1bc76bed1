//! The storage of one tenant, over all shards and the bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use block::BlockReader;
use bucket::Bucket;
use futures::future::{BoxFuture, try_join_all};
use meta::{Block, Client, ClusterState};
use model::{BlockId, Metadata, ShardId, TenantId, TimeRange, Timestamp};
use proto::select as wire;
use proto::select::select_client::SelectClient;
use series::{
    Budget, Consistency, ExemplarQuery, Fold, Foldings, LabelQuery, QueryError, Queryable, Select, SeriesExemplars,
    SeriesStream, Texts, merge,
};
use stdx::{Clock, Rng};
use telemetry::Registry;
use transport::Nodes;

use crate::blocks::{Blocks, CacheLimits};
use crate::exemplars::exemplars;
use crate::labels::{self, Asked};
use crate::metrics::Metrics;
use crate::shard_stream::{Held, Question, ShardStream};
use crate::shards::{Refused, Shards};

/// How long a query waits for the catalog to be as new as a shard says it must be.
const CATALOG_LIMIT: Duration = Duration::from_secs(5);

/// What a querier is given.
pub struct QuerierEnv {
    /// Follows meta, catalog included.
    pub client: Client,
    /// The connections of this process.
    pub nodes: Nodes,
    /// Where blocks are.
    pub bucket: Bucket,
    /// How much of them is kept in memory.
    pub cache: CacheLimits,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub rng: Rng,
    /// Where metrics are registered.
    pub registry: Registry,
}

/// Reads shards and blocks as one storage. Cheap to clone.
#[derive(Clone)]
pub struct Querier {
    shards: Shards,
    blocks: Blocks,
}

impl Querier {
    /// A querier of the cluster that the client follows.
    pub fn new(env: QuerierEnv) -> Self {
        let QuerierEnv { client, nodes, bucket, cache, clock, rng, registry } = env;
        let blocks = Blocks::new(bucket, cache, &registry);
        Self { shards: Shards { client, nodes, clock, rng, metrics: Metrics::new(&registry) }, blocks }
    }

    /// The storage of a tenant.
    pub fn storage(&self, tenant: &TenantId, consistency: Consistency) -> Arc<dyn Queryable> {
        Arc::new(Storage { querier: self.clone(), tenant: tenant.clone(), consistency })
    }

    /// What the pages of a tenant's targets say about metric families; of one family, if `metric` names one.
    ///
    /// # Errors
    /// If a shard can't be read.
    pub async fn metadata(
        &self,
        tenant: &TenantId,
        metric: Option<&str>,
    ) -> Result<BTreeMap<Box<str>, BTreeSet<Metadata>>, QueryError> {
        let state = self.state()?;
        let shards = data_shards(&state);
        let asked = shards.into_iter().map(|shard| {
            let request = wire::MetadataRequest {
                shards: vec![shard.0],
                tenant: tenant.as_str().to_owned(),
                metric: metric.unwrap_or_default().to_owned(),
            };
            async move {
                let ask = |_, connection| {
                    let request = request.clone();
                    async move {
                        Ok(SelectClient::new(connection).metadata(request).await.map_err(Refused::from)?.into_inner())
                    }
                };
                self.shards.ask(shard, Consistency::StaleOk, ask).await
            }
        });
        let mut said: BTreeMap<Box<str>, BTreeSet<Metadata>> = BTreeMap::new();
        for family in try_join_all(asked).await?.into_iter().flat_map(|reply| reply.families) {
            let Ok(metric_type) = family.metric_type.parse() else { continue };
            let metadata = Metadata { metric_type, help: family.help.into(), unit: family.unit.into() };
            said.entry(family.name.into()).or_default().insert(metadata);
        }
        Ok(said)
    }

    /// Whether the cluster is known.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn readiness(&self) -> Result<(), String> {
        self.state().map(drop).map_err(|error| error.to_string())
    }

    pub(crate) fn state(&self) -> Result<Arc<ClusterState>, QueryError> {
        let state = self.shards.client.state();
        match state.shard_map {
            Some(_) => Ok(state),
            None => Err(QueryError::Unavailable("the cluster is not known yet: no ingester has answered".to_owned())),
        }
    }

    /// The state, at least as new as the shards need it.
    async fn state_for(&self, held: &[(ShardId, Held)]) -> Result<Arc<ClusterState>, QueryError> {
        let version = held.iter().map(|(_, held)| held.catalog_version).max().unwrap_or(0);
        let reached = self.shards.clock.timeout(CATALOG_LIMIT, self.shards.client.reached(version)).await;
        reached
            .ok_or_else(|| QueryError::Unavailable(format!("version {version} of the catalog is not known here yet")))
    }

    /// Opens the blocks that a question needs beside the shards: of each shard those with samples before the time from which
    /// on it holds everything. Earlier cuts come first: theirs is the word on a sample that is in both.
    pub(crate) async fn open_blocks(
        &self,
        tenant: &TenantId,
        range: TimeRange,
        held: &[(ShardId, Held)],
    ) -> Result<Vec<BlockReader>, QueryError> {
        let needs_blocks = held.iter().any(|(_, held)| held.from_ms > range.start().as_ms());
        if !needs_blocks {
            return Ok(Vec::new());
        }
        let state = self.state_for(held).await?;
        let from: BTreeMap<ShardId, i64> = held.iter().map(|(shard, held)| (*shard, held.from_ms)).collect();
        let wanted = |block: &Block| {
            // A shard that is not asked any more has given its data to others, but its blocks stay its own.
            let end = from.get(&block.shard).map_or(i64::MAX, |from| *from);
            block.range.overlaps(range.intersection(TimeRange::new(Timestamp(i64::MIN), Timestamp(end))))
        };
        let mut blocks: Vec<(BlockId, &Arc<Block>)> =
            state.blocks_in(tenant, range).filter(|(_, block)| wanted(block)).collect();
        blocks.sort_by_key(|(id, block)| (block.shard, block.cut, *id));
        self.shards.metrics.blocks.inc_by(blocks.len() as u64);
        try_join_all(blocks.into_iter().map(|(id, block)| self.blocks.open(id, block))).await
    }
}

pub(crate) fn data_shards(state: &ClusterState) -> Vec<ShardId> {
    state.shard_map.as_ref().map_or_else(Vec::new, |map| map.data_shards().collect())
}

struct Storage {
    querier: Querier,
    tenant: TenantId,
    consistency: Consistency,
}

impl Storage {
    fn asked<'a>(&'a self, name: Option<&'a str>) -> Asked<'a> {
        Asked { shards: &self.querier.shards, tenant: &self.tenant, consistency: self.consistency, name }
    }

    /// What each shard is asked.
    fn questions(&self, select: &Select, budget: &Budget) -> Result<Vec<Question>, QueryError> {
        let question = |shard| Question {
            shard,
            tenant: self.tenant.clone(),
            matchers: select.matchers.clone(),
            range: select.range,
            labels_only: select.hints.labels_only,
            newest_only: select.hints.newest_only,
            consistency: self.consistency,
            budget: budget.clone(),
        };
        Ok(data_shards(&*self.querier.state()?).into_iter().map(question).collect())
    }

    async fn select_all(&self, select: Select, budget: Budget) -> Result<SeriesStream, QueryError> {
        let opening = self.questions(&select, &budget)?.into_iter().map(|question| {
            let shard = question.shard;
            let shards = self.querier.shards.clone();
            async move { ShardStream::open(shards, question).await.map(|(held, stream)| (shard, held, stream)) }
        });
        let opened = try_join_all(opening).await?;
        let held: Vec<(ShardId, Held)> = opened.iter().map(|(shard, held, _)| (*shard, *held)).collect();
        let blocks = self.querier.open_blocks(&self.tenant, select.range, &held).await?;
        let selecting =
            blocks.iter().map(|block| async { block.beside(blocks.len()).select(select.clone(), &budget).await });
        let mut streams = try_join_all(selecting).await?;
        streams.extend(opened.into_iter().map(|(_, _, stream)| stream.into_series()));
        Ok(merge(streams))
    }
}

impl Queryable for Storage {
    fn select(&self, select: Select, budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        let budget = budget.clone();
        Box::pin(self.select_all(select, budget))
    }

    fn fold(&self, fold: Fold, budget: &Budget) -> BoxFuture<'_, Result<Option<Foldings>, QueryError>> {
        let questions = self.questions(&fold.select, budget);
        Box::pin(async move { crate::fold::fold(&self.querier.shards, questions?, &fold).await })
    }

    fn label_names(&self, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(labels::texts(&self.querier, self.asked(None), query))
    }

    fn label_values(&self, name: &str, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        let name = name.to_owned();
        Box::pin(async move { labels::texts(&self.querier, self.asked(Some(&name)), query).await })
    }

    fn exemplars(
        &self,
        query: ExemplarQuery,
        budget: &Budget,
    ) -> BoxFuture<'_, Result<Vec<SeriesExemplars>, QueryError>> {
        let budget = budget.clone();
        Box::pin(async move {
            let shards = data_shards(&*self.querier.state()?);
            exemplars(&self.querier.shards, shards, (&self.tenant, self.consistency), &query, &budget).await
        })
    }
}
