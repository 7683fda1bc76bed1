//! What travels with a slot to its next owner.
//!
//! Samples stay where they are. What travels lets the new owner decide as the old one would have: which ticks are stored,
//! which series the newest row of a target had (for those that are gone from the next one end then), and the newest sample of
//! each series that bears its own times. Layouts and reference rows do not travel: senders are asked for them once more.

mod adopt;

use std::sync::Arc;

use model::{Labels, Slot, TargetId, TenantId};
use prost::Message;
use proto::head;

use crate::loose::{Loose, Timed};
use crate::save::{ticks_from_proto, ticks_to_proto, timed_from_proto, timed_to_proto};
use crate::segment::SegmentError;
use crate::target::Target;
use crate::tenant::{TenantHead, labels_of};
use crate::ticks::Ticks;

/// A piece is closed when it has so many bytes before it is compressed: it travels in one entry, and is applied at once.
const PIECE_BYTES: usize = 1 << 20;
/// The most that a piece may be: room for one target of the largest kind.
const MOST_BYTES: usize = 256 << 20;
/// How hard pieces are compressed.
const LEVEL: i32 = 1;

pub(crate) fn damaged(what: impl Into<String>) -> SegmentError {
    SegmentError::Damaged(what.into())
}

/// A piece, decoded and checked.
#[derive(Debug, Default)]
pub(crate) struct Travelling {
    pub(crate) targets: Vec<TravellingTarget>,
    pub(crate) pushed: Vec<TravellingSeries>,
}

/// A target as it was when its slot was given away.
#[derive(Debug)]
pub(crate) struct TravellingTarget {
    pub(crate) tenant: TenantId,
    pub(crate) id: TargetId,
    pub(crate) part: u32,
    parts: u32,
    parts_since: Option<i64>,
    owner_epoch: u64,
    interval_ms: i64,
    ended: bool,
    ticks: Ticks,
    last_time: Option<i64>,
    alive: Vec<Labels>,
    alive_histograms: Vec<Labels>,
    timed: Vec<TravellingSeries>,
}

/// A series that bears its own times.
#[derive(Debug)]
pub(crate) struct TravellingSeries {
    pub(crate) tenant: TenantId,
    labels: Labels,
    last: Option<Timed>,
    is_alive: bool,
}

/// What all tenants have of a slot, encoded.
pub(crate) fn pieces<'a>(tenants: impl Iterator<Item = (&'a TenantId, &'a TenantHead)>, slot: Slot) -> Vec<Vec<u8>> {
    let mut packing = Packing::default();
    for (name, tenant) in tenants {
        let targets = tenant.targets.iter().flatten();
        for target in targets.filter(|target| ring::slot_of_target(target.id, target.part) == slot) {
            let target = target_to_proto(name, tenant, target);
            let bytes = target.encoded_len();
            packing.piece.targets.push(target);
            packing.add(bytes);
        }
        // Those of a target's member have no pairs of their own, and travel with the target.
        for loose in tenant.loose.iter().flatten().filter(|loose| !loose.pairs.is_empty()) {
            let labels = labels_of(&tenant.index, loose.pairs.iter().copied());
            if ring::slot_of_series(name, &labels) == slot {
                let series = series_to_proto(name.as_str(), &labels, loose, false);
                let bytes = series.encoded_len();
                packing.piece.pushed.push(series);
                packing.add(bytes);
            }
        }
    }
    packing.finish()
}

#[derive(Default)]
struct Packing {
    piece: head::Travelling,
    bytes: usize,
    done: Vec<Vec<u8>>,
}

impl Packing {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= PIECE_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        self.bytes = 0;
        let bytes = std::mem::take(&mut self.piece).encode_to_vec();
        self.done.push(zstd::bulk::compress(&bytes, LEVEL).expect("memory takes all that is written"));
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        if self.bytes > 0 || self.done.is_empty() {
            self.close();
        }
        self.done
    }
}

fn target_to_proto(name: &TenantId, tenant: &TenantHead, target: &Target) -> head::TravellingTarget {
    let labels = |member: u32| target.members.labels(member, &tenant.index);
    let bytes = |member: u32| bytes::Bytes::copy_from_slice(labels(member).canonical_bytes());
    let timed = target.members.timed.iter().filter_map(|(member, at)| {
        let loose = tenant.loose[*at as usize].as_ref()?;
        Some(series_to_proto("", &labels(*member), loose, target.alive_timed.contains(member)))
    });
    let ticks = if stdx::makes_mistake("adopt without ticks") { Vec::new() } else { ticks_to_proto(&target.ticks) };
    head::TravellingTarget {
        tenant: name.as_str().to_owned(),
        id: bytes::Bytes::copy_from_slice(&target.id.0.to_be_bytes()),
        part: target.part,
        parts: target.parts,
        owner_epoch: target.owner_epoch,
        interval_ms: target.interval_ms,
        ended: target.ended,
        ticks,
        last_ms: target.last_time,
        alive: target.alive.iter().map(|column| bytes(target.columns[column])).collect(),
        alive_histograms: target.alive_histograms.iter().map(|member| bytes(*member)).collect(),
        timed: timed.collect(),
        parts_since_ms: target.parts_since,
    }
}

fn series_to_proto(tenant: &str, labels: &Labels, loose: &Arc<Loose>, alive: bool) -> head::TravellingSeries {
    head::TravellingSeries {
        tenant: tenant.to_owned(),
        labels: bytes::Bytes::copy_from_slice(labels.canonical_bytes()),
        last: Some(timed_to_proto(loose.last.as_slice())),
        alive,
    }
}

impl Travelling {
    /// Decodes and checks a piece: after this, taking it in can't fail.
    pub(crate) fn decode(bytes: &[u8], slot: Slot) -> Result<Self, SegmentError> {
        let said =
            zstd::zstd_safe::get_frame_content_size(bytes).map_err(|_| damaged("what travels is no zstd frame"))?;
        let length = said.and_then(|said| usize::try_from(said).ok()).filter(|length| *length <= MOST_BYTES);
        let length = length.ok_or_else(|| damaged(format!("what travels has no length, or one above {MOST_BYTES}")))?;
        let bytes = zstd::bulk::decompress(bytes, length).map_err(|error| damaged(error.to_string()))?;
        let message = head::Travelling::decode(&bytes[..]).map_err(|error| damaged(error.to_string()))?;
        let targets = message.targets.into_iter().map(|target| target_from_proto(target, slot));
        let pushed = message.pushed.into_iter().map(|series| {
            let tenant = crate::save::tenant_id(&series.tenant)?;
            let series = series_from_proto(series, tenant)?;
            match ring::slot_of_series(&series.tenant, &series.labels) == slot && !series.labels.is_empty() {
                true => Ok(series),
                false => Err(damaged(format!("a series of another slot travels with slot {slot}"))),
            }
        });
        Ok(Self { targets: targets.collect::<Result<_, _>>()?, pushed: pushed.collect::<Result<_, _>>()? })
    }
}

fn target_from_proto(message: head::TravellingTarget, slot: Slot) -> Result<TravellingTarget, SegmentError> {
    let tenant = crate::save::tenant_id(&message.tenant)?;
    let id = message.id[..].try_into().map_err(|_| damaged("an id is not of 16 bytes"))?;
    let id = TargetId(u128::from_be_bytes(id));
    let is_of_slot = ring::slot_of_target(id, message.part) == slot;
    if !message.parts.is_power_of_two() || message.part >= message.parts || !is_of_slot {
        return Err(damaged(format!(
            "part {} of {} of a target does not belong to slot {slot}",
            message.part, message.parts
        )));
    }
    let timed = message.timed.into_iter().map(|series| series_from_proto(series, tenant.clone()));
    let target = TravellingTarget {
        id,
        part: message.part,
        parts: message.parts,
        parts_since: message.parts_since_ms,
        owner_epoch: message.owner_epoch,
        interval_ms: message.interval_ms,
        ended: message.ended,
        ticks: ticks_from_proto(&message.ticks).filter(Ticks::is_valid).ok_or_else(|| damaged("ticks of a target"))?,
        last_time: message.last_ms,
        alive: message.alive.iter().map(|bytes| labels_from(bytes)).collect::<Result<_, _>>()?,
        alive_histograms: message.alive_histograms.iter().map(|bytes| labels_from(bytes)).collect::<Result<_, _>>()?,
        timed: timed.collect::<Result<_, _>>()?,
        tenant,
    };
    Ok(target)
}

fn series_from_proto(message: head::TravellingSeries, tenant: TenantId) -> Result<TravellingSeries, SegmentError> {
    let last = timed_from_proto(message.last)?.pop();
    Ok(TravellingSeries { tenant, labels: labels_from(&message.labels)?, last, is_alive: message.alive })
}

fn labels_from(bytes: &[u8]) -> Result<Labels, SegmentError> {
    Labels::from_canonical_bytes(bytes).ok_or_else(|| damaged("the labels of a series"))
}
