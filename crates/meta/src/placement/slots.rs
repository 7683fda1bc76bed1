//! Which slots move to which shards: the state in, orders out.

use std::collections::{BTreeMap, BTreeSet};

use model::{ShardId, Slot};
use proto::meta;
use ring::ShardMap;

use crate::state::ClusterState;

/// The map that an order to move a slot leads to; `None` if the slot is there, or on its way. Pure.
///
/// # Errors
/// Why it can't be done, for whoever gave the order.
pub(crate) fn ordered(state: &ClusterState, slot: Slot, to: ShardId) -> Result<Option<ShardMap>, String> {
    let map = state.shard_map.as_ref().ok_or("the cluster is not born yet")?;
    if to == ShardId::META || !map.shards.contains_key(&to) {
        return Err(format!("there is no shard {to} for samples"));
    }
    if let Some(under_way) = map.moves.iter().find(|it| it.slot == slot) {
        return match under_way.to == to {
            true => Ok(None),
            false => Err(format!("slot {slot} is on its way to shard {}", under_way.to)),
        };
    }
    if map.shard_of(slot) == to {
        return Ok(None);
    }
    let mut map = ShardMap::clone(map);
    map.begin_move(slot, to);
    Ok(Some(map))
}

/// A shard takes in far more than others if that is so many times the mean, ...
const OUT_OF_LINE: f64 = 1.5;
/// ... and more than so many samples per second: less is no burden to anybody.
const BURDEN: f64 = 1000.0;
/// A slot moves if the loads of the two shards differ by so many times its own: less would only go to and fro.
const WORTH: f64 = 1.5;
/// A slot that has moved stays for so long, in ms.
const STAY_MS: i64 = 3_600_000;
/// How many slots are on their way by placement's own will, and an operator's.
const UNDER_WAY: usize = 2;

/// What a shard takes in, in samples per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ShardLoad {
    pub(crate) all: f64,
    /// The slots that have most of it, the hottest first.
    pub(crate) hottest: Vec<(Slot, f64)>,
}

impl ShardLoad {
    /// What a leader says of its shard.
    pub(crate) fn said(replica: &meta::ReplicaStatus) -> Self {
        let slot = |load: &meta::SlotLoad| Some((Slot(u16::try_from(load.slot).ok()?), load.samples_per_second));
        Self { all: replica.samples_per_second, hottest: replica.hottest_slots.iter().filter_map(slot).collect() }
    }
}

/// What shards take in when slots that have moved are where they are now. Loads are averaged over a minute or so: that of a slot
/// lingers where it was, and rises slowly where it is, and by that alone more would move than should. Pure.
pub(crate) fn settled(map: &ShardMap, loads: &BTreeMap<ShardId, ShardLoad>) -> BTreeMap<ShardId, ShardLoad> {
    let mut settled = loads.clone();
    for (shard, load) in loads {
        for (slot, own) in &load.hottest {
            let owner = map.shard_of(*slot);
            if owner == *shard {
                continue;
            }
            let Some(there) = settled.get_mut(&owner) else { continue };
            there.all += own;
            match there.hottest.iter_mut().find(|(known, _)| known == slot) {
                Some((_, known)) => *known += own,
                None => there.hottest.push((*slot, *own)),
            }
            there.hottest.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            let left = settled.get_mut(shard).expect("it is one of the loads");
            left.all -= own;
            left.hottest.retain(|(gone, _)| gone != slot);
        }
    }
    settled
}

/// The shards that take in far more than others. None as long as a shard has no leader that says what it takes in. Pure.
pub(crate) fn hot_shards(map: &ShardMap, loads: &BTreeMap<ShardId, ShardLoad>) -> BTreeSet<ShardId> {
    let all: Option<Vec<(ShardId, f64)>> =
        map.data_shards().map(|shard| Some((shard, loads.get(&shard)?.all))).collect();
    let all = all.unwrap_or_default();
    let mean = all.iter().map(|(_, load)| load).sum::<f64>() / all.len().max(1) as f64;
    all.into_iter().filter(|(_, load)| *load > BURDEN && *load > OUT_OF_LINE * mean).map(|(shard, _)| shard).collect()
}

/// The slot that a hot shard should give away, and who should have it: the hottest one that leaves both better off than the
/// shard is now. `None`: there is none, or not now. Pure.
pub(crate) fn slot_to_move(
    map: &ShardMap,
    loads: &BTreeMap<ShardId, ShardLoad>,
    from: ShardId,
    now_ms: i64,
) -> Option<(Slot, ShardId)> {
    let is_free = |shard: ShardId| {
        map.shards.get(&shard).is_some_and(|it| !it.is_moving())
            && map.moves.iter().all(|it| it.from != shard && it.to != shard)
    };
    if map.moves.len() >= UNDER_WAY || !is_free(from) {
        return None;
    }
    let load = loads.get(&from)?;
    // Leaders of meta's shard say what it takes in, too, and it can have no slot.
    let others = map.data_shards().filter(|shard| *shard != from && is_free(*shard));
    let others = others.filter_map(|shard| Some((shard, loads.get(&shard)?)));
    let (to, least) = others.min_by(|(_, a), (_, b)| a.all.total_cmp(&b.all))?;
    let rests =
        |slot: Slot| map.moved.get(&slot).is_none_or(|(_, since_ms)| now_ms.saturating_sub(*since_ms) >= STAY_MS);
    let is_worth = |own: f64| load.all - least.all >= WORTH * own;
    let mut slots = load.hottest.iter().filter(|(slot, _)| map.shard_of(*slot) == from && rests(*slot));
    slots.find(|(_, own)| is_worth(*own)).map(|(slot, _)| (*slot, to))
}

#[cfg(test)]
mod tests {
    use model::NodeId;
    use ring::Shard;

    use super::*;

    fn map() -> ShardMap {
        let shard = Shard::born(vec![NodeId(1)]);
        ShardMap::born((0..=3).map(|number| (ShardId(number), shard.clone())).collect())
    }

    /// Of shard 1, which has slots 0, 3, 6, ….
    fn loads(all: [f64; 3], hottest: &[(u16, f64)]) -> BTreeMap<ShardId, ShardLoad> {
        let hottest: Vec<_> = hottest.iter().map(|(slot, load)| (Slot(*slot), *load)).collect();
        let mut loads: BTreeMap<ShardId, ShardLoad> =
            (1..).zip(all).map(|(number, all)| (ShardId(number), ShardLoad { all, hottest: Vec::new() })).collect();
        loads.get_mut(&ShardId(1)).unwrap().hottest = hottest;
        loads
    }

    #[track_caller]
    fn check(map: &ShardMap, loads: &BTreeMap<ShardId, ShardLoad>, expected: Option<(u16, u32)>) {
        let moved = slot_to_move(map, loads, ShardId(1), 10 * STAY_MS);
        assert_eq!(moved, expected.map(|(slot, to)| (Slot(slot), ShardId(to))));
    }

    #[test]
    fn shards_are_hot_that_are_out_of_line_and_all_known() {
        let hot = |loads: &BTreeMap<ShardId, ShardLoad>| hot_shards(&map(), loads).into_iter().map(|it| it.0).collect();
        let check = |all: [f64; 3], expected: &[u32]| {
            let found: Vec<u32> = hot(&loads(all, &[]));
            assert_eq!(found, expected);
        };
        check([9000.0, 2000.0, 1000.0], &[1]);
        check([5000.0, 4000.0, 3000.0], &[]);
        check([900.0, 1.0, 1.0], &[]);
        let mut partly = loads([9000.0, 2000.0, 1000.0], &[]);
        partly.remove(&ShardId(3));
        assert_eq!(hot(&partly), Vec::<u32>::new());
    }

    #[test]
    fn the_hottest_slot_goes_that_makes_things_better() {
        let map = map();
        check(&map, &loads([9000.0, 2000.0, 1000.0], &[(0, 3000.0), (3, 2000.0)]), Some((0, 3)));
        // The whole load of one slot would only be another shard's.
        check(&map, &loads([9000.0, 2000.0, 1000.0], &[(0, 8000.0), (3, 500.0)]), Some((3, 3)));
        check(&map, &loads([9000.0, 2000.0, 1000.0], &[(0, 9000.0)]), None);
        // Meta's own shard is idle, and takes no slot.
        let mut with_meta = loads([9000.0, 2000.0, 1000.0], &[(0, 3000.0)]);
        with_meta.insert(ShardId::META, ShardLoad::default());
        check(&map, &with_meta, Some((0, 3)));
        // What it says may be of a slot that has left meanwhile.
        check(&map, &loads([9000.0, 2000.0, 1000.0], &[(1, 3000.0)]), None);
    }

    #[test]
    fn what_a_slot_had_counts_where_it_is_now() {
        let mut map = map();
        let loads = loads([9000.0, 2000.0, 1000.0], &[(0, 3000.0), (3, 2000.0), (6, 1500.0)]);
        assert_eq!(settled(&map, &loads), loads);
        map.begin_move(Slot(0), ShardId(3));
        assert_eq!(settled(&map, &loads), loads, "it is still there");
        map.end_move(1, 0);
        let now = settled(&map, &loads);
        assert_eq!(now.values().map(|load| load.all).collect::<Vec<_>>(), [6000.0, 2000.0, 4000.0]);
        assert_eq!(now[&ShardId(1)].hottest, [(Slot(3), 2000.0), (Slot(6), 1500.0)]);
        assert_eq!(now[&ShardId(3)].hottest, [(Slot(0), 3000.0)]);
        // By what was measured two more would go.
        assert_eq!(hot_shards(&map, &loads), [ShardId(1)].into());
        assert_eq!(hot_shards(&map, &now), BTreeSet::new());
    }

    #[test]
    fn nothing_moves_while_its_shards_move_or_twice_in_a_while() {
        let loads = loads([9000.0, 2000.0, 1000.0], &[(0, 3000.0)]);
        let mut replicas = map();
        replicas.shards.get_mut(&ShardId(3)).unwrap().joining = vec![NodeId(2)];
        check(&replicas, &loads, Some((0, 2)));
        replicas.shards.get_mut(&ShardId(1)).unwrap().joining = vec![NodeId(2)];
        check(&replicas, &loads, None);
        let mut slots = map();
        slots.begin_move(Slot(1), ShardId(3));
        check(&slots, &loads, None);
        let mut back = map();
        back.begin_move(Slot(0), ShardId(2));
        back.end_move(1, 9 * STAY_MS);
        back.begin_move(Slot(0), ShardId(1));
        back.end_move(2, 9 * STAY_MS + 1);
        check(&back, &loads, None);
    }
}
