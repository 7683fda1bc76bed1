//! From matchers to series.
//!
//! An [`Index`] knows which series have which label. It is persistent: a clone is a view that stays as it is while the
//! original goes on, and costs a few reference counts.

mod index;
mod postings;
mod select;

pub use index::{Index, Pair, PairId};
pub use postings::Postings;
pub use roaring::RoaringBitmap;
