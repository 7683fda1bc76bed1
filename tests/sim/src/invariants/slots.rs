//! Every slot that was sent to another shard comes there, and is one shard's.

use std::time::Duration;

use proto::entry::Outcome;
use ring::ShardMap;

use crate::oracle::SERIES;
use crate::plan::TARGETS;
use crate::universe::Shared;
use crate::{Event, FakeTarget, Oracle};

/// How long moves may take when everything works.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn check(shared: &Shared) {
    let until = shared.clock.now() + LIMIT;
    loop {
        let state = shared.outsider.client.state();
        let map = state.shard_map.as_ref().expect("a cluster that was written to has a map");
        if map.moves.is_empty() {
            shared.world.coverage.add(Event::SlotMoved, map.last_move);
            return are_of_one_shard(shared, map).await;
        }
        if shared.clock.now() > until {
            return shared.violated(format!("slots are still on their way: {:?}", map.moves));
        }
        shared.clock.sleep(Duration::from_millis(100)).await;
    }
}

/// A shard takes no scrape of a slot that it gave away, not even from somebody whose map is old.
async fn are_of_one_shard(shared: &Shared, map: &ShardMap) {
    for number in 0..TARGETS {
        let target = FakeTarget::new(number, SERIES);
        let Some((last, _)) = map.moved.get(&target.slot()) else { continue };
        let tick = shared.clock.wall_ms();
        let values: Vec<f64> = (0..SERIES).map(|series| Oracle::value((number, series, tick))).collect();
        let record = target.scrape(tick, &values);
        for node in map.replicas(last.from) {
            let taken = shared.outsider.append_to(*node, last.from, &record).await;
            if let Some(answer) = taken.filter(|answer| answer.outcome() != Outcome::Moved) {
                let outcome = answer.outcome();
                shared.violated(format!("shard {} says {outcome:?} of target {number}, which it gave away", last.from));
            }
        }
    }
}
