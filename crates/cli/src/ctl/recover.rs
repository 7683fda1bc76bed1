//! `ringwood ctl recover`: what is left when more is lost than a cluster can mend by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::rfc3339;
use bucket::Uploaded;
use meta::CatalogMend;
use model::{ShardId, Timestamp};
use proto::meta::RecoverShard;
use proto::meta::place_request::Order;
use serde_json::{Value, json};

use super::catalog::{blocks_of, clusters_of, entry_of, open, tell};
use super::cluster::{Cluster, ORDER_LIMIT, failed};
use super::orders::leader_of;
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
    let Some(before_ms) = blocks.iter().map(|block| end_of(block).max(block.meta.cut_end_ms())).max() else {
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

/// How long a shard may take until it has a leader again: its node looks every second, and an election takes two.
const LEADER_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// A scrape may reach its shard so much later than it was made, in ms.
const LATE_MS: i64 = 600_000;

/// Lets a shard go on whose majority is lost for ever: with the replica of `survivor`, or without data.
pub(super) async fn shard(
    cluster: &Cluster,
    shard: ShardId,
    survivor: Option<u64>,
    yes: bool,
    output: Output,
) -> Result<Answer, String> {
    let state = cluster.state().await?;
    let shipped =
        state.blocks.values().filter(|block| block.shard == shard).map(|block| block.range.end().as_ms()).max();
    let newest = match survivor {
        Some(node) => Some(newest_of(cluster, shard, node).await?),
        None => None,
    };
    let lost_from_ms = lost_from(shipped, newest);
    progress(output, &loss_text(shard, survivor, shipped, newest));
    confirm(yes, &format!("Shard {shard} goes on without what is lost."))?;
    let order = Order::Recover(RecoverShard { survivor: survivor.unwrap_or(0) });
    let placed = cluster.client.place(shard, order, ORDER_LIMIT).await;
    placed.map_err(|error| failed(&format!("recover shard {shard}"), &error))?;
    let until = cluster.clock.now() + LEADER_LIMIT;
    let leader = loop {
        let status = cluster.status().await?;
        let now = status["shards"].as_array().into_iter().flatten().find(|it| it["shard"] == shard.0);
        let is_forced = now.is_none_or(|now| now["forced"] == true);
        if let Some(leader) = leader_of(&status, shard).filter(|_| !is_forced) {
            break leader;
        }
        if cluster.clock.now() >= until {
            return Err(format!(
                "shard {shard} has no leader yet; it goes on as soon as its node has opened it: `ringwood ctl shards` shows it"
            ));
        }
        cluster.clock.sleep(LOOK).await;
    };
    let data =
        json!({"shard": shard.0, "leader": leader.0, "lostFrom": time(lost_from_ms), "lostFromMs": lost_from_ms});
    Ok(Answer::good(data, format!("node {leader} leads shard {shard}: others are let in now\n")))
}

/// The time of the newest sample that a node's replica has, in ms; `None` within: it has none. Waits for the node to say it:
/// a new leader of meta has not heard of everyone yet.
async fn newest_of(cluster: &Cluster, shard: ShardId, node: u64) -> Result<Option<i64>, String> {
    let until = cluster.clock.now() + ORDER_LIMIT;
    loop {
        let status = cluster.status().await?;
        let mut nodes = status["nodes"].as_array().into_iter().flatten().filter(|it| it["id"] == node);
        let mut replicas = nodes.find_map(|node| node["replicas"].as_array()).into_iter().flatten();
        if let Some(replica) = replicas.find(|replica| replica["shard"] == shard.0 && replica["damage"] == "") {
            return Ok(replica["newestMs"].as_i64());
        }
        if cluster.clock.now() >= until {
            return Err(format!(
                "node {node} does not say that it has a whole replica of shard {shard}: `ringwood ctl shards` shows who does"
            ));
        }
        cluster.clock.sleep(LOOK).await;
    }
}

/// From when on samples may be lost, in ms. What was shipped is not, nor what the survivor has; but what it lacks may have
/// come late.
fn lost_from(shipped_end_ms: Option<i64>, newest: Option<Option<i64>>) -> i64 {
    let kept = newest.flatten().map(|newest| newest.saturating_sub(LATE_MS));
    kept.max(shipped_end_ms).unwrap_or(i64::MIN)
}

fn loss_text(shard: ShardId, survivor: Option<u64>, shipped: Option<i64>, newest: Option<Option<i64>>) -> String {
    let bucket = match shipped {
        Some(end_ms) => format!("the bucket has blocks of it up to {}", time(end_ms - 1)),
        None => "the bucket has no blocks of it".to_owned(),
    };
    let rest = match (survivor, newest.flatten()) {
        (Some(node), Some(newest)) => format!("node {node} has samples up to {}", time(newest)),
        (Some(node), None) => format!("node {node} has no samples"),
        (None, _) => "no node has anything of it".to_owned(),
    };
    let from = time(lost_from(shipped, newest));
    let what = if survivor.is_some() { "may be lost: what others had acknowledged" } else { "lost: everything" };
    format!("shard {shard}: {bucket}; {rest}; {what} from {from} on")
}

fn end_of(block: &Uploaded) -> i64 {
    block.meta.summary.range.end().as_ms()
}

/// What there is of each shard that has a block.
fn kept(blocks: &[Uploaded]) -> Vec<Kept> {
    let mut shards: BTreeMap<(u128, ShardId), Vec<&Uploaded>> = BTreeMap::new();
    for block in blocks {
        shards.entry((block.meta.origin.cluster_id, block.meta.origin.shard)).or_default().push(block);
    }
    let of = |((cluster_id, shard), blocks): ((u128, ShardId), Vec<&Uploaded>)| {
        let cuts: BTreeMap<u64, i64> =
            blocks.iter().map(|block| (block.meta.origin.cut, block.meta.cut_end_ms())).collect();
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
        "lostFromMs": kept.lost_from_ms,
        "missingCuts": missing.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use block::{BlockMeta, BlockOrigin, BlockSummary};
    use model::{TenantId, TimeRange};

    use super::*;

    fn block(shard: u32, cut: u64, start_ms: i64, end_ms: i64) -> Uploaded {
        let origin = BlockOrigin { cluster_id: 9, tenant: TenantId::default(), shard: ShardId(shard), cut };
        let range = TimeRange::new(Timestamp(start_ms), Timestamp(end_ms - 5));
        let summary = BlockSummary { range, series_count: 1, sample_count: 2, chunk_count: 1, size_bytes: 3, hash: 4 };
        Uploaded { meta: BlockMeta::new(origin.block_id(end_ms), origin, summary), key: format!("{shard}/{cut}") }
    }

    #[test]
    fn what_is_lost_begins_where_the_last_cut_ended_and_cuts_without_a_block_are_named() {
        let blocks = [block(1, 2, 1_000, 2_000), block(1, 5, 4_000, 5_000), block(3, 1, 0, 3_000)];
        let kept = kept(&blocks);
        let of = |shard, first_ms, lost_from_ms, missing_cuts| Kept {
            cluster_id: 9,
            shard: ShardId(shard),
            first_ms,
            lost_from_ms,
            missing_cuts,
        };
        let missing = vec![(1, i64::MIN, 2_000), (3, 2_000, 5_000), (4, 2_000, 5_000)];
        assert_eq!(kept, [of(1, 1_000, 5_000, missing), of(3, 0, 3_000, vec![])]);
        let lines = lines(&kept, &[]);
        assert!(lines[0].ends_with("lost: everything from 1970-01-01T00:00:05Z on"), "{lines:?}");
        assert!(lines[1].contains("cut 1, between the beginning and 1970-01-01T00:00:02Z, has no block"), "{lines:?}");
    }
}
