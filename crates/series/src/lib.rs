//! The seam between storage and engine.
//!
//! Whoever has samples implements [`Queryable`]; whoever evaluates queries asks it to [`select`](Queryable::select) and gets
//! a stream of [`Series`], sorted by labels, whose chunks it decodes into [`Samples`] when it needs them. Chunks come as they
//! are stored, and the [`Times`] of their rows are shared.

mod budget;
mod consistency;
mod error;
mod fold;
mod merge;
mod order;
mod queryable;
mod samples;
mod series;
mod texts;
mod times;

pub use budget::{Budget, Cancel, Charge};
pub use consistency::Consistency;
pub use error::QueryError;
pub use fold::{Fold, FoldQuery, Folded, FoldedCounts, FoldedGroup, FoldedName, Foldings, NoCounter};
pub use merge::merge;
pub use queryable::{ExemplarQuery, Hints, LabelQuery, Queryable, Select, SeriesExemplars, SeriesStream};
pub use samples::Samples;
pub use series::{Chunk, Series};
pub use texts::Texts;
pub use times::Times;
