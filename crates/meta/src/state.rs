//! The state of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BlockId, NodeId, ShardId, TenantId, TimeRange};
use ring::{ScraperRing, ShardMap};

/// What is fixed when a cluster is born.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// How many data shards there are.
    pub shards: u32,
    /// How many replicas each shard is to have.
    pub replication: u32,
    /// The length of a block, in ms.
    pub block_window_ms: i64,
}

/// A node that is, or was, part of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it lives.
    pub address: String,
    /// What fails together with it; empty: nothing else.
    pub zone: String,
    /// Which process of it.
    pub incarnation: u64,
    /// Whether it takes part.
    pub state: NodeState,
    /// Of the registration that made it, so that a repeated one finds it.
    pub nonce: u64,
}

/// Whether a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It does.
    Up,
    /// It is to be emptied.
    Draining,
    /// It never will again: its identity has ended.
    Gone,
}

/// A scraper that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScraperMember {
    /// Which process of it.
    pub incarnation: u64,
    /// Where its HTTP server is.
    pub address: String,
    /// It is about to leave, and owns nothing any more.
    pub is_leaving: bool,
}

impl ScraperMember {
    /// What a scraper is that asks for a lease.
    pub(crate) fn asked_for(request: &proto::meta::LeaseRequest) -> Self {
        let proto::meta::LeaseRequest { incarnation, address, leaving, .. } = request;
        Self { incarnation: *incarnation, address: address.clone(), is_leaving: *leaving }
    }
}

/// A block in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whose data it has.
    pub tenant: TenantId,
    /// The shard that cut it.
    pub shard: ShardId,
    /// Which cut of the shard.
    pub cut: u64,
    /// From its first sample to just after its last.
    pub range: TimeRange,
    /// Its file in the bucket.
    pub key: String,
    /// How long the file is.
    pub size_bytes: u64,
    /// xxh3 of the file.
    pub hash: u128,
    /// How many series it has.
    pub series_count: u64,
    /// How many samples.
    pub sample_count: u64,
}

/// Everything that meta knows, at one version.
///
/// The same type serves the state machine, which decides changes, and everyone who watches, which only applies them.
/// Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterState {
    /// Rises with each change.
    pub version: u64,
    /// The name of the cluster; 0 before its birth.
    pub cluster_id: u128,
    /// What was fixed at birth.
    pub birth: Option<Birth>,
    /// The nodes that meta was born on.
    pub founders: Vec<NodeId>,
    /// All nodes there ever were.
    pub nodes: Arc<BTreeMap<NodeId, Node>>,
    /// Which shard owns what, and who holds it.
    pub shard_map: Option<Arc<ShardMap>>,
    /// The version of the scrapers' membership.
    pub scraper_epoch: u64,
    /// The scrapers that take part, by name.
    pub scrapers: Arc<BTreeMap<String, ScraperMember>>,
    /// The catalog: a block exists if and only if it is in here.
    pub blocks: imbl::OrdMap<BlockId, Arc<Block>>,
    /// Blocks that were taken over from another cluster have samples before this time, in ms, and none after it; `None`: there
    /// are no such blocks.
    pub adopted_before_ms: Option<i64>,
    /// What every binary that takes part must know, and all of them do; 0 is level 1.
    pub feature_level: u32,
}

/// One thing that is different from before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The cluster was born.
    Born { cluster_id: u128, birth: Birth, founders: Vec<NodeId> },
    /// A node is new or different.
    Node(NodeId, Node),
    /// There is another shard map.
    ShardMap(Arc<ShardMap>),
    /// Other scrapers take part.
    Scrapers(u64, Arc<BTreeMap<String, ScraperMember>>),
    /// A block was added.
    Block(BlockId, Arc<Block>),
    /// A block was removed.
    RemovedBlock(BlockId),
    /// Blocks of another cluster, with samples before this time in ms, are all in the catalog.
    Adopted(i64),
    /// All nodes know this feature level.
    FeatureLevel(u32),
}

impl ClusterState {
    /// Applies changes that lead to `version`.
    pub(crate) fn apply(&mut self, version: u64, changes: impl IntoIterator<Item = Change>) {
        self.version = version;
        for change in changes {
            match change {
                Change::Born { cluster_id, birth, founders } => {
                    self.cluster_id = cluster_id;
                    self.birth = Some(birth);
                    self.founders = founders;
                }
                Change::Node(id, node) => {
                    Arc::make_mut(&mut self.nodes).insert(id, node);
                }
                Change::ShardMap(map) => self.shard_map = Some(map),
                Change::Scrapers(epoch, scrapers) => {
                    self.scraper_epoch = epoch;
                    self.scrapers = scrapers;
                }
                Change::Block(id, block) => {
                    self.blocks.insert(id, block);
                }
                Change::RemovedBlock(id) => {
                    self.blocks.remove(&id);
                }
                Change::Adopted(before_ms) => self.adopted_before_ms = Some(before_ms),
                Change::FeatureLevel(level) => self.feature_level = level,
            }
        }
    }

    /// The changes that lead from nothing to this state.
    pub(crate) fn whole(&self, catalog: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(birth) = self.birth {
            changes.push(Change::Born { cluster_id: self.cluster_id, birth, founders: self.founders.clone() });
        }
        changes.extend(self.nodes.iter().map(|(id, node)| Change::Node(*id, node.clone())));
        changes.extend(self.shard_map.clone().map(Change::ShardMap));
        changes.push(Change::Scrapers(self.scraper_epoch, self.scrapers.clone()));
        changes.extend(self.adopted_before_ms.map(Change::Adopted));
        // Whoever does not know of levels must not be told of the first.
        changes.extend((self.feature_level > 0).then_some(Change::FeatureLevel(self.feature_level)));
        if catalog {
            changes.extend(self.blocks.iter().map(|(id, block)| Change::Block(*id, block.clone())));
        }
        changes
    }

    /// The nodes that take part, ascending.
    pub fn nodes_up(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().filter(|(_, node)| node.state == NodeState::Up).map(|(id, node)| (*id, node))
    }

    /// How many replicas a node holds, or is about to hold, that of meta included.
    pub fn replicas_on(&self, node: NodeId) -> usize {
        let shards = self.shard_map.iter().flat_map(|map| map.shards.values());
        shards.filter(|shard| shard.replicas.contains(&node) || shard.joining.contains(&node)).count()
    }

    /// The scrapers that stay, on a ring.
    pub fn scraper_ring(&self) -> ScraperRing {
        let staying = self.scrapers.iter().filter(|(_, member)| !member.is_leaving);
        ScraperRing::new(self.scraper_epoch, staying.map(|(name, _)| name.as_str().into()))
    }

    /// The blocks of a tenant that have samples in a range, by id.
    pub fn blocks_in(&self, tenant: &TenantId, range: TimeRange) -> impl Iterator<Item = (BlockId, &Arc<Block>)> {
        let wanted = move |block: &Block| block.tenant == *tenant && block.range.overlaps(range);
        self.blocks.iter().filter(move |(_, block)| wanted(block)).map(|(id, block)| (*id, block))
    }
}
