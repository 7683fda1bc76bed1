//! Records of slots that their shard has given away.

use std::sync::Arc;
use std::time::Duration;

use model::ShardId;
use proto::entry::RecordAnswer;
use proto::entry::record::Record as Body;
use ring::ShardMap;
use stdx::Rng;

use crate::batch::{Delivery, Dropped, Waiting};
use crate::buffer::Lane;
use crate::delivery::{Sender, Shared};
use crate::distributor::Appended;
use crate::pushed;

/// The pause between two looks at the map.
const LOOK: Duration = Duration::from_millis(20);
/// After so long a record is sent again even if the map stays as it is.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Takes records to the new owners of their slots, once the map is another one than that by which they went to the old ones. If
/// it does not say yet who has the slots, the old owners refuse them once more.
pub(crate) async fn follow(shared: Arc<Shared>, rng: Rng, moved: Vec<Waiting>) {
    shared.metrics.count_retry("moved");
    let oldest = moved.iter().map(|waiting| waiting.routed.by).min().unwrap_or(0);
    tokio::select! {
        () = newer_map(&shared, oldest) => {}
        () = shared.tasks.stopped() => {}
    }
    let map = shared.routes.shard_map().expect("what was sent by a map has one");
    for mut waiting in moved {
        waiting.routed.by = map.epoch;
        match waiting.routed.slot {
            Some(slot) => send_again(&shared, &rng, map.shard_of(slot), waiting),
            None => sort_anew(&shared, &rng, &map, waiting),
        }
    }
}

async fn newer_map(shared: &Shared, than: u64) {
    let until = shared.clock.now() + LONGEST_WAIT;
    while shared.routes.shard_map().is_none_or(|map| map.epoch <= than) && shared.clock.now() < until {
        shared.clock.sleep(LOOK).await;
    }
}

fn send_again(shared: &Arc<Shared>, rng: &Rng, shard: ShardId, waiting: Waiting) {
    if shared.buffer.push_again(shard, waiting) {
        start_lanes(shared, rng, shard);
    }
}

/// Starts to send what there is for a shard that nothing was sent to before.
pub(crate) fn start_lanes(shared: &Arc<Shared>, rng: &Rng, shard: ShardId) {
    for lane in [Lane::Fresh, Lane::Backlog] {
        let sender = Sender::new(shared.clone(), shard, lane, rng.fork());
        shared.tasks.spawn("append-lane", sender.run());
    }
}

/// Sorts the series of a pushed record into records of the shards that have them now.
fn sort_anew(shared: &Arc<Shared>, rng: &Rng, map: &ShardMap, waiting: Waiting) {
    let sorted = match &waiting.record.record {
        Some(Body::Samples(samples)) => pushed::sorted(&waiting.record.tenant, samples, map),
        _ => Err("it has no slot".to_owned()),
    };
    shared.buffer.replace(&waiting);
    let parts = match sorted {
        Ok(parts) => parts,
        Err(reason) => {
            // Nobody could have told what it is: the shard would not have either.
            let outcome = proto::entry::Outcome::Malformed.into();
            return waiting.finish(Ok(RecordAnswer { outcome, reason, ..RecordAnswer::default() }));
        }
    };
    let mut pending = Vec::with_capacity(parts.len());
    for (shard, (record, samples)) in parts {
        let (part, delivery) = Waiting::new(waiting.routed, record, samples, waiting.since);
        pending.push(delivery);
        if shared.buffer.push(shard, part) {
            start_lanes(shared, rng, shard);
        }
    }
    let tasks = shared.tasks.clone();
    shared.tasks.spawn("append-sorted", async move {
        tokio::select! {
            deliveries = Appended::of(pending) => {
                let all = deliveries.into_iter().reduce(together);
                waiting.finish(all.unwrap_or_else(|| Ok(RecordAnswer::default())));
            }
            // What nobody sends any more is dropped only when all tasks have ended.
            () = tasks.stopped() => waiting.finish(Err(Dropped::Stopped)),
        }
    });
}

/// What became of a record of which parts went to several shards: what became of the worst one, and all counts.
fn together(one: Delivery, other: Delivery) -> Delivery {
    let (one, other) = (one?, other?);
    let outcome = if one.outcome() == proto::entry::Outcome::Stored { other.outcome } else { one.outcome };
    Ok(RecordAnswer {
        outcome,
        stored: one.stored + other.stored,
        new_series: one.new_series + other.new_series,
        out_of_order: one.out_of_order + other.out_of_order,
        duplicate_timestamp: one.duplicate_timestamp + other.duplicate_timestamp,
        too_old: one.too_old + other.too_old,
        refused_series: one.refused_series + other.refused_series,
        refused_exemplars: one.refused_exemplars + other.refused_exemplars,
        reason: if one.reason.is_empty() { other.reason } else { one.reason },
        ..RecordAnswer::default()
    })
}
