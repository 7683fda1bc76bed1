//! When the cluster's feature level rises.

use std::time::Duration;

use proto::meta;
use proto::meta::command::Command;

use super::{LEASE, Leader};
use crate::feature::{FEATURE_LEVEL, level_of};
use crate::state::{ClusterState, NodeState};

/// For so long everyone must have known a level before it counts: an older process that has just ended may be on its way back.
const PATIENCE: Duration = Duration::from_secs(10);

impl Leader {
    /// Raises the level to what everyone has known for a while.
    pub(super) async fn raise_level(&self, state: &ClusterState) {
        let (now, known) = (self.clock.now(), self.known_to_all(state));
        let is_lasting = {
            let mut heard = self.heard.lock();
            let since = heard.known_to_all.filter(|(level, _)| *level == known).map_or(now, |(_, since)| since);
            heard.known_to_all = Some((known, since));
            now.duration_since(since) >= PATIENCE
        };
        let rises = is_lasting && known > level_of(state.feature_level);
        if rises && self.try_propose(Command::RaiseFeatureLevel(known)).await {
            tracing::info!(level = known, "all nodes know this feature level: it counts from now on");
        }
    }

    /// The highest level that all nodes know that have not gone, all scrapers, and everyone who follows the state. A node that is
    /// silent may come back with any binary.
    fn known_to_all(&self, state: &ClusterState) -> u32 {
        let (beats, leases, now) = (self.beats(), self.leases(), self.clock.now());
        let nodes = state.nodes.iter().filter(|(_, node)| node.state != NodeState::Gone).map(|(id, _)| {
            let beat = beats.get(id).filter(|beat| now.duration_since(beat.at) < LEASE);
            beat.map_or(0, |beat| known_to(&beat.request))
        });
        let scrapers = state.scrapers.iter().map(|(name, member)| {
            let lease = leases.get(name).filter(|lease| lease.incarnation == member.incarnation);
            lease.map_or(0, |lease| lease.feature_level)
        });
        level_of(nodes.chain(scrapers).fold(FEATURE_LEVEL, u32::min))
    }
}

/// The highest level that a node knows, and everyone who follows the state through it.
fn known_to(beat: &meta::BeatRequest) -> u32 {
    let watchers = beat.watchers_level.unwrap_or(u32::MAX);
    level_of(beat.feature_level).min(watchers)
}
