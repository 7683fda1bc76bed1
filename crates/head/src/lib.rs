//! The recent window of one shard.
//!
//! A [`Head`] holds what was appended and is not only in blocks yet. It is a pure value: the same calls lead to the same
//! state on every replica, nothing here knows a clock, a disk or a network. It is persistent, too: a [`HeadView`] is a copy
//! that costs a few reference counts and stays as it is while the head goes on, so readers never block appends.
//!
//! What is scraped comes in rows: one value for each series of a target, all at one time. Rows pile up raw; some dozens of
//! them become a *frame* (each series encoded by itself), four frames a *group*, groups lie in segments (immutable files)
//! and leave for the bucket when their window is cut.

mod bits;
mod cut;
mod exemplars;
mod group;
mod head;
mod loose;
mod members;
mod memory;
mod piece;
mod record;
mod row;
mod save;
mod segment;
mod select;
mod slots;
mod starts;
mod target;
mod tenant;
mod ticks;
mod travel;
mod view;

pub use group::Group;
pub use head::{Head, HeadLimits, HeadStats};
pub use memory::MemoryUse;
pub use record::{
    Answer, Layout, LayoutChange, LayoutDefinition, Outcome, PARTS_ARE_KEPT, PushedSeries, REFUSED_ARE_ASKED_FOR,
    ScrapeKind, ScrapeRow, SentExemplar, TimedValue,
};
pub use segment::{Segment, SegmentError, SegmentFile};
pub use select::{IsWanted, Selected, SelectedChunk, Selection};
pub use slots::{SlotExport, SlotPiece};
pub use target::reference_hash;
pub use view::{CutContents, HeadView};
