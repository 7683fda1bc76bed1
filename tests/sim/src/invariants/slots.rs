//! Every slot that was sent to another shard comes there, and is one shard's.

use std::time::Duration;

use crate::Event;
use crate::universe::Shared;

/// How long moves may take when everything works.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn check(shared: &Shared) {
    let until = shared.clock.now() + LIMIT;
    loop {
        let state = shared.outsider.client.state();
        let map = state.shard_map.as_ref().expect("a cluster that was written to has a map");
        if map.moves.is_empty() {
            return shared.world.coverage.add(Event::SlotMoved, map.last_move);
        }
        if shared.clock.now() > until {
            return shared.violated(format!("slots are still on their way: {:?}", map.moves));
        }
        shared.clock.sleep(Duration::from_millis(100)).await;
    }
}
