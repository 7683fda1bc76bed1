//! `ringwood ctl catalog`: the catalog against the blocks that the bucket has.

use std::collections::{BTreeMap, BTreeSet};

use bucket::{Bucket, BucketConfig, Uploaded, list_blocks};
use meta::{Block, CatalogMend, ClusterState};
use model::BlockId;
use serde_json::{Value, json};
use stdx::{Clock, Rng};
use telemetry::Registry;

use super::cluster::{Cluster, ORDER_LIMIT, failed};
use super::{Answer, chain};
use crate::flags::{BucketPlace, BucketSettings};

/// So many blocks are told to meta at once: an entry of its log stays below a megabyte.
const BLOCKS_PER_PART: usize = 1000;

/// Opens a bucket that is there already.
///
/// # Errors
/// If there is none, or the store is not to be reached this way.
pub(super) fn open(url: &str, settings: &BucketSettings) -> Result<Bucket, String> {
    // Opening a bucket in a folder makes the folder, which is not what somebody wants who looks for data.
    if let Some(folder) = bucket::folder_of(url)
        && let Err(error) = std::fs::metadata(folder)
    {
        return Err(format!("look for the bucket {url}: {error}"));
    }
    let config = BucketConfig { settings: settings.settings.iter().cloned().collect(), ..BucketConfig::new(url) };
    Bucket::open(config, Clock::system(), &Rng::from_entropy(), &Registry::new()).map_err(|error| chain(&error))
}

/// The entry of the catalog that a block is to have.
pub(super) fn entry_of(block: &Uploaded) -> (BlockId, Block) {
    let (origin, summary) = (&block.meta.origin, &block.meta.summary);
    let entry = Block {
        tenant: origin.tenant.clone(),
        shard: origin.shard,
        cut: origin.cut,
        range: summary.range,
        key: block.key.clone(),
        size_bytes: summary.size_bytes,
        hash: summary.hash,
        series_count: summary.series_count,
        sample_count: summary.sample_count,
    };
    (block.meta.id, entry)
}

/// How a catalog differs from the blocks that there are.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Blocks of the catalog whose files are gone.
    pub(super) missing: Vec<(BlockId, Block)>,
    /// Blocks of which the catalog says something else; here as they are.
    pub(super) changed: Vec<(BlockId, Block)>,
    /// Blocks of this cluster that the catalog lacks.
    pub(super) unknown: Vec<(BlockId, Block)>,
    /// Blocks of other clusters that the catalog lacks.
    pub(super) foreign: Vec<(BlockId, Block)>,
}

impl Difference {
    /// Compares a catalog with the blocks of a bucket that was looked at afterwards. A block without a `meta.json` that can be
    /// read stays as the catalog has it, as long as its file is there.
    pub(super) fn of(state: &ClusterState, blocks: &[Uploaded], has_file: impl Fn(&Block) -> bool) -> Self {
        let mut difference = Self::default();
        for block in blocks {
            let (id, entry) = entry_of(block);
            match state.blocks.get(&id) {
                Some(known) if **known == entry => {}
                Some(_) => difference.changed.push((id, entry)),
                None if block.meta.origin.cluster_id == state.cluster_id => difference.unknown.push((id, entry)),
                None => difference.foreign.push((id, entry)),
            }
        }
        let gone = state.blocks.iter().filter(|(_, block)| !has_file(block));
        difference.missing = gone.map(|(id, block)| (*id, Block::clone(block))).collect();
        // What is gone is not there in another way, either.
        let is_gone = |id: &BlockId| difference.missing.iter().any(|(gone, _)| gone == id);
        difference.changed.retain(|(id, _)| !is_gone(id));
        difference
    }
}

/// The blocks that a bucket has, and what could not be read, in words.
pub(super) async fn blocks_of(bucket: &Bucket) -> Result<(Vec<Uploaded>, Vec<String>), String> {
    let (mut blocks, mut unread) = (Vec::new(), Vec::new());
    for block in list_blocks(bucket).await.map_err(|error| chain(&error))? {
        match block {
            Ok(block) if block.meta.id_fits_origin() => blocks.push(block),
            Ok(block) => unread.push(format!("{}: it does not come from {:?}", block.key, block.meta.origin)),
            Err(error) => unread.push(chain(&error)),
        }
    }
    Ok((blocks, unread))
}

/// Makes the catalog fit the blocks that there are, or says what that would change.
pub(super) async fn rebuild(cluster: &Cluster, place: &BucketPlace, dry_run: bool) -> Result<Answer, String> {
    let bucket = open(&place.url, &place.settings)?;
    // A block is in the bucket before it is in the catalog: in this order none seems to be missing that is not.
    let state = cluster.state().await?;
    let listed = bucket.list("").await.map_err(|error| chain(&error))?;
    let sizes: BTreeMap<&str, u64> = listed.iter().map(|object| (&*object.key, object.size_bytes)).collect();
    let (mut blocks, unread) = blocks_of(&bucket).await?;
    blocks.retain(|block| sizes.contains_key(&*block.key));
    if blocks.is_empty() && !state.blocks.is_empty() {
        return Err(format!(
            "{} has no blocks, and the catalog has {}: is it the right bucket?",
            place.url,
            state.blocks.len()
        ));
    }
    let difference = Difference::of(&state, &blocks, |block| sizes.contains_key(&*block.key));
    if !dry_run {
        let added = difference.unknown.iter().chain(&difference.changed).cloned().collect();
        let removed = difference.missing.iter().map(|(id, _)| *id).collect();
        tell(cluster, CatalogMend { blocks: added, removed, adopted_before_ms: None }).await?;
    }
    Ok(answer(&difference, &unread, dry_run, state.blocks.len()))
}

/// Tells meta in parts; what closes the whole comes with the last one. Each part can be repeated.
pub(super) async fn tell(cluster: &Cluster, mend: CatalogMend) -> Result<(), String> {
    let CatalogMend { blocks, removed, adopted_before_ms } = mend;
    let told = |part: CatalogMend| async move {
        let told = cluster.client.mend_catalog(&part, ORDER_LIMIT).await;
        told.map(drop)
            .map_err(|error| failed("mend the catalog", &error) + ". Repeat the command: it goes on where it was")
    };
    for part in blocks.chunks(BLOCKS_PER_PART) {
        told(CatalogMend { blocks: part.to_vec(), ..CatalogMend::default() }).await?;
    }
    told(CatalogMend { blocks: Vec::new(), removed, adopted_before_ms }).await
}

fn answer(difference: &Difference, unread: &[String], dry_run: bool, before: usize) -> Answer {
    let Difference { missing, changed, unknown, foreign } = difference;
    let after = before + unknown.len() - missing.len();
    let mut text = String::new();
    for (sign, blocks) in [("+", unknown), ("~", changed), ("-", missing)] {
        blocks.iter().for_each(|(id, block)| text.push_str(&format!("{sign} {id}  {}\n", block.key)));
    }
    unread.iter().for_each(|what| text.push_str(&format!("! {what}\n")));
    if !foreign.is_empty() {
        let count = foreign.len();
        text.push_str(&format!("{count} blocks of another cluster: `ringwood ctl recover bucket` takes them over\n"));
    }
    let done = if dry_run { "the catalog would have" } else { "the catalog has" };
    text.push_str(&format!(
        "{done} {after} blocks: {} added, {} corrected, {} forgotten\n",
        unknown.len(),
        changed.len(),
        missing.len()
    ));
    let list = |blocks: &[(BlockId, Block)]| -> Vec<Value> {
        blocks.iter().map(|(id, block)| json!({"id": id.to_string(), "key": block.key})).collect()
    };
    let data = json!({
        "dryRun": dry_run,
        "blocks": after,
        "added": list(unknown),
        "corrected": list(changed),
        "forgotten": list(missing),
        "foreign": list(foreign),
        "unreadable": unread,
    });
    Answer { data, text, is_good: unread.is_empty() }
}

/// The clusters that blocks come from.
pub(super) fn clusters_of(blocks: &[Uploaded]) -> BTreeSet<u128> {
    blocks.iter().map(|block| block.meta.origin.cluster_id).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use block::{BlockMeta, BlockOrigin, BlockSummary};
    use model::{ShardId, TenantId, TimeRange, Timestamp};

    use super::*;

    fn block(cluster_id: u128, cut: u64) -> Uploaded {
        let origin = BlockOrigin { cluster_id, tenant: TenantId::default(), shard: ShardId(1), cut };
        let range = TimeRange::new(Timestamp(0), Timestamp(10));
        let summary = BlockSummary { range, series_count: 1, sample_count: 2, chunk_count: 1, size_bytes: 3, hash: 4 };
        Uploaded { meta: BlockMeta::new(origin.block_id(10), origin, summary), key: format!("{cluster_id}/{cut}") }
    }

    fn ids(blocks: &[(BlockId, Block)]) -> Vec<BlockId> {
        blocks.iter().map(|(id, _)| *id).collect()
    }

    #[test]
    fn the_bucket_decides_what_the_catalog_lacks_and_has_too_much() {
        let blocks = [block(7, 1), block(7, 2), block(7, 3), block(8, 1), block(8, 2)];
        let mut state = ClusterState { cluster_id: 7, ..ClusterState::default() };
        for of in [&blocks[0], &blocks[1], &blocks[4], &block(7, 9), &block(7, 8)] {
            let (id, entry) = entry_of(of);
            state.blocks.insert(id, Arc::new(entry));
        }
        let changed = state.blocks.get_mut(&blocks[1].meta.id).unwrap();
        Arc::make_mut(changed).size_bytes += 1;
        // The file of cut 8 is there, though its meta.json can't be read.
        let difference = Difference::of(&state, &blocks, |block| block.key != "7/9");
        assert_eq!(ids(&difference.missing), [block(7, 9).meta.id]);
        assert_eq!(ids(&difference.changed), [blocks[1].meta.id]);
        assert_eq!(ids(&difference.unknown), [blocks[2].meta.id]);
        assert_eq!(ids(&difference.foreign), [blocks[3].meta.id], "one that was taken over is known");
        let said = answer(&difference, &[], true, state.blocks.len());
        assert!(
            said.is_good && said.text.contains("the catalog would have 5 blocks: 1 added, 1 corrected, 1 forgotten")
        );
    }
}
