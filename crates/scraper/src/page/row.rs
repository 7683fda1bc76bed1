//! One row: the values of a part, and what is to be said beside them.

use std::sync::Arc;

use bytes::Bytes;
use model::{Exemplar, LayoutHash, Timestamp};
use proto::entry;
use xxhash_rust::xxh3::Xxh3;

use super::definition::{Definition, LayoutChange};
use super::part::Reference;
use super::{NumberedExemplar, Numbers};

/// Memory to work in.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(super) values: Vec<f64>,
    pub(super) row: Vec<u8>,
}

/// The row of a part, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct PartRow {
    pub(crate) layout: LayoutHash,
    pub(crate) change: LayoutChange,
    /// What the layout is, for shards that do not know it.
    pub(crate) definition: Arc<Definition>,
    /// The values and which there are: docs/formats/chunk.md, "row".
    pub(crate) row: Bytes,
    /// What the values lean on.
    pub(crate) reference: Option<Arc<Reference>>,
    /// Set if later rows may lean on this one.
    pub(crate) becomes: Option<Arc<Reference>>,
    /// How many samples there are.
    pub(crate) samples: u32,
    pub(crate) starts: RowStarts,
    pub(crate) extras: Extras,
}

/// When the counters of a row began.
#[derive(Clone, Debug)]
pub(crate) struct RowStarts {
    /// Slots, ascending, and times in ms.
    pub(crate) all: Arc<[(u32, i64)]>,
    /// Whether the shard is to be told.
    pub(crate) are_told: bool,
    /// How often the part has told its shard, this row included.
    pub(crate) tellings: u64,
}

/// What a row has beside its values: nothing, for most pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) timed_slots: Vec<u32>,
    pub(crate) timed_offsets: Vec<i64>,
    pub(crate) histogram_slots: Vec<u32>,
    pub(crate) histograms: Vec<Arc<model::Histogram>>,
    pub(crate) exemplars: Vec<entry::Exemplar>,
    pub(crate) track_timestamps_staleness: bool,
}

/// The bitmap of a row whose slots all have samples.
pub(super) fn all_present(slots: usize) -> Vec<u64> {
    let mut bits = vec![u64::MAX; slots.div_ceil(64)];
    if let Some(last) = bits.last_mut()
        && !slots.is_multiple_of(64)
    {
        *last = (1 << (slots % 64)) - 1;
    }
    bits
}

pub(super) fn set(bits: &mut [u64], slot: u32, value: bool) {
    let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
    if value {
        bits[word] |= bit;
    } else {
        bits[word] &= !bit;
    }
}

pub(super) fn is_set(bits: &[u64], slot: u32) -> bool {
    bits[slot as usize / 64] >> (slot % 64) & 1 == 1
}

/// What the exemplar of a series was when it was sent last, by slot: pages repeat them.
#[derive(Debug, Default)]
pub(super) struct SentExemplars(std::collections::BTreeMap<u32, u64>);

impl SentExemplars {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The exemplars of a part that were not sent yet. `sources` says which sample of the page each slot has.
    pub(super) fn news(&mut self, numbers: &Numbers<'_>, sources: &[u32], timestamp_ms: i64) -> Vec<entry::Exemplar> {
        let mut slots = vec![u32::MAX; numbers.values.len()];
        for (slot, source) in (0u32..).zip(sources) {
            if let Some(place) = slots.get_mut(*source as usize) {
                *place = slot;
            }
        }
        let mut news = Vec::new();
        for exemplar in numbers.exemplars {
            let slot = slots[exemplar.sample as usize];
            if slot == u32::MAX || Exemplar::labels_are_too_long(&exemplar.labels) || !self.is_new(slot, exemplar) {
                continue;
            }
            let own = |column: &[Option<Timestamp>]| column.get(exemplar.sample as usize).copied().flatten();
            let is_histogram = matches!(numbers.histograms.get(exemplar.sample as usize), Some(Some(_)));
            if exemplar.timestamp.is_none() && is_histogram {
                // Of several without a time nobody could tell which one is new. Prometheus drops them, too.
                continue;
            }
            let time = exemplar.timestamp.or_else(|| own(numbers.timestamps));
            news.push(entry::Exemplar {
                series: slot,
                labels: Bytes::copy_from_slice(exemplar.labels.canonical_bytes()),
                value: exemplar.value,
                timestamp_ms: time.map_or(timestamp_ms, |time| time.as_ms()),
                untimed: exemplar.timestamp.is_none(),
            });
        }
        news
    }

    fn is_new(&mut self, slot: u32, exemplar: &NumberedExemplar) -> bool {
        let mut hash = Xxh3::new();
        hash.update(exemplar.labels.canonical_bytes());
        hash.update(&exemplar.value.to_bits().to_le_bytes());
        if let Some(time) = exemplar.timestamp {
            hash.update(&time.as_ms().to_le_bytes());
        }
        let hash = hash.digest();
        self.0.insert(slot, hash) != Some(hash)
    }
}
