//! Commands → changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use consensus::{SnapshotReader, SnapshotWriter, StateMachine, TooNew};
use model::{BlockId, NodeId, ShardId};
use prost::Message;
use proto::meta;
use proto::meta::command::Command;
use proto::meta::place_request::Order;
use ring::{Host, Shard, ShardMap, place};

use crate::feature::FEATURE_LEVEL;
use crate::placement::{self, META_VOTERS};
use crate::state::{Change, ClusterState, Node, NodeState, ScraperMember};
use crate::wire;

/// How many versions back a watcher may be and still be told only what is new.
const RECENT: usize = 1024;

/// The state machine of meta.
#[derive(Clone, Debug, Default)]
pub struct MetaMachine {
    state: ClusterState,
    next_node_id: u64,
    /// The last cut of each shard that the catalog has, and the version since when.
    shipped: BTreeMap<ShardId, (u64, u64)>,
    /// The changes of the last versions, oldest first. No part of the state: it is only there to save watchers work.
    recent: VecDeque<(u64, Arc<[Change]>)>,
}

/// The state, and what led to it lately.
#[derive(Clone, Debug)]
pub struct MetaView(MetaMachine);

impl MetaView {
    /// The state.
    pub fn state(&self) -> &ClusterState {
        &self.0.state
    }

    /// Consumes the view.
    pub fn into_state(self) -> ClusterState {
        self.0.state
    }

    /// The changes after `version`, one list for each later version; `None` if they are no longer known.
    pub(crate) fn changes_since(&self, version: u64) -> Option<Vec<Arc<[Change]>>> {
        let known_from = self.0.recent.front().map_or(self.0.state.version, |(first, _)| first - 1);
        if version < known_from || version > self.0.state.version {
            return None;
        }
        let later = self.0.recent.iter().filter(|(of, _)| *of > version);
        Some(later.map(|(_, changes)| changes.clone()).collect())
    }
}

/// The nodes that meta is born on: three of those that form the cluster, in as many zones as there are.
pub(crate) fn founders_of(hosts: &[Host]) -> Vec<NodeId> {
    place(1, META_VOTERS, hosts).remove(&ShardId(1)).unwrap_or_default()
}

/// What a command comes to: the changes, and the node it is about, if any.
type Decision = Result<(Vec<Change>, Option<NodeId>), String>;

impl StateMachine for MetaMachine {
    type View = MetaView;

    fn apply(&mut self, log_index: u64, bytes: Bytes) -> Result<Bytes, TooNew> {
        let length = bytes.len();
        let too_new = |what: &str| TooNew { log_index, what: what.to_owned() };
        let decision = match meta::Command::decode(bytes) {
            // What is not known is not kept, and a command is always encoded in the same way.
            Ok(command) if command.encoded_len() != length => return Err(too_new("a field of a command of meta")),
            Ok(meta::Command { command: Some(Command::RaiseFeatureLevel(level)) }) if level > FEATURE_LEVEL => {
                return Err(too_new(&format!("feature level {level} instead of {FEATURE_LEVEL}")));
            }
            Ok(meta::Command { command: Some(command) }) => self.decide(command),
            Ok(meta::Command { command: None }) => return Err(too_new("a command of meta")),
            Err(error) => Err(format!("the command does not decode: {error}")),
        };
        let mut answer = meta::CommandAnswer::default();
        match decision {
            Ok((changes, node)) => {
                answer.node_id = node.map_or(0, |node| node.0);
                self.commit(changes);
            }
            Err(why) => answer.refused = why,
        }
        answer.version = self.state.version;
        Ok(answer.encode_to_vec().into())
    }

    fn view(&self) -> MetaView {
        MetaView(self.clone())
    }

    fn save(view: &MetaView, files: &mut SnapshotWriter<'_>) -> io::Result<()> {
        files.put("meta", "state", &[&view.0.to_bytes()?]).map(drop)
    }

    fn install(&mut self, files: &SnapshotReader<'_>) -> io::Result<()> {
        let damaged = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let [file] = files.files() else { return Err(damaged("a snapshot of meta is one file".to_owned())) };
        *self = Self::from_bytes(&files.read(file)?)?;
        Ok(())
    }
}

impl MetaMachine {
    /// A cluster that is not born yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn commit(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let version = self.state.version + 1;
        let changes: Arc<[Change]> = changes.into();
        self.state.apply(version, changes.iter().cloned());
        self.recent.push_back((version, changes));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    fn decide(&mut self, command: Command) -> Decision {
        match command {
            Command::Birthday(birthday) => self.birthday(birthday),
            Command::Register(request) => self.register(request),
            Command::NodeGone(node) => self.node_gone(NodeId(node)),
            Command::Drain(request) => self.drain(&request),
            Command::SetReplicas(shard) => self.set_replicas(&shard),
            Command::ScraperJoin(request) => Ok((self.scraper_join(request), None)),
            Command::ScraperLeave(request) => Ok((self.scraper_leave(&request), None)),
            Command::AddBlocks(request) => self.add_blocks(request),
            Command::Place(request) => self.place(&request),
            Command::MendCatalog(request) => self.mend_catalog(&request),
            Command::RaiseFeatureLevel(level) => Ok((self.raise_feature_level(level), None)),
            Command::MoveSlot(request) => self.move_slot(&request),
            Command::SlotMoved(moved) => Ok((self.slot_moved(&moved), None)),
        }
    }

    /// The first command: who there is, and where shards are born. Every founder proposes it; the first one counts.
    fn birthday(&mut self, birthday: meta::Birthday) -> Decision {
        if self.state.birth.is_some() {
            return Ok((Vec::new(), None));
        }
        let cluster = birthday.cluster.ok_or("a birthday without a cluster")?;
        let birth = cluster.birth.as_ref().ok_or("a birthday without a birth")?;
        let birth = wire::birth_from_proto(birth).map_err(|error| error.to_string())?;
        let cluster_id = wire::id_from_proto(&cluster.cluster_id).map_err(|error| error.to_string())?;
        let hosts: Vec<_> = birthday
            .members
            .iter()
            .map(|member| Host { node: NodeId(member.node_id), zone: member.zone.clone() })
            .collect();
        let placed = place(birth.shards, birth.replication as usize, &hosts);
        let meta = (ShardId::META, founders_of(&hosts));
        let shards = placed.into_iter().chain([meta]).map(|(id, replicas)| (id, Shard::born(replicas))).collect();
        self.next_node_id = birthday.members.iter().map(|member| member.node_id).max().unwrap_or(0) + 1;
        let founders = founders_of(&hosts);
        let mut changes = vec![Change::Born { cluster_id, birth, founders }];
        changes.extend(birthday.members.into_iter().map(|member| {
            let meta::Member { node_id, address, zone } = member;
            let node = Node { address, zone, incarnation: 0, state: NodeState::Up, nonce: 0 };
            Change::Node(NodeId(node_id), node)
        }));
        changes.push(Change::ShardMap(Arc::new(ShardMap::born(shards))));
        Ok((changes, None))
    }

    fn register(&mut self, request: meta::RegisterRequest) -> Decision {
        if self.state.birth.is_none() {
            return Err("the cluster is not born yet".to_owned());
        }
        if request.node_id == 0 { Ok(self.new_node(request)) } else { self.known_node(request) }
    }

    fn new_node(&mut self, request: meta::RegisterRequest) -> (Vec<Change>, Option<NodeId>) {
        let repeated = self.state.nodes.iter().find(|(_, node)| node.nonce == request.nonce && node.nonce != 0);
        if let Some((id, _)) = repeated {
            return (Vec::new(), Some(*id));
        }
        // Whoever lived at this address before has lost its identity: it would have come with it.
        let replaced = self.state.nodes_up().filter(|(_, node)| node.address == request.address);
        let mut changes: Vec<_> =
            replaced.map(|(id, node)| Change::Node(id, Node { state: NodeState::Gone, ..node.clone() })).collect();
        let id = NodeId(self.next_node_id);
        self.next_node_id += 1;
        let meta::RegisterRequest { address, zone, incarnation, nonce, .. } = request;
        changes.push(Change::Node(id, Node { address, zone, incarnation, state: NodeState::Up, nonce }));
        (changes, Some(id))
    }

    fn known_node(&self, request: meta::RegisterRequest) -> Decision {
        let id = NodeId(request.node_id);
        let node = self.state.nodes.get(&id).ok_or_else(|| format!("node {id} was never part of this cluster"))?;
        if node.state == NodeState::Gone {
            return Err(format!("the identity of node {id} has ended; wipe its data directory and let it join anew"));
        }
        let meta::RegisterRequest { address, zone, incarnation, .. } = request;
        let now = Node { address, zone, incarnation, ..node.clone() };
        let changes = if now == *node { Vec::new() } else { vec![Change::Node(id, now)] };
        Ok((changes, Some(id)))
    }

    fn node_gone(&self, id: NodeId) -> Decision {
        let node = self.state.nodes.get(&id).ok_or_else(|| format!("node {id} was never part of this cluster"))?;
        let gone = Node { state: NodeState::Gone, ..node.clone() };
        Ok((if gone == *node { Vec::new() } else { vec![Change::Node(id, gone)] }, Some(id)))
    }

    fn drain(&self, request: &meta::DrainRequest) -> Decision {
        let id = NodeId(request.node_id);
        let node = self.state.nodes.get(&id).ok_or_else(|| format!("node {id} was never part of this cluster"))?;
        let state = match (node.state, request.cancel) {
            (NodeState::Gone, _) => return Err(format!("the identity of node {id} has ended")),
            (_, true) => NodeState::Up,
            (_, false) => NodeState::Draining,
        };
        let others = self.state.nodes_up().filter(|(other, _)| *other != id).count();
        if state == NodeState::Draining && others == 0 {
            return Err(format!("node {id} can't be emptied: there is no other node to take what it holds"));
        }
        let next = Node { state, ..node.clone() };
        Ok((if next == *node { Vec::new() } else { vec![Change::Node(id, next)] }, Some(id)))
    }

    fn place(&mut self, request: &meta::PlaceRequest) -> Decision {
        let order = request.order.as_ref().ok_or("this version does not know the order")?;
        let id = ShardId(request.shard);
        let shard = placement::ordered(&self.state, id, order)?;
        let Order::Recover(recover) = order else { return self.replace_shard(id, shard) };
        // Its next cuts may have numbers that the catalog has seen: those who are lost may have cut and shipped what the survivor
        // never heard of, and a shard that begins anew counts from the beginning.
        self.shipped.remove(&id);
        match recover.survivor {
            // Whoever it is born on sets it up.
            0 => Ok((self.with_shard(id, shard), None)),
            _ => self.replace_shard(id, shard),
        }
    }

    fn move_slot(&self, request: &meta::MoveSlotRequest) -> Decision {
        let slot = wire::slot_from_proto(request.slot).map_err(|error| error.to_string())?;
        let map = placement::slot_ordered(&self.state, slot, ShardId(request.to))?;
        Ok((map.map(|map| Change::ShardMap(Arc::new(map))).into_iter().collect(), None))
    }

    /// The slot is its new owner's from now on.
    fn slot_moved(&self, moved: &meta::SlotMoved) -> Vec<Change> {
        let map = self.state.shard_map.as_ref().and_then(|map| {
            let mut map = ShardMap::clone(map);
            map.end_move(moved.r#move, moved.at_ms).then(|| Change::ShardMap(Arc::new(map)))
        });
        map.into_iter().collect()
    }

    /// The map with another shard.
    fn with_shard(&self, id: ShardId, shard: Shard) -> Vec<Change> {
        let map = self.state.shard_map.as_ref().map(|map| {
            let mut map = ShardMap::clone(map);
            map.epoch += 1;
            map.shards.insert(id, shard);
            Change::ShardMap(Arc::new(map))
        });
        map.into_iter().collect()
    }

    fn set_replicas(&self, message: &meta::Shard) -> Decision {
        let (id, shard) = wire::shard_from_proto(message);
        self.replace_shard(id, shard)
    }

    fn replace_shard(&self, id: ShardId, mut shard: Shard) -> Decision {
        let map = self.state.shard_map.as_ref().ok_or("the cluster is not born yet")?;
        let old = map.shards.get(&id).ok_or_else(|| format!("there is no shard {id}"))?;
        let mut named = shard.replicas.iter().chain(&shard.joining).chain(&shard.leaving).chain(&shard.rebuilding);
        if let Some(node) = named.find(|node| !self.is_known(**node)) {
            return Err(format!("node {node} was never part of this cluster"));
        }
        if shard.replicas.is_empty() || shard.wanted().is_empty() {
            return Err(format!("shard {id} can't be without replicas"));
        }
        // Once a move of its replicas is over, nobody may set it up again: a founder that left and comes back is empty, and several
        // of them would be a majority of those it was born on.
        let holders = |nodes: &[NodeId]| nodes.iter().copied().collect::<BTreeSet<_>>();
        let has_ended = old.is_moving() && !shard.is_moving();
        let is_as_born =
            stdx::makes_mistake("found again") || !has_ended && holders(&shard.replicas) == holders(&old.replicas);
        shard.born_on = if is_as_born { old.born_on.clone() } else { Vec::new() };
        if shard == *old {
            return Ok((Vec::new(), None));
        }
        Ok((self.with_shard(id, shard), None))
    }

    fn is_known(&self, node: NodeId) -> bool {
        self.state.nodes.contains_key(&node)
    }

    fn scraper_join(&self, request: meta::LeaseRequest) -> Vec<Change> {
        let member = ScraperMember::asked_for(&request);
        if self.state.scrapers.get(&request.name) == Some(&member) {
            return Vec::new();
        }
        let mut scrapers = BTreeMap::clone(&self.state.scrapers);
        scrapers.insert(request.name, member);
        vec![Change::Scrapers(self.state.scraper_epoch + 1, Arc::new(scrapers))]
    }

    /// A scraper that has started anew meanwhile is another incarnation, and stays.
    fn scraper_leave(&self, request: &meta::LeaveRequest) -> Vec<Change> {
        let leaves = |member: &ScraperMember| member.incarnation == request.incarnation;
        if !self.state.scrapers.get(&request.name).is_some_and(leaves) {
            return Vec::new();
        }
        let mut scrapers = BTreeMap::clone(&self.state.scrapers);
        scrapers.remove(&request.name);
        vec![Change::Scrapers(self.state.scraper_epoch + 1, Arc::new(scrapers))]
    }

    /// Cuts come in order and once: a leader that repeats one after a crash is told that it is there already.
    fn add_blocks(&mut self, request: meta::AddBlocksRequest) -> Decision {
        let shard = ShardId(request.shard);
        match self.shipped.get(&shard) {
            Some(_) if stdx::makes_mistake("list blocks without a condition") => {}
            Some((last, _)) if request.cut <= *last => return Ok((Vec::new(), None)),
            Some((last, _)) if request.cut != last + 1 => {
                return Err(format!("cut {} of shard {shard} comes before cut {}", request.cut, last + 1));
            }
            // The first one that is heard of: see `place`.
            _ => {}
        }
        let mut changes = Vec::new();
        for message in &request.blocks {
            let (id, block) = wire::block_from_proto(message).map_err(|error| error.to_string())?;
            if block.shard != shard || block.cut != request.cut {
                return Err(format!("block {id} is not of cut {} of shard {shard}", request.cut));
            }
            changes.push(Change::Block(id, Arc::new(block)));
        }
        // An empty cut is a version of its own too: the shard waits for the version that has the cut.
        self.shipped.insert(shard, (request.cut, self.state.version + u64::from(!changes.is_empty())));
        Ok((changes, None))
    }

    /// What is in the bucket decides. Which cuts were shipped is for the shards to say, and stays as it is.
    fn mend_catalog(&self, request: &meta::MendCatalogRequest) -> Decision {
        let mut changes = Vec::new();
        for message in &request.blocks {
            let (id, block) = wire::block_from_proto(message).map_err(|error| error.to_string())?;
            if self.state.blocks.get(&id).is_none_or(|known| **known != block) {
                changes.push(Change::Block(id, Arc::new(block)));
            }
        }
        for id in &request.removed {
            let id = BlockId(wire::id_from_proto(id).map_err(|error| error.to_string())?);
            changes.extend(self.state.blocks.contains_key(&id).then_some(Change::RemovedBlock(id)));
        }
        let later = |before: &i64| self.state.adopted_before_ms.is_none_or(|known| known < *before);
        changes.extend(request.adopted_before_ms.filter(later).map(Change::Adopted));
        Ok((changes, None))
    }

    fn raise_feature_level(&self, level: u32) -> Vec<Change> {
        if level <= self.state.feature_level { Vec::new() } else { vec![Change::FeatureLevel(level)] }
    }

    /// As a file of a snapshot: docs/formats/meta.md.
    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        zstd::encode_all(&self.to_proto().encode_to_vec()[..], 3)
    }

    fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let damaged = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let bytes = zstd::decode_all(bytes)?;
        let state = meta::State::decode(&bytes[..]).map_err(|error| damaged(error.to_string()))?;
        if state.feature_level > FEATURE_LEVEL {
            let level = state.feature_level;
            let what =
                format!("the state of meta is of feature level {level}, this binary knows {FEATURE_LEVEL}: upgrade it");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        Self::from_proto(state).map_err(|error| damaged(error.to_string()))
    }

    fn to_proto(&self) -> meta::State {
        let state = &self.state;
        let cluster = state.birth.map(|birth| meta::Cluster {
            cluster_id: wire::id_to_proto(state.cluster_id),
            birth: Some(wire::birth_to_proto(birth)),
            founders: state.founders.iter().map(|node| node.0).collect(),
        });
        let shipped = self.shipped.iter().map(|(shard, (cut, version))| meta::ShippedCut {
            shard: shard.0,
            cut: *cut,
            version: *version,
        });
        meta::State {
            version: state.version,
            cluster,
            next_node_id: self.next_node_id,
            nodes: state.nodes.iter().map(|(id, node)| wire::node_to_proto(*id, node)).collect(),
            shard_map: state.shard_map.as_deref().map(wire::shard_map_to_proto),
            scrapers: Some(wire::scrapers_to_proto(state.scraper_epoch, &state.scrapers)),
            blocks: state.blocks.iter().map(|(id, block)| wire::block_to_proto(*id, block)).collect(),
            shipped: shipped.collect(),
            adopted_before_ms: state.adopted_before_ms,
            feature_level: state.feature_level,
        }
    }

    fn from_proto(message: meta::State) -> Result<Self, wire::WireError> {
        use meta::change::Change as Wire;
        let wires = message.cluster.map(Wire::Cluster).into_iter();
        let wires = wires.chain(message.nodes.into_iter().map(Wire::Node));
        let wires = wires.chain(message.shard_map.map(Wire::ShardMap));
        let wires = wires.chain(message.scrapers.map(Wire::Scrapers));
        let wires = wires.chain(message.blocks.into_iter().map(Wire::Block));
        let wires = wires.chain(message.adopted_before_ms.map(Wire::AdoptedBeforeMs));
        let wires = wires.chain(Some(Wire::FeatureLevel(message.feature_level)));
        let changes = wires.map(|change| wire::change_from_proto(meta::Change { change: Some(change) }));
        let mut state = ClusterState::default();
        state.apply(message.version, changes.collect::<Result<Vec<_>, _>>()?);
        let shipped = message.shipped.into_iter().map(|cut| (ShardId(cut.shard), (cut.cut, cut.version)));
        Ok(Self { state, next_node_id: message.next_node_id, shipped: shipped.collect(), recent: VecDeque::new() })
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
