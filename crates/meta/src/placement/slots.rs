//! Which slots move to which shards: the state in, orders out.

use model::{ShardId, Slot};
use ring::ShardMap;

use crate::state::ClusterState;

/// The map that an order to move a slot leads to; `None` if the slot is there, or on its way. Pure.
///
/// # Errors
/// Why it can't be done, for whoever gave the order.
pub(crate) fn ordered(state: &ClusterState, slot: Slot, to: ShardId) -> Result<Option<ShardMap>, String> {
    let map = state.shard_map.as_ref().ok_or("the cluster is not born yet")?;
    if to == ShardId::META || !map.shards.contains_key(&to) {
        return Err(format!("there is no shard {to} for samples"));
    }
    if let Some(under_way) = map.moves.iter().find(|it| it.slot == slot) {
        return match under_way.to == to {
            true => Ok(None),
            false => Err(format!("slot {slot} is on its way to shard {}", under_way.to)),
        };
    }
    if map.shard_of(slot) == to {
        return Ok(None);
    }
    let mut map = ShardMap::clone(map);
    map.begin_move(slot, to);
    Ok(Some(map))
}
