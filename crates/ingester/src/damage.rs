//! What is found to be damaged on this node's disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::ShardId;
use parking_lot::Mutex;

/// Shards of which something is damaged here, and what. Meta hears of it with every beat, and has such a replica built anew
/// where others can stand in for it. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Damage(Arc<Mutex<BTreeMap<ShardId, String>>>);

impl Damage {
    /// Notes what is damaged.
    pub(crate) fn note(&self, shard: ShardId, what: &str) {
        if self.0.lock().insert(shard, what.to_owned()).is_none() {
            tracing::error!(%shard, what, "the data of a replica are damaged");
        }
    }

    /// What is damaged of a shard.
    pub(crate) fn of(&self, shard: ShardId) -> Option<String> {
        self.0.lock().get(&shard).cloned()
    }

    /// All that is damaged.
    pub(crate) fn all(&self) -> BTreeMap<ShardId, String> {
        self.0.lock().clone()
    }

    /// Nothing is left of the shard here, and so of its damage.
    pub(crate) fn forget(&self, shard: ShardId) {
        self.0.lock().remove(&shard);
    }
}
