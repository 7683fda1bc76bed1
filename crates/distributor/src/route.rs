//! Whom to ask.

use std::sync::Arc;

use model::{NodeId, ShardId};
use ring::ShardMap;

/// What is known about where shards live and who leads them.
pub trait Routes: Send + Sync + 'static {
    /// The newest shard map; `None` before the first.
    fn shard_map(&self) -> Option<Arc<ShardMap>>;

    /// Who leads a shard, as far as anybody has said.
    fn leader_hint(&self, shard: ShardId) -> Option<NodeId>;

    /// Remembers who leads a shard; `None`: not whoever was thought to.
    fn set_leader_hint(&self, shard: ShardId, leader: Option<NodeId>);
}

impl Routes for meta::Client {
    fn shard_map(&self) -> Option<Arc<ShardMap>> {
        self.state().shard_map.clone()
    }

    fn leader_hint(&self, shard: ShardId) -> Option<NodeId> {
        meta::Client::leader_hint(self, shard)
    }

    fn set_leader_hint(&self, shard: ShardId, leader: Option<NodeId>) {
        meta::Client::set_leader_hint(self, shard, leader);
    }
}

/// A round of tries to find the leader of a shard: the one who is said to lead, then each replica once.
#[derive(Debug, Default)]
pub(crate) struct Round {
    tried: Vec<NodeId>,
}

impl Round {
    /// The next node to try; `None` when all were tried, and with it begins another round.
    pub(crate) fn next(&mut self, routes: &dyn Routes, shard: ShardId) -> Option<NodeId> {
        let map = routes.shard_map();
        let replicas = map.iter().flat_map(|map| map.replicas(shard)).copied();
        let candidate = routes.leader_hint(shard).into_iter().chain(replicas).find(|node| !self.tried.contains(node));
        match candidate {
            Some(node) => self.tried.push(node),
            None => self.tried.clear(),
        }
        candidate
    }

    /// A node that was tried may be tried again in this round: nothing is wrong with it.
    pub(crate) fn forgive(&mut self, node: NodeId) {
        self.tried.retain(|tried| *tried != node);
    }

    /// Begins another round.
    pub(crate) fn restart(&mut self) {
        self.tried.clear();
    }
}
