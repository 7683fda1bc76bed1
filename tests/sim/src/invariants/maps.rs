//! Nobody who may hold something of a shard is forgotten, and nobody may set up a shard anew that has had others.

use std::collections::{BTreeMap, BTreeSet};

use model::{NodeId, ShardId};
use ring::Shard;

use crate::universe::Shared;

/// What was seen of the maps so far.
#[derive(Default)]
pub(super) struct Maps {
    epoch: u64,
    joining: BTreeMap<ShardId, Vec<NodeId>>,
    moving: BTreeSet<ShardId>,
}

impl Maps {
    pub(super) fn look(&mut self, shared: &Shared) {
        let state = shared.outsider.client.state();
        let Some(map) = &state.shard_map else { return };
        // Maps in between were not seen: a node may have joined and left again.
        let is_next = map.epoch <= self.epoch + 1;
        self.epoch = map.epoch;
        for (id, shard) in &map.shards {
            if let Some(node) = self.forgotten(*id, shard).filter(|_| is_next) {
                shared.violated(format!("node {node} was to join shard {id}, and may have a vote there: {shard:?}"));
            }
            self.joining.insert(*id, shard.joining.clone());
            if shard.is_moving() {
                self.moving.insert(*id);
            } else if self.moving.contains(id) && !shard.born_on.is_empty() {
                shared.violated(format!("shard {id} has had other replicas, and may be set up anew: {shard:?}"));
            }
        }
    }

    /// Whoever was to join, and is not named any more.
    fn forgotten(&self, id: ShardId, shard: &Shard) -> Option<NodeId> {
        let named =
            |node: &NodeId| [&shard.replicas, &shard.joining, &shard.leaving].iter().any(|of| of.contains(node));
        self.joining.get(&id)?.iter().copied().find(|node| !named(node))
    }
}
