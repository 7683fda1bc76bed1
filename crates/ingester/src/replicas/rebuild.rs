//! Replicas that are built anew, because what this node has of them may be damaged.
//!
//! The map says so and has taken the node out of the shard. It drops what it has, opened or not, and says that it did; then it
//! is let in again like any newcomer, and gets everything from the others.

use model::ShardId;
use ring::{Shard, ShardMap};

use super::Replicas;

impl Replicas {
    /// The shards that are to be built anew here, and of which nothing is left.
    pub(crate) fn dropped(&self) -> Vec<ShardId> {
        self.dropped.lock().iter().copied().collect()
    }

    fn is_to_drop(&self, shard: &Shard) -> bool {
        shard.rebuilding.contains(&self.node()) && !self.is_here(shard)
    }

    /// Drops what this node has of the shards that it is to build anew. One that is open is closed first, like all that are
    /// not wanted.
    pub(super) async fn drop_rebuilt(&self, map: &ShardMap) {
        let is_to_drop = |map: &ShardMap, id: ShardId| map.shards.get(&id).is_some_and(|shard| self.is_to_drop(shard));
        self.dropped.lock().retain(|id| is_to_drop(map, *id));
        for id in map.shards.keys().copied().filter(|id| is_to_drop(map, *id)) {
            let is_done = self.dropped.lock().contains(&id);
            if is_done || self.get(id).is_some() || !self.is_surely(id, |newest| is_to_drop(newest, id)).await {
                continue;
            }
            match self.remove(id).await {
                Ok(()) => {
                    tracing::info!(shard = %id, "replica dropped, to be built anew");
                    self.dropped.lock().insert(id);
                }
                Err(error) => tracing::error!(shard = %id, %error, "a replica can't be dropped"),
            }
        }
    }
}
