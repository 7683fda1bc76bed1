//! Key → slot → shard → replicas.

use std::collections::BTreeMap;

use model::{BUCKET_LABEL, Labels, METRIC_NAME, NodeId, SLOT_COUNT, ShardId, Slot, TargetId, TenantId};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The slot of one part of a target.
pub fn slot_of_target(target: TargetId, part: u32) -> Slot {
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(&target.0.to_le_bytes());
    bytes[16..].copy_from_slice(&part.to_le_bytes());
    slot_of_key(xxh3_64(&bytes))
}

/// The slot of a pushed series: that of all its labels but the metric name, so that what one thing says about itself
/// lies together.
pub fn slot_of_series(tenant: &TenantId, labels: &Labels) -> Slot {
    let mut hash = Xxh3::new();
    hash.update(tenant.as_str().as_bytes());
    for (name, value) in labels.iter().filter(|(name, _)| *name != METRIC_NAME) {
        // 0xff is in no text: it keeps ("a", "bc") and ("ab", "c") apart.
        for text in [name, value] {
            hash.update(text.as_bytes());
            hash.update(&[0xff]);
        }
    }
    slot_of_key(hash.digest())
}

/// The part of its target that a series belongs to, when the target has `parts` parts, a power of two.
///
/// Decided by the labels without `le`, and with the metric name without the suffixes in which the series of a histogram
/// differ: so a histogram stays together.
pub fn part_of(labels: &Labels, parts: u32) -> u32 {
    debug_assert!(parts.is_power_of_two());
    if parts == 1 {
        return 0;
    }
    let name = labels.metric();
    let family = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let pairs = labels.iter().filter(|(name, _)| *name != BUCKET_LABEL);
    let pairs = pairs.map(|(name, value)| if name == METRIC_NAME { (name, family) } else { (name, value) });
    Labels::from_pairs(pairs).series_hash().0 as u32 & (parts - 1)
}

fn slot_of_key(key: u64) -> Slot {
    Slot((key % u64::from(SLOT_COUNT)) as u16)
}

/// One shard, as the map has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The nodes that hold it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// The nodes that it was born on. Only they may set up its Raft group; everyone else is let in by its leader.
    pub born_on: Vec<NodeId>,
    /// Nodes that are on their way to be replicas. They may be among the replicas already, where a move was turned back and
    /// nobody knows how far it came.
    pub joining: Vec<NodeId>,
    /// Replicas that will be none as soon as those that join have everything, or have been none for a while.
    pub leaving: Vec<NodeId>,
    /// Nodes that drop what they have of it, because it may be damaged, and join again when they hold nothing.
    pub rebuilding: Vec<NodeId>,
    /// Whether an operator said who holds or leads it: then it is not moved only to even out loads.
    pub by_hand: bool,
    /// Whether most of its replicas are lost for ever, and the only one that is named here is to go on without them.
    pub forced: bool,
}

impl Shard {
    /// A shard that is born on these nodes, and stays there.
    pub fn born(replicas: Vec<NodeId>) -> Self {
        let born_on = replicas.clone();
        Self {
            replicas,
            born_on,
            joining: Vec::new(),
            leaving: Vec::new(),
            rebuilding: Vec::new(),
            by_hand: false,
            forced: false,
        }
    }

    /// Whether its replicas are about to change.
    pub fn is_moving(&self) -> bool {
        !self.joining.is_empty() || !self.leaving.is_empty() || !self.rebuilding.is_empty() || self.forced
    }

    /// Who holds it when its move is over, the preferred leader first.
    pub fn wanted(&self) -> Vec<NodeId> {
        let stay = self.replicas.iter().filter(|node| !self.leaving.contains(node));
        let join = self.joining.iter().filter(|node| !self.replicas.contains(node) || self.leaving.contains(node));
        stay.chain(join).copied().collect()
    }
}

/// A slot that goes to another shard, or has come from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotMove {
    /// Numbers all moves, upwards from 1.
    pub id: u64,
    /// The slot.
    pub slot: Slot,
    /// Who has it, or had it.
    pub from: ShardId,
    /// Who is to have it, or got it.
    pub to: ShardId,
}

/// Which shard owns which slot, and who holds it. Versioned: the epoch rises with each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    /// The version.
    pub epoch: u64,
    /// The owner of each slot; [`SLOT_COUNT`] long.
    slots: Vec<ShardId>,
    /// All shards; the first one is meta, which owns no slots.
    pub shards: BTreeMap<ShardId, Shard>,
    /// Slots that are on their way, in the order in which they were sent. Until a slot is there, it is the old owner's.
    pub moves: Vec<SlotMove>,
    /// How each slot that was ever moved came to be where it is, and when, in ms by the clock of meta's leader.
    pub moved: BTreeMap<Slot, (SlotMove, i64)>,
    /// The number of the last move; 0: there was none.
    pub last_move: u64,
}

/// Why a map makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardMapError {
    /// Not one owner for each slot.
    #[error("a shard map has {0} slots instead of {SLOT_COUNT}")]
    Slots(usize),
    /// A slot belongs to a shard that is not there, or to meta.
    #[error("slot {0} belongs to shard {1}, which is no data shard of the map")]
    Unowned(Slot, ShardId),
}

impl ShardMap {
    /// A map that spreads the slots over the data shards among these, in turn.
    ///
    /// # Panics
    /// If there are none.
    pub fn born(shards: BTreeMap<ShardId, Shard>) -> Self {
        assert!(shards.keys().any(|id| *id != ShardId::META), "a cluster has at least one data shard");
        let owners = shards.keys().copied().filter(|id| *id != ShardId::META).cycle();
        let slots = owners.take(SLOT_COUNT.into()).collect();
        Self { epoch: 1, slots, shards, moves: Vec::new(), moved: BTreeMap::new(), last_move: 0 }
    }

    /// A map from its parts.
    ///
    /// # Errors
    /// If the parts contradict each other.
    pub fn from_parts(
        epoch: u64,
        slots: Vec<ShardId>,
        shards: BTreeMap<ShardId, Shard>,
    ) -> Result<Self, ShardMapError> {
        if slots.len() != usize::from(SLOT_COUNT) {
            return Err(ShardMapError::Slots(slots.len()));
        }
        let owns = |shard: &ShardId| *shard != ShardId::META && shards.contains_key(shard);
        match (0u16..).zip(&slots).find(|(_, shard)| !owns(shard)) {
            Some((slot, shard)) => Err(ShardMapError::Unowned(Slot(slot), *shard)),
            None => Ok(Self { epoch, slots, shards, moves: Vec::new(), moved: BTreeMap::new(), last_move: 0 }),
        }
    }

    /// The owner of each slot, in order.
    pub fn slots(&self) -> &[ShardId] {
        &self.slots
    }

    /// The data shards, ascending.
    pub fn data_shards(&self) -> impl Iterator<Item = ShardId> {
        self.shards.keys().copied().filter(|id| *id != ShardId::META)
    }

    /// The shard that owns a slot.
    pub fn shard_of(&self, slot: Slot) -> ShardId {
        self.slots[usize::from(slot.0)]
    }

    /// Sends a slot on its way to another shard. Its move has the next number.
    pub fn begin_move(&mut self, slot: Slot, to: ShardId) {
        self.epoch += 1;
        self.last_move += 1;
        self.moves.push(SlotMove { id: self.last_move, slot, from: self.shard_of(slot), to });
    }

    /// Notes that a slot is where it was sent. `false`: that was known.
    pub fn end_move(&mut self, id: u64, at_ms: i64) -> bool {
        let Some(place) = self.moves.iter().position(|it| it.id == id) else { return false };
        let ended = self.moves.remove(place);
        self.epoch += 1;
        self.slots[usize::from(ended.slot.0)] = ended.to;
        self.moved.insert(ended.slot, (ended, at_ms));
        true
    }

    /// The nodes that hold a shard, the preferred leader first; none if the shard is unknown.
    pub fn replicas(&self, shard: ShardId) -> &[NodeId] {
        self.shards.get(&shard).map_or(&[], |shard| &shard.replicas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(count: u32) -> ShardMap {
        let shard = Shard::born(vec![NodeId(1)]);
        ShardMap::born((0..=count).map(|number| (ShardId(number), shard.clone())).collect())
    }

    #[test]
    fn slots_are_spread_over_all_shards() {
        let map = map(6);
        let mut counts = BTreeMap::new();
        for slot in 0..SLOT_COUNT {
            *counts.entry(map.shard_of(Slot(slot))).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| [682, 683].contains(count)), "{counts:?}");
        assert_eq!(ShardMap::from_parts(1, map.slots().to_vec(), map.shards.clone()), Ok(map));
    }

    #[test]
    fn a_map_with_holes_is_refused() {
        let map = map(2);
        assert_eq!(ShardMap::from_parts(1, vec![], map.shards.clone()), Err(ShardMapError::Slots(0)));
        let refused = ShardMap::from_parts(1, vec![ShardId(9); SLOT_COUNT.into()], map.shards);
        assert_eq!(refused, Err(ShardMapError::Unowned(Slot(0), ShardId(9))));
    }

    #[test]
    fn a_slot_is_the_old_owners_until_its_move_has_ended() {
        let mut map = map(2);
        let (slot, [one, two]) = (Slot(4), [ShardId(1), ShardId(2)]);
        map.begin_move(slot, two);
        let sent = SlotMove { id: 1, slot, from: one, to: two };
        assert_eq!((map.shard_of(slot), &map.moves[..]), (one, &[sent][..]));
        assert!(map.end_move(1, 77) && !map.end_move(1, 78));
        assert_eq!((map.shard_of(slot), map.moves.len(), map.moved[&slot]), (two, 0, (sent, 77)));
        map.begin_move(slot, one);
        assert_eq!((map.epoch, map.last_move), (4, 2));
    }

    #[test]
    fn slots_never_change_between_versions() {
        assert_eq!([0, 1].map(|part| slot_of_target(TargetId(7), part)), [Slot(1465), Slot(494)]);
        let tenant = TenantId::default();
        let up = Labels::from_pairs([(METRIC_NAME, "up"), ("job", "x")]);
        let other = Labels::from_pairs([(METRIC_NAME, "other"), ("job", "x")]);
        assert_eq!(slot_of_series(&tenant, &up), Slot(1070));
        assert_eq!(slot_of_series(&tenant, &up), slot_of_series(&tenant, &other));
        assert_ne!(slot_of_series(&tenant, &up), slot_of_series(&TenantId::new("b").unwrap(), &up));
    }

    #[test]
    fn the_number_of_parts_only_splits_and_histograms_stay_together() {
        let mut counts = [0; 8];
        for number in 0..1000 {
            let handler = number.to_string();
            let series = |name: &str, le: &str| {
                Labels::from_pairs([(METRIC_NAME, name), ("handler", &handler), (BUCKET_LABEL, le)])
            };
            let bucket = series("latency_bucket", "0.5");
            let [four, eight] = [4, 8].map(|parts| part_of(&bucket, parts));
            assert!([four, four + 4].contains(&eight));
            assert_eq!(part_of(&series("latency_bucket", "+Inf"), 8), eight);
            assert_eq!(part_of(&series("latency_count", ""), 8), eight);
            assert_eq!(part_of(&bucket, 1), 0);
            counts[eight as usize] += 1;
        }
        assert!(counts.iter().all(|count| (80..170).contains(count)), "{counts:?}");
    }
}
