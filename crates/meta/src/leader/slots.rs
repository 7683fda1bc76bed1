//! How slots move: what is ordered is written down, and its steps are repeated until it is done.

use futures::future::{BoxFuture, join_all};
use model::{NodeId, ShardId};
use proto::meta;
use proto::meta::command::Command;
use ring::SlotMove;
use std::sync::Arc;
use transport::{ErrorKind, RpcError};

use super::Leader;
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
                tracing::info!(%slot, from = %it.from, to = %it.to, "a slot has moved");
                let moved = meta::SlotMoved { r#move: id, at_ms: self.wall_ms() };
                self.try_propose(Command::SlotMoved(moved)).await;
            }
            Err(error) => tracing::info!(%slot, %error, "a slot could not be given yet"),
        }
    }
}
