//! What operators order: what can be done now is written down, and then done like any other move.

use model::{NodeId, ShardId};
use proto::meta;
use proto::meta::command::Command;
use proto::meta::place_request::Order;
use transport::{ErrorKind, RpcError};

use super::{LEASE, Leader};
use crate::placement;
use crate::state::ClusterState;

/// A replica that lacks no more entries than this can lead in a moment.
const NEARLY: u64 = 1024;

impl Leader {
    /// Takes an order if the nodes that it needs are there. What can be seen from the state alone is judged once more when
    /// the order is applied.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] with the reason.
    pub(crate) async fn place(
        &self,
        state: &ClusterState,
        request: meta::PlaceRequest,
    ) -> Result<meta::PlaceReply, RpcError> {
        let refused = |why: String| RpcError::new(ErrorKind::Rejected, why);
        let order = request.order.ok_or_else(|| refused("this version does not know the order".to_owned()))?;
        let id = ShardId(request.shard);
        // Why it never can be done is a better answer than why it can't be done now.
        let next = placement::ordered(state, id, &order).map_err(refused)?;
        let before = state.shard_map.as_ref().and_then(|map| map.shards.get(&id));
        if before != Some(&next) {
            self.check(state, id, &order).map_err(refused)?;
        }
        if let (ShardId::META, Order::Lead(node)) = (id, &order) {
            // Nobody is preferred as the leader of meta: it is handed over, and stays there as long as that may be.
            self.group.transfer_leader(NodeId(*node)).await?;
            return Ok(meta::PlaceReply { version: state.version });
        }
        let answer = self.propose(Command::Place(request)).await?;
        Ok(meta::PlaceReply { version: answer.version })
    }

    fn check(&self, state: &ClusterState, id: ShardId, order: &Order) -> Result<(), String> {
        if let Order::Recover(order) = order {
            return self.check_is_lost(id, NodeId(order.survivor));
        }
        if id != ShardId::META && !self.shard_leaders().contains_key(&id) {
            return Err(format!("shard {id} has no leader: nothing can be changed before it has one"));
        }
        match order {
            Order::Move(order) => self.check_is_heard(NodeId(order.to)),
            Order::Lead(node) => self.check_can_lead(id, NodeId(*node)),
            Order::Rebuild(node) => self.check_can_miss(state, id, NodeId(*node)),
            Order::Release(_) | Order::Recover(_) => Ok(()),
        }
    }

    /// Whether a shard has no leader, and its survivor, if there is one, its replica.
    fn check_is_lost(&self, id: ShardId, survivor: NodeId) -> Result<(), String> {
        let now = self.clock.now();
        let beats = self.beats();
        let mut fresh = beats.iter().filter(|(_, beat)| now.duration_since(beat.at) < LEASE);
        if survivor != NodeId(0) && !self.has_whole(survivor, id) {
            return Err(format!("node {survivor} is silent, or has no whole replica of shard {id} open"));
        }
        let leads = |beat: &super::Beat| beat.request.replicas.iter().any(|it| it.shard == id.0 && it.is_leader);
        match fresh.find(|(node, beat)| **node != survivor && leads(beat)) {
            Some((node, _)) => Err(format!("node {node} leads shard {id}: there is nothing to recover")),
            None => Ok(()),
        }
    }

    fn is_heard(&self, node: NodeId) -> bool {
        let now = self.clock.now();
        self.beats().get(&node).is_some_and(|beat| now.duration_since(beat.at) < LEASE)
    }

    /// Whether a node was heard of lately, and has its replica of a shard open and whole.
    fn has_whole(&self, node: NodeId, id: ShardId) -> bool {
        let is_whole = |report: &meta::ReplicaStatus| report.shard == id.0 && report.damage.is_empty();
        let has = self.beats().get(&node).is_some_and(|beat| beat.request.replicas.iter().any(is_whole));
        has && self.is_heard(node)
    }

    fn check_is_heard(&self, node: NodeId) -> Result<(), String> {
        if self.is_heard(node) { Ok(()) } else { Err(format!("node {node} is silent: is it running?")) }
    }

    fn check_can_lead(&self, id: ShardId, node: NodeId) -> Result<(), String> {
        self.check_is_heard(node)?;
        let beats = self.beats();
        let report_of = |beat: &super::Beat| beat.request.replicas.iter().find(|it| it.shard == id.0).cloned();
        let committed = beats.values().filter_map(report_of).map(|report| report.committed_count).max().unwrap_or(0);
        let own = beats.get(&node).and_then(report_of);
        let own = own.ok_or_else(|| format!("node {node} has not opened its replica of shard {id}"))?;
        match own.log_count.saturating_add(NEARLY) < committed {
            false => Ok(()),
            true => Err(format!("node {node} lacks {} entries of shard {id}", committed - own.log_count)),
        }
    }

    /// Whether the other replicas of a shard are a majority without that of a node.
    fn check_can_miss(&self, state: &ClusterState, id: ShardId, node: NodeId) -> Result<(), String> {
        self.check_is_heard(node)?;
        let replicas = state.shard_map.as_ref().map_or(&[][..], |map| map.replicas(id));
        let others = replicas.iter().copied().filter(|other| *other != node);
        let (whole, missed): (Vec<NodeId>, Vec<NodeId>) = others.partition(|other| self.has_whole(*other, id));
        match 2 * whole.len() > replicas.len() {
            true => Ok(()),
            false => {
                let missed: Vec<u64> = missed.iter().map(|node| node.0).collect();
                Err(format!(
                    "shard {id} needs the replica of node {node} for a majority: those of {missed:?} are silent or damaged"
                ))
            }
        }
    }
}
