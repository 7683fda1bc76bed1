//! How slots move: what is ordered is written down, and its steps are repeated until it is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use model::{NodeId, ShardId};
use proto::meta;
use proto::meta::command::Command;
use ring::SlotMove;
use transport::{ErrorKind, RpcError};

use super::{LEASE, Leader};
use crate::feature::{MOVING_SLOTS, level_of};
use crate::placement::ShardLoad;
use crate::state::ClusterState;
use crate::{placement, wire};

/// How many slots move at once: each is copied by one entry or a few, but its writers wait meanwhile.
const SLOT_MOVES: usize = 4;

/// Asks the node that leads the old owner of a slot to give it to the new one, which the other node leads.
pub type GiveSlot = Arc<dyn Fn(NodeId, SlotMove, NodeId) -> BoxFuture<'static, Result<(), RpcError>> + Send + Sync>;

impl Leader {
    /// Takes an order to move a slot.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] with the reason.
    pub(crate) async fn move_slot(
        &self,
        state: &ClusterState,
        request: meta::MoveSlotRequest,
    ) -> Result<meta::MoveSlotReply, RpcError> {
        let refused = |why: String| RpcError::new(ErrorKind::Rejected, why);
        let level = level_of(state.feature_level);
        if level < MOVING_SLOTS {
            let message = format!("the cluster is at feature level {level}: slots move from {MOVING_SLOTS} on");
            return Err(refused(message + ", which counts some seconds after all processes know it"));
        }
        let slot = wire::slot_from_proto(request.slot).map_err(|error| refused(error.to_string()))?;
        let to = ShardId(request.to);
        // A slot whose owners have no leader would be refused by one, and not taken by the other.
        if let Some(map) = placement::slot_ordered(state, slot, to).map_err(refused)? {
            let leaders = self.shard_leaders();
            if let Some(shard) = [map.shard_of(slot), to].into_iter().find(|shard| !leaders.contains_key(shard)) {
                return Err(refused(format!("shard {shard} has no leader: no slot can move before it has one")));
            }
        }
        let answer = self.propose(Command::MoveSlot(request)).await?;
        Ok(meta::MoveSlotReply { version: answer.version })
    }

    /// Sends the hottest slot on its way of a shard that has taken in far more than others for long enough.
    pub(super) async fn send_hot_slots(&self, state: &ClusterState) {
        let (Some(after), Some(map)) = (self.patience.move_slots_after, &state.shard_map) else { return };
        if level_of(state.feature_level) < MOVING_SLOTS {
            return;
        }
        let now = self.clock.now();
        let loads = placement::settled(map, &self.loads());
        let hot = placement::hot_shards(map, &loads);
        let patient: Vec<ShardId> = {
            let mut heard = self.heard.lock();
            heard.hot_since.retain(|shard, _| hot.contains(shard));
            for shard in &hot {
                heard.hot_since.entry(*shard).or_insert(now);
            }
            heard
                .hot_since
                .iter()
                .filter(|(_, since)| now.duration_since(**since) >= after)
                .map(|(shard, _)| *shard)
                .collect()
        };
        for from in patient {
            // What moves changes the loads of both: the next look at this shard takes as long again.
            self.heard.lock().hot_since.remove(&from);
            if let Some((slot, to)) = placement::slot_to_move(map, &loads, from, self.wall_ms()) {
                let request = meta::MoveSlotRequest { slot: u32::from(slot.0), to: to.0 };
                if self.try_propose(Command::MoveSlot(request)).await {
                    tracing::info!(%slot, %from, %to, "a hot slot is to move");
                }
                // The others are looked at by the map that has this move.
                return;
            }
        }
    }

    /// What each shard takes in, as far as its leader has said lately.
    fn loads(&self) -> BTreeMap<ShardId, ShardLoad> {
        let now = self.clock.now();
        let beats = self.beats();
        let fresh = beats.values().filter(|beat| now.duration_since(beat.at) < LEASE);
        let led = fresh.flat_map(|beat| &beat.request.replicas).filter(|replica| replica.is_leader);
        led.map(|replica| (ShardId(replica.shard), ShardLoad::said(replica))).collect()
    }

    /// Takes the next step of each move whose shards have leaders.
    pub(super) async fn step_slots(&self, state: &ClusterState) {
        let Some(map) = &state.shard_map else { return };
        let leaders = self.shard_leaders();
        let can_go = map.moves.iter().filter_map(|it| Some((*it, *leaders.get(&it.from)?, *leaders.get(&it.to)?)));
        join_all(can_go.take(SLOT_MOVES).map(|(it, from, to)| self.step_slot(it, from, to))).await;
    }

    async fn step_slot(&self, it: SlotMove, from: NodeId, to: NodeId) {
        let SlotMove { id, slot, .. } = it;
        match (self.steps.give_slot)(from, it, to).await {
            Ok(()) => {
                let moved = meta::SlotMoved { r#move: id, at_ms: self.wall_ms() };
                if self.try_propose(Command::SlotMoved(moved)).await {
                    tracing::info!(%slot, from = %it.from, to = %it.to, "a slot has moved");
                }
            }
            Err(error) => tracing::info!(%slot, %error, "a slot could not be given yet"),
        }
    }
}
