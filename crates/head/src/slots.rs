//! Slots that move from one head to another.
//!
//! The old owner is fenced: from then on it refuses what belongs to the slot, and keeps what it has. What it knows of the slot
//! travels to the new owner ([`crate::travel`]), which takes it in and is the owner from then on. Each knows for ever which
//! move it did its part of last, so that a step which is repeated, or comes late, changes nothing.

use model::{Slot, TenantId};
use proto::head;

use crate::head::Head;
use crate::record::{PushedSeries, ScrapeRow};
use crate::segment::SegmentError;
use crate::tenant::TenantHead;
use crate::travel::{Travelling, damaged};
use crate::view::HeadView;

/// What a head knows of a slot that was ever given away or taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotState {
    /// The last move that this head did its part of; moves are numbered upwards.
    last_move: u64,
    is_gone: bool,
    /// What is being taken in.
    adopting: Option<Adopting>,
}

/// Pieces of an export that come one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Adopting {
    by: u64,
    export: u64,
    next: u32,
}

/// What the next owner of a slot must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotExport {
    /// A hash of the pieces: names them together.
    pub id: u64,
    /// For [`SlotPiece::travelling`], in order; at least one.
    pub pieces: Vec<Vec<u8>>,
}

/// A piece of what a head is to know of a slot that it is given.
#[derive(Clone, Copy, Debug)]
pub struct SlotPiece<'a> {
    /// The move.
    pub by: u64,
    /// The slot.
    pub slot: Slot,
    /// Names the export that it is a piece of.
    pub export: u64,
    /// Which piece, from 0.
    pub piece: u32,
    /// How many there are.
    pub pieces: u32,
    /// One of [`SlotExport::pieces`].
    pub travelling: &'a [u8],
}

impl Head {
    /// Gives a slot away: from now on its records are refused. `false`: this move, or a later one of the slot, was done before.
    pub fn fence(&mut self, slot: Slot, by: u64) -> bool {
        if self.slots.get(&slot).is_some_and(|state| state.last_move >= by) {
            return false;
        }
        self.slots.insert(slot, SlotState { last_move: by, is_gone: true, adopting: None });
        true
    }

    /// Takes in a piece of what there is to know of a slot, which is this head's own with the last piece. `false`: the move, or
    /// a later one of the slot, was done before, or pieces before this one are missing.
    ///
    /// # Errors
    /// If the piece is not what any head made. Nothing is changed then.
    pub fn adopt(&mut self, piece: &SlotPiece<'_>) -> Result<bool, SegmentError> {
        let state = self.slots.get(&piece.slot).copied().unwrap_or_default();
        if state.last_move >= piece.by {
            return Ok(false);
        }
        let is_next = |it: Adopting| (it.by, it.export, it.next) == (piece.by, piece.export, piece.piece);
        if piece.piece != 0 && !state.adopting.is_some_and(is_next) {
            return Ok(false);
        }
        if piece.piece >= piece.pieces {
            return Err(damaged(format!("piece {} of {}", piece.piece, piece.pieces)));
        }
        let travelling = Travelling::decode(piece.travelling, piece.slot)?;
        for target in travelling.targets {
            self.with_tenant(&target.tenant.clone(), |head, closed| head.adopt_target(target, closed));
        }
        for series in travelling.pushed {
            self.with_tenant(&series.tenant.clone(), |head, _| head.adopt_pushed(series));
        }
        let next = piece.piece + 1;
        let state = if next == piece.pieces {
            SlotState { last_move: piece.by, is_gone: false, adopting: None }
        } else {
            SlotState { adopting: Some(Adopting { by: piece.by, export: piece.export, next }), ..state }
        };
        self.slots.insert(piece.slot, state);
        Ok(true)
    }

    /// Whether a scrape is of a slot that was given away.
    pub(crate) fn gave_target(&self, row: &ScrapeRow<'_>) -> bool {
        !self.slots.is_empty() && self.gave(ring::slot_of_target(row.target, row.part))
    }

    /// Whether one of these series is of a slot that was given away.
    pub(crate) fn gave_any(&self, tenant: &TenantId, pushed: &[PushedSeries]) -> bool {
        !self.slots.is_empty() && pushed.iter().any(|one| self.gave(ring::slot_of_series(tenant, &one.labels)))
    }

    pub(crate) fn gave(&self, slot: Slot) -> bool {
        self.slots.get(&slot).is_some_and(|state| state.is_gone) && !stdx::makes_mistake("take what was given away")
    }
}

impl HeadView {
    /// The last move of a slot that this head did its part of, and whether it gave the slot away by it; `None` if the slot was
    /// never moved from or to here.
    pub fn last_move(&self, slot: Slot) -> Option<(u64, bool)> {
        self.0.slots.get(&slot).filter(|state| state.last_move > 0).map(|state| (state.last_move, state.is_gone))
    }

    /// What the next owner of a slot must know of it. The slot must have been given away before, or what comes in meanwhile is
    /// missing. Walks over all targets and series.
    pub fn export_slot(&self, slot: Slot) -> SlotExport {
        let tenants = self.0.tenants.iter().map(|(name, tenant): (_, &std::sync::Arc<TenantHead>)| (name, &**tenant));
        let pieces = crate::travel::pieces(tenants, slot);
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for piece in &pieces {
            hash.update(&(piece.len() as u64).to_le_bytes());
            hash.update(piece);
        }
        SlotExport { id: hash.digest(), pieces }
    }
}

pub(crate) fn to_proto((slot, state): (&Slot, &SlotState)) -> head::Slot {
    let adopting = state.adopting.unwrap_or(Adopting { by: 0, export: 0, next: 0 });
    head::Slot {
        slot: u32::from(slot.0),
        r#move: state.last_move,
        gone: state.is_gone,
        adopting_move: adopting.by,
        adopting_export: adopting.export,
        adopting_next: adopting.next,
    }
}

pub(crate) fn from_proto(saved: &head::Slot) -> Result<(Slot, SlotState), SegmentError> {
    let slot = u16::try_from(saved.slot).map_err(|_| damaged(format!("there is no slot {}", saved.slot)))?;
    let adopting = Adopting { by: saved.adopting_move, export: saved.adopting_export, next: saved.adopting_next };
    let state = SlotState {
        last_move: saved.r#move,
        is_gone: saved.gone,
        adopting: Some(adopting).filter(|adopting| adopting.next > 0),
    };
    Ok((Slot(slot), state))
}
