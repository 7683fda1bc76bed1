//! The state and its changes ↔ messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::{BlockId, NodeId, SLOT_COUNT, ShardId, Slot, TenantId, TimeRange, Timestamp};
use proto::meta;
use ring::{Shard, ShardMap, SlotMove};

use crate::state::{Birth, Block, Change, Node, NodeState, ScraperMember};

/// A message that lacks what it must have, or contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message about the cluster is malformed: {0}")]
pub(crate) struct WireError(String);

fn malformed(what: impl Into<String>) -> WireError {
    WireError(what.into())
}

pub(crate) fn id_to_proto(id: u128) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

pub(crate) fn id_from_proto(bytes: &[u8]) -> Result<u128, WireError> {
    let bytes = bytes.try_into().map_err(|_| malformed(format!("an id has {} bytes instead of 16", bytes.len())))?;
    Ok(u128::from_be_bytes(bytes))
}

pub(crate) fn birth_to_proto(birth: Birth) -> meta::Birth {
    let Birth { shards, replication, block_window_ms } = birth;
    meta::Birth { shards, replication, block_window_ms }
}

pub(crate) fn birth_from_proto(message: &meta::Birth) -> Result<Birth, WireError> {
    let meta::Birth { shards, replication, block_window_ms } = *message;
    if shards == 0 || replication == 0 || block_window_ms <= 0 {
        return Err(malformed(format!("a cluster can't be born as {message:?}")));
    }
    Ok(Birth { shards, replication, block_window_ms })
}

pub(crate) fn node_to_proto(id: NodeId, node: &Node) -> meta::Node {
    let state = match node.state {
        NodeState::Up => meta::NodeState::Up,
        NodeState::Draining => meta::NodeState::Draining,
        NodeState::Gone => meta::NodeState::Gone,
    };
    meta::Node {
        node_id: id.0,
        address: node.address.clone(),
        zone: node.zone.clone(),
        incarnation: node.incarnation,
        state: state.into(),
        nonce: node.nonce,
    }
}

pub(crate) fn node_from_proto(message: meta::Node) -> (NodeId, Node) {
    let state = match message.state() {
        meta::NodeState::Up => NodeState::Up,
        meta::NodeState::Draining => NodeState::Draining,
        meta::NodeState::Gone => NodeState::Gone,
    };
    let meta::Node { node_id, address, zone, incarnation, nonce, .. } = message;
    (NodeId(node_id), Node { address, zone, incarnation, state, nonce })
}

fn to_ids(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.0).collect()
}

fn from_ids(ids: &[u64]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

pub(crate) fn shard_to_proto(id: ShardId, shard: &Shard) -> meta::Shard {
    meta::Shard {
        shard: id.0,
        replicas: to_ids(&shard.replicas),
        born_on: to_ids(&shard.born_on),
        joining: to_ids(&shard.joining),
        leaving: to_ids(&shard.leaving),
        rebuilding: to_ids(&shard.rebuilding),
        by_hand: shard.by_hand,
        forced: shard.forced,
    }
}

pub(crate) fn shard_from_proto(message: &meta::Shard) -> (ShardId, Shard) {
    let shard = Shard {
        replicas: from_ids(&message.replicas),
        born_on: from_ids(&message.born_on),
        joining: from_ids(&message.joining),
        leaving: from_ids(&message.leaving),
        rebuilding: from_ids(&message.rebuilding),
        by_hand: message.by_hand,
        forced: message.forced,
    };
    (ShardId(message.shard), shard)
}

pub(crate) fn shard_map_to_proto(map: &ShardMap) -> meta::ShardMap {
    meta::ShardMap {
        epoch: map.epoch,
        slots: map.slots().iter().map(|shard| shard.0).collect(),
        shards: map.shards.iter().map(|(id, shard)| shard_to_proto(*id, shard)).collect(),
        moves: map.moves.iter().map(|it| slot_move_to_proto(it, 0)).collect(),
        moved: map.moved.values().map(|(it, since_ms)| slot_move_to_proto(it, *since_ms)).collect(),
        last_move: map.last_move,
    }
}

fn slot_move_to_proto(it: &SlotMove, since_ms: i64) -> meta::SlotMove {
    meta::SlotMove { r#move: it.id, slot: u32::from(it.slot.0), from: it.from.0, to: it.to.0, since_ms }
}

fn slot_move_from_proto(message: &meta::SlotMove) -> Result<SlotMove, WireError> {
    let slot = slot_from_proto(message.slot)?;
    Ok(SlotMove { id: message.r#move, slot, from: ShardId(message.from), to: ShardId(message.to) })
}

pub(crate) fn slot_from_proto(number: u32) -> Result<Slot, WireError> {
    let slot = u16::try_from(number).ok().filter(|slot| *slot < SLOT_COUNT);
    slot.map(Slot).ok_or_else(|| malformed(format!("there is no slot {number}: they are 0 to {}", SLOT_COUNT - 1)))
}

pub(crate) fn shard_map_from_proto(message: &meta::ShardMap) -> Result<ShardMap, WireError> {
    let slots = message.slots.iter().copied().map(ShardId).collect();
    let shards = message.shards.iter().map(shard_from_proto).collect();
    let mut map = ShardMap::from_parts(message.epoch, slots, shards).map_err(|error| malformed(error.to_string()))?;
    let moved = message.moved.iter().map(|it| slot_move_from_proto(it).map(|ended| (ended.slot, (ended, it.since_ms))));
    map.moves = message.moves.iter().map(slot_move_from_proto).collect::<Result<_, _>>()?;
    map.moved = moved.collect::<Result<_, _>>()?;
    map.last_move = message.last_move;
    Ok(map)
}

pub(crate) fn scrapers_to_proto(epoch: u64, scrapers: &BTreeMap<String, ScraperMember>) -> meta::Scrapers {
    let scraper = |(name, member): (&String, &ScraperMember)| meta::Scraper {
        name: name.clone(),
        incarnation: member.incarnation,
        address: member.address.clone(),
        leaving: member.is_leaving,
    };
    meta::Scrapers { epoch, scrapers: scrapers.iter().map(scraper).collect() }
}

pub(crate) fn scrapers_from_proto(message: meta::Scrapers) -> (u64, Arc<BTreeMap<String, ScraperMember>>) {
    let member = |scraper: meta::Scraper| {
        let meta::Scraper { name, incarnation, address, leaving: is_leaving } = scraper;
        (name, ScraperMember { incarnation, address, is_leaving })
    };
    (message.epoch, Arc::new(message.scrapers.into_iter().map(member).collect()))
}

pub(crate) fn block_to_proto(id: BlockId, block: &Block) -> meta::Block {
    meta::Block {
        id: id_to_proto(id.0),
        tenant: block.tenant.as_str().to_owned(),
        shard: block.shard.0,
        cut: block.cut,
        min_time_ms: block.range.start().as_ms(),
        max_time_ms: block.range.end().as_ms() - 1,
        key: block.key.clone(),
        size_bytes: block.size_bytes,
        hash: id_to_proto(block.hash),
        series_count: block.series_count,
        sample_count: block.sample_count,
    }
}

pub(crate) fn block_from_proto(message: &meta::Block) -> Result<(BlockId, Block), WireError> {
    let tenant = TenantId::new(&message.tenant).ok_or_else(|| malformed(format!("tenant {:?}", message.tenant)))?;
    let block = Block {
        tenant,
        shard: ShardId(message.shard),
        cut: message.cut,
        range: TimeRange::inclusive(Timestamp(message.min_time_ms), Timestamp(message.max_time_ms)),
        key: message.key.clone(),
        size_bytes: message.size_bytes,
        hash: id_from_proto(&message.hash)?,
        series_count: message.series_count,
        sample_count: message.sample_count,
    };
    Ok((BlockId(id_from_proto(&message.id)?), block))
}

pub(crate) fn change_to_proto(change: &Change) -> meta::Change {
    use meta::change::Change as Wire;
    let change = match change {
        Change::Born { cluster_id, birth, founders } => Wire::Cluster(meta::Cluster {
            cluster_id: id_to_proto(*cluster_id),
            birth: Some(birth_to_proto(*birth)),
            founders: to_ids(founders),
        }),
        Change::Node(id, node) => Wire::Node(node_to_proto(*id, node)),
        Change::ShardMap(map) => Wire::ShardMap(shard_map_to_proto(map)),
        Change::Scrapers(epoch, scrapers) => Wire::Scrapers(scrapers_to_proto(*epoch, scrapers)),
        Change::Block(id, block) => Wire::Block(block_to_proto(*id, block)),
        Change::RemovedBlock(id) => Wire::RemovedBlock(id_to_proto(id.0)),
        Change::Adopted(before_ms) => Wire::AdoptedBeforeMs(*before_ms),
        Change::FeatureLevel(level) => Wire::FeatureLevel(*level),
    };
    meta::Change { change: Some(change) }
}

pub(crate) fn change_from_proto(message: meta::Change) -> Result<Change, WireError> {
    use meta::change::Change as Wire;
    Ok(match message.change.ok_or_else(|| malformed("a change says nothing"))? {
        Wire::Cluster(cluster) => {
            let birth = cluster.birth.as_ref().ok_or_else(|| malformed("a cluster without birth"))?;
            Change::Born {
                cluster_id: id_from_proto(&cluster.cluster_id)?,
                birth: birth_from_proto(birth)?,
                founders: from_ids(&cluster.founders),
            }
        }
        Wire::Node(node) => {
            let (id, node) = node_from_proto(node);
            Change::Node(id, node)
        }
        Wire::ShardMap(map) => Change::ShardMap(Arc::new(shard_map_from_proto(&map)?)),
        Wire::Scrapers(scrapers) => {
            let (epoch, scrapers) = scrapers_from_proto(scrapers);
            Change::Scrapers(epoch, scrapers)
        }
        Wire::Block(block) => {
            let (id, block) = block_from_proto(&block)?;
            Change::Block(id, Arc::new(block))
        }
        Wire::RemovedBlock(id) => Change::RemovedBlock(BlockId(id_from_proto(&id)?)),
        Wire::AdoptedBeforeMs(before_ms) => Change::Adopted(before_ms),
        Wire::FeatureLevel(level) => Change::FeatureLevel(level),
    })
}
