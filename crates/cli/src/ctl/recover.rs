//! `ringwood ctl recover`: what is left when more is lost than a cluster can mend by itself.

use std::collections::{BTreeMap, BTreeSet};

use api::rfc3339;
use bucket::Uploaded;
use meta::CatalogMend;
use model::{BlockId, ShardId, Timestamp};
use serde_json::{Value, json};

use super::catalog::{blocks_of, clusters_of, entry_of, open, tell};
use super::cluster::Cluster;
use super::{Answer, confirm, progress};
use crate::flags::{BucketPlace, Output};

/// What the bucket has of a shard of a cluster that is lost.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    cluster_id: u128,
    shard: ShardId,
    /// The time of its first sample, in ms.
    first_ms: i64,
    /// Where its last cut ended, in ms: everything from then on is lost.
    lost_from_ms: i64,
    /// Cuts without a block: nothing was written, or the block is lost. Each with the end of the cut before it and the end
    /// of the one after it, in ms.
    missing_cuts: Vec<(u64, i64, i64)>,
}

/// Takes over the blocks of a cluster whose ingesters are all lost.
pub(super) async fn bucket(
    cluster: &Cluster,
    place: &BucketPlace,
    yes: bool,
    output: Output,
) -> Result<Answer, String> {
    let store = open(&place.url, &place.settings)?;
    let state = cluster.state().await?;
    let (blocks, unread) = blocks_of(&store).await?;
    let clusters = clusters_of(&blocks);
    if clusters.contains(&state.cluster_id) {
        return Err(
            "this cluster has blocks of its own in the bucket, so it is not a fresh one: `ringwood ctl catalog \
                    rebuild` mends its catalog"
                .to_owned(),
        );
    }
    let Some(before_ms) = blocks.iter().map(|block| end_of(block).max(cut_end_ms(block.meta.id))).max() else {
        return Err(format!("{} has no blocks: is it the right bucket?", place.url));
    };
    let kept = kept(&blocks);
    for line in lines(&kept, &unread) {
        progress(output, &line);
    }
    confirm(yes, &format!("The cluster takes over {} blocks.", blocks.len()))?;
    let entries = blocks.iter().map(entry_of).collect();
    tell(cluster, CatalogMend { blocks: entries, removed: Vec::new(), adopted_before_ms: Some(before_ms) }).await?;
    let data = json!({
        "blocks": blocks.len(),
        "before": rfc3339(Timestamp(before_ms)),
        "shards": kept.iter().map(to_json).collect::<Vec<_>>(),
        "unreadable": unread,
    });
    let before = rfc3339(Timestamp(before_ms));
    let text = format!("the catalog has {} blocks, with everything before {before} that is left\n", blocks.len());
    Ok(Answer { data, text, is_good: unread.is_empty() })
}

fn end_of(block: &Uploaded) -> i64 {
    block.meta.summary.range.end().as_ms()
}

/// The end of a block's cut, in ms: the time of its ULID.
fn cut_end_ms(id: BlockId) -> i64 {
    (id.0 >> 80) as i64
}

/// What there is of each shard that has a block.
fn kept(blocks: &[Uploaded]) -> Vec<Kept> {
    let mut shards: BTreeMap<(u128, ShardId), Vec<&Uploaded>> = BTreeMap::new();
    for block in blocks {
        shards.entry((block.meta.origin.cluster_id, block.meta.origin.shard)).or_default().push(block);
    }
    let of = |((cluster_id, shard), blocks): ((u128, ShardId), Vec<&Uploaded>)| {
        let cuts: BTreeMap<u64, i64> =
            blocks.iter().map(|block| (block.meta.origin.cut, cut_end_ms(block.meta.id))).collect();
        let starts = blocks.iter().map(|block| block.meta.summary.range.start().as_ms());
        let known: BTreeSet<u64> = cuts.keys().copied().collect();
        let last = known.last().copied().unwrap_or(0);
        let missing = (1..last).filter(|cut| !known.contains(cut)).map(|cut| {
            let before = cuts.range(..cut).next_back().map_or(i64::MIN, |(_, end)| *end);
            let after = cuts.range(cut..).next().map_or(i64::MAX, |(_, end)| *end);
            (cut, before, after)
        });
        Kept {
            cluster_id,
            shard,
            first_ms: starts.min().unwrap_or(0),
            lost_from_ms: cuts.values().copied().max().unwrap_or(0),
            missing_cuts: missing.collect(),
        }
    };
    shards.into_iter().map(of).collect()
}

fn time(ms: i64) -> String {
    if ms == i64::MIN { "the beginning".to_owned() } else { rfc3339(Timestamp(ms)) }
}

fn lines(kept: &[Kept], unread: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for Kept { cluster_id, shard, first_ms, lost_from_ms, missing_cuts } in kept {
        lines.push(format!(
            "shard {shard} of cluster {cluster_id:032x}: kept from {} to {}; lost: everything from {} on",
            time(*first_ms),
            time(*lost_from_ms),
            time(*lost_from_ms)
        ));
        for (cut, before, after) in missing_cuts {
            lines.push(format!(
                "  cut {cut}, between {} and {}, has no block: it was empty, or it is lost",
                time(*before),
                time(*after)
            ));
        }
    }
    lines.push("shards of which no block was shipped are lost as a whole, and not in this list".to_owned());
    lines.extend(unread.iter().map(|what| format!("lost, because its meta.json can't be read: {what}")));
    lines
}

fn to_json(kept: &Kept) -> Value {
    let missing = kept
        .missing_cuts
        .iter()
        .map(|(cut, before, after)| json!({"cut": cut, "from": time(*before), "to": time(*after)}));
    json!({
        "cluster": format!("{:032x}", kept.cluster_id),
        "shard": kept.shard.0,
        "keptFrom": time(kept.first_ms),
        "lostFrom": time(kept.lost_from_ms),
        "missingCuts": missing.collect::<Vec<_>>(),
    })
}
