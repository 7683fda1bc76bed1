//! Orders to move slots, and how far they are.

use meta::ClusterState;
use model::{ShardId, Slot};
use serde_json::json;

use super::cluster::{Cluster, ORDER_LIMIT, failed};
use super::{Answer, progress};
use crate::flags::Output;

/// Moves a slot, and tells where it is until it is there.
pub(super) async fn move_slot(cluster: &Cluster, slot: Slot, to: ShardId, output: Output) -> Result<Answer, String> {
    let ordered = cluster.client.move_slot(slot, to, ORDER_LIMIT).await;
    let version = ordered.map_err(|error| failed(&format!("move slot {slot} to shard {to}"), &error))?;
    cluster.client.reached(version).await;
    let mut states = cluster.client.watch();
    let mut has_told = false;
    loop {
        let state = states.borrow_and_update().clone();
        match where_is(&state, slot) {
            (owner, None) if owner == Some(to) => {
                let data = json!({"slot": slot.0, "shard": to.0});
                return Ok(Answer::good(data, format!("slot {slot} is in shard {to}\n")));
            }
            (owner, None) => {
                let owner = owner.map_or(0, |owner| owner.0);
                return Err(format!("slot {slot} is in shard {owner} now: somebody has moved it on"));
            }
            (_, Some(from)) if !has_told => {
                progress(output, &format!("slot {slot} is on its way from shard {from} to shard {to}"));
                has_told = true;
            }
            (_, Some(_)) => {}
        }
        states.changed().await.map_err(|_| "the client of meta ended".to_owned())?;
    }
}

/// The shard that has a slot, and that which it leaves if it is on its way.
fn where_is(state: &ClusterState, slot: Slot) -> (Option<ShardId>, Option<ShardId>) {
    let map = state.shard_map.as_ref();
    let under_way = map.and_then(|map| map.moves.iter().find(|it| it.slot == slot));
    (map.map(|map| map.shard_of(slot)), under_way.map(|it| it.from))
}
