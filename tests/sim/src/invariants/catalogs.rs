//! A shard lets go only of what the catalog has, in the version that it names to whoever reads.

use std::collections::BTreeMap;

use model::BlockId;

use crate::cluster::Cluster;
use crate::universe::Shared;

/// What was seen of the catalog so far.
#[derive(Default)]
pub(super) struct Catalogs {
    version: u64,
    /// Of each block, a version that did not have it yet.
    before: BTreeMap<BlockId, u64>,
}

impl Catalogs {
    pub(super) async fn look(&mut self, shared: &Shared, cluster: &Cluster) {
        let held = cluster.held().await;
        let state = shared.outsider.client.state();
        if state.version < self.version {
            return;
        }
        for id in state.blocks.keys() {
            self.before.entry(*id).or_insert(self.version);
        }
        self.version = state.version;
        for (machine, shard, from_ms, version) in held {
            let gone = state.blocks.iter().filter(|(_, block)| {
                block.shard == shard && block.range.end().as_ms() <= from_ms && !block.range.is_empty()
            });
            for (id, block) in gone {
                if version <= self.before[id] {
                    shared.violated(format!(
                        "n{machine} has nothing of shard {shard} before {from_ms}, and names version {version} of the catalog, \
                         which has no {}",
                        block.key
                    ));
                }
            }
        }
    }
}
