//! Cut and ship: what a leader does so that each window becomes one block per tenant in the bucket, exactly once.
//!
//! Every step can be repeated by whoever leads next: a cut has a number and is made once, the blocks of a cut have their ids
//! from it, the store keeps the first upload of an id, the catalog takes a cut once, and `Shipped` only drops what is in both.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use block::{BlockMeta, BlockOrigin, BlockSummary, BlockWriter, ChunkRef, Parts, TimesRef, WriteError};
use bucket::{Bucket, BucketConfig, BucketError, Uploaded, upload_block};
use bytes::Bytes;
use head::CutContents;
use meta::Client;
use prost::Message;
use proto::entry::entry::Entry as Command;
use proto::{entry, meta as wire};
use shard::ShardView;
use stdx::{Clock, CpuPool, Rng};
use transport::RpcError;

use crate::damage::Damage;
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::time::ClusterTime;

/// The pause between two looks at whether something is due.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long meta may take to put blocks into the catalog.
const CATALOG_LIMIT: Duration = Duration::from_secs(30);
/// Blocks are built in pieces as large as they are uploaded.
const PART_BYTES: usize = BucketConfig::PART_BYTES;
/// More windows than this without a cut are found in more than one look.
const WINDOWS_PER_LOOK: i64 = 1024;

/// What shipping needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shipper {
    pub(crate) bucket: Bucket,
    pub(crate) client: Client,
    pub(crate) cluster_id: u128,
    /// Data that are in the bucket stay here for so long, in ms.
    pub(crate) retention_ms: i64,
    /// Builds blocks.
    pub(crate) building: CpuPool,
    pub(crate) damage: Damage,
    pub(crate) clock: Clock,
    pub(crate) time: ClusterTime,
    pub(crate) rng: Rng,
    pub(crate) metrics: Metrics,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
enum ShipError {
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Segment(#[from] head::SegmentError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<consensus::ProposeError> for ShipError {
    fn from(error: consensus::ProposeError) -> Self {
        Self::Rpc(error.into())
    }
}

impl Shipper {
    /// Cuts and ships whenever it is time and this node leads, for ever.
    pub(crate) async fn run(self, replica: Arc<Replica>) {
        let mut backoff = stdx::Backoff::new(LOOK, LONGEST_PAUSE, self.rng.fork());
        loop {
            self.clock.sleep_about(self.rng.duration(LOOK / 2, LOOK)).await;
            if !replica.leads() {
                continue;
            }
            match self.step(&replica).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    if let ShipError::Segment(damaged) = &error {
                        self.damage.note(replica.shard, &damaged.to_string());
                    }
                    self.metrics.ship_failures.inc();
                    let pause = backoff.next_pause();
                    tracing::warn!(shard = %replica.shard, %error, ?pause, "shipping has to wait");
                    self.clock.sleep(pause).await;
                }
            }
        }
    }

    /// Takes all steps that are due now.
    async fn step(&self, replica: &Replica) -> Result<(), ShipError> {
        // A window that is cut too early can't be opened again.
        if self.time.known_ms().is_none() {
            return Ok(());
        }
        let (_, view) = replica.group.view().await;
        if let Some(cut) = due_cut(&view, self.clock.wall_ms()) {
            propose(replica, Command::Cut(cut)).await?;
            self.metrics.cuts.inc();
        }
        let (_, view) = replica.group.view().await;
        let unshipped: Vec<(u64, i64)> = view.unshipped_cuts().collect();
        for (cut, end_ms) in unshipped {
            self.ship(replica, &view, cut, end_ms).await?;
        }
        self.defer_to_catalog(replica).await?;
        self.drop_old(replica).await
    }

    /// A shard that never dropped anything says that it has all there is. If it began anew, or its cluster took over the blocks
    /// of another one, what is older is in the catalog.
    async fn defer_to_catalog(&self, replica: &Replica) -> Result<(), ShipError> {
        let (_, view) = replica.group.view().await;
        let ((held_from_ms, _), (last_cut, cut)) = (view.held_from(), view.last_cuts());
        if held_from_ms != i64::MIN {
            return Ok(());
        }
        let state = self.client.state();
        // A shard that has cut nothing yet has made none of the blocks that bear its number.
        let earlier = state.blocks.values().filter(|block| last_cut == 0 && block.shard == replica.shard);
        let ends = earlier.map(|block| block.range.end().as_ms());
        let Some(drop_before_ms) = ends.chain(state.adopted_before_ms).max() else { return Ok(()) };
        let catalog_version = state.version;
        propose(replica, Command::Shipped(entry::Shipped { cut, catalog_version, drop_before_ms })).await
    }

    async fn ship(&self, replica: &Replica, view: &ShardView, cut: u64, end_ms: i64) -> Result<(), ShipError> {
        let reading = view.clone();
        let contents = self.building.run(move || reading.cut_contents(cut)).await?;
        let mut blocks = Vec::new();
        for contents in contents {
            let origin =
                BlockOrigin { cluster_id: self.cluster_id, tenant: contents.tenant.clone(), shard: replica.shard, cut };
            let id = origin.block_id(contents.end_ms);
            let (parts, summary) = self.building.run(move || build(&contents)).await?;
            let uploaded = upload_block(&self.bucket, id, &origin, summary, &parts).await?;
            self.metrics.shipped_blocks.inc();
            self.metrics.shipped_bytes.inc_by(uploaded.meta.summary.size_bytes);
            tracing::info!(shard = %replica.shard, cut, block = %id, bytes = summary.size_bytes, "block shipped");
            blocks.push(catalog_entry(&uploaded));
        }
        if stdx::makes_mistake("drop before the catalog knows") {
            let (catalog_version, drop_before_ms) = (self.client.state().version, self.drop_before(view).min(end_ms));
            propose(replica, Command::Shipped(entry::Shipped { cut, catalog_version, drop_before_ms })).await?;
        }
        let request = wire::AddBlocksRequest { shard: replica.shard.0, cut, blocks };
        let catalog_version = self.client.add_blocks(request, CATALOG_LIMIT).await?;
        let drop_before_ms = self.drop_before(view).min(end_ms);
        propose(replica, Command::Shipped(entry::Shipped { cut, catalog_version, drop_before_ms })).await?;
        Ok(())
    }

    /// Lets shipped data go that have been kept for long enough. Cuts say so too, but a shard may be without them for long.
    async fn drop_old(&self, replica: &Replica) -> Result<(), ShipError> {
        let (_, view) = replica.group.view().await;
        let (_, last_shipped) = view.last_cuts();
        let window_ms = view.limits().window_ms;
        let drop_before_ms = self.drop_before(&view).min(view.cut_end_ms().unwrap_or(i64::MIN));
        let (held_from_ms, _) = view.held_from();
        let waits = view.unshipped_cuts().next().is_some();
        let is_due = held_from_ms == i64::MIN || drop_before_ms.saturating_sub(held_from_ms) >= window_ms;
        let has_old = view.has_closed_before(drop_before_ms);
        if last_shipped == 0 || waits || !is_due || !has_old {
            return Ok(());
        }
        // The version that this node has heard of may be older than the blocks, above all if another one has shipped them.
        let known = wire::AddBlocksRequest { shard: replica.shard.0, cut: last_shipped, blocks: Vec::new() };
        let catalog_version = match stdx::makes_mistake("drop by an old catalog") {
            true => self.client.state().version,
            false => self.client.add_blocks(known, CATALOG_LIMIT).await?,
        };
        propose(replica, Command::Shipped(entry::Shipped { cut: last_shipped, catalog_version, drop_before_ms })).await
    }

    /// Data before this time need not be kept here once they are in the bucket: the start of a window.
    fn drop_before(&self, view: &ShardView) -> i64 {
        let window_ms = view.limits().window_ms;
        (self.clock.wall_ms() - self.retention_ms).div_euclid(window_ms) * window_ms
    }
}

/// Builds the block of one tenant of a cut.
fn build(contents: &CutContents) -> Result<(Vec<Bytes>, BlockSummary), WriteError> {
    let mut writer = BlockWriter::new(Parts::new(PART_BYTES))?;
    let mut columns: HashMap<u64, TimesRef> = HashMap::new();
    let mut chunks = Vec::new();
    for series in &contents.series {
        chunks.clear();
        for chunk in &series.chunks {
            let times = match columns.get(&chunk.times_id) {
                Some(times) => *times,
                None => *columns.entry(chunk.times_id).or_insert(writer.add_times(&chunk.times)?),
            };
            chunks.push(ChunkRef { times, bytes: &chunk.chunk });
        }
        writer.add_series(&series.labels, &chunks)?;
    }
    let (parts, summary) = writer.finish()?;
    Ok((parts.finish(), summary))
}

fn catalog_entry(uploaded: &Uploaded) -> wire::Block {
    let BlockMeta { id, origin, summary, .. } = &uploaded.meta;
    wire::Block {
        id: Bytes::copy_from_slice(&id.0.to_be_bytes()),
        tenant: origin.tenant.as_str().to_owned(),
        shard: origin.shard.0,
        cut: origin.cut,
        min_time_ms: summary.range.start().as_ms(),
        max_time_ms: summary.range.end().as_ms() - 1,
        key: uploaded.key.clone(),
        size_bytes: summary.size_bytes,
        hash: Bytes::copy_from_slice(&summary.hash.to_be_bytes()),
        series_count: summary.series_count,
        sample_count: summary.sample_count,
    }
}

/// The cut that is due, if one is: at the end of the first window that has something open, once late samples of it can no
/// longer come.
fn due_cut(view: &ShardView, wall_ms: i64) -> Option<entry::Cut> {
    let limits = view.limits();
    let window_ms = limits.window_ms;
    let grace_ms = limits.tick_window_ms.max(limits.out_of_order_ms);
    let latest = (wall_ms - grace_ms).div_euclid(window_ms) * window_ms;
    if !view.has_open_before(latest) {
        return None;
    }
    let after = view.cut_end_ms().unwrap_or(i64::MIN).max(latest - WINDOWS_PER_LOOK * window_ms);
    let first = (after.div_euclid(window_ms) + 1) * window_ms;
    let mut ends = (0..).map(|number| first + number * window_ms).take_while(|end| *end < latest);
    let end_ms = ends.find(|end| view.has_open_before(*end)).unwrap_or(latest);
    (view.cut_end_ms() != Some(end_ms) || view.has_open_before(end_ms))
        .then(|| entry::Cut { cut: view.last_cuts().0 + 1, end_ms })
}

async fn propose(replica: &Replica, command: Command) -> Result<(), ShipError> {
    let bytes = Bytes::from(entry::Entry { entry: Some(command) }.encode_to_vec());
    replica.group.propose(bytes).await?;
    Ok(())
}
