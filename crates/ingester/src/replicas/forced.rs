//! Shards whose majority is lost for ever, and which an operator lets go on with what is left.

use consensus::Standing;
use raftlog::force_sole_voter;
use ring::{Shard, ShardMap};

use super::Replicas;
use crate::replica::Replica;

impl Replicas {
    fn is_to_go_on(&self, shard: &Shard) -> bool {
        shard.forced && shard.replicas == [self.node()]
    }

    /// Makes this node the only voter of the shards that are to go on with its replica. They are opened again by the next
    /// look; when they have a leader, the map says that they are like all others.
    pub(super) async fn go_on_alone(&self, map: &ShardMap) {
        for (id, _) in map.shards.iter().filter(|(_, shard)| self.is_to_go_on(shard)) {
            // One that can't be opened has nothing to go on with.
            let Some(replica) = self.get(*id) else { continue };
            let is_alone = replica.group.status().voters.iter().eq([&self.node()]);
            let still = |newest: &ShardMap| newest.shards.get(id).is_some_and(|shard| self.is_to_go_on(shard));
            if is_alone || !self.is_surely(*id, still).await {
                continue;
            }
            self.take_off(&replica).await;
            match force_sole_voter(&*self.env.group.log, id.0, self.node().0).await {
                Ok(()) => tracing::warn!(shard = %id, "going on without the other replicas"),
                Err(error) => tracing::error!(shard = %id, %error, "the shard can't go on"),
            }
        }
    }

    /// Sets a shard up that is born on this node, and was open here before it was.
    pub(super) async fn set_up(&self, replica: &Replica) {
        let status = replica.group.status();
        if !status.voters.is_empty() || status.standing == Standing::Stopped {
            return;
        }
        let founders = match self.founders(replica.shard).await {
            Ok(founders) => founders,
            Err(error) => {
                tracing::debug!(shard = %replica.shard, %error, "meta doesn't say who founds the shard; the next look asks again");
                return;
            }
        };
        if !founders.contains(&self.node()) {
            return;
        }
        if replica.group.promised().is_some() {
            // That was in an earlier life of the shard. Opened again, it begins without.
            self.take_off(replica).await;
            return;
        }
        if let Err(error) = replica.group.initialize(founders).await {
            tracing::error!(shard = %replica.shard, %error, "the shard can't be set up");
        }
    }
}
