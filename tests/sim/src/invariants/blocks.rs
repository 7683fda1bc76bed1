//! Every block of the catalog is in the bucket, and those of a shard do not overlap.

use std::collections::{BTreeMap, BTreeSet};

use model::{ShardId, TenantId, Timestamp};

use crate::Event;
use crate::universe::Shared;

pub(super) async fn check(shared: &Shared) {
    let state = shared.outsider.client.state();
    let listed = match shared.world.bucket.list("").await {
        Ok(listed) => listed.into_iter().map(|object| object.key).collect::<BTreeSet<String>>(),
        Err(error) => return shared.violated(format!("the bucket can't be listed: {error}")),
    };
    shared.world.coverage.add(Event::BlockShipped, state.blocks.len() as u64);
    let mut ends: BTreeMap<(ShardId, TenantId), Timestamp> = BTreeMap::new();
    let mut blocks: Vec<_> = state.blocks.values().collect();
    blocks.sort_by_key(|block| (block.shard, block.tenant.clone(), block.range.start()));
    for block in blocks {
        if !listed.contains(&block.key) {
            shared.violated(format!("the catalog has {}, and the bucket has not", block.key));
        }
        let last = ends.insert((block.shard, block.tenant.clone()), block.range.end());
        if last.is_some_and(|end| end > block.range.start()) {
            shared.violated(format!("{} begins at {:?}, before another ends", block.key, block.range.start()));
        }
    }
}
