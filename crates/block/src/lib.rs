//! Our immutable columnar block: one file, made for object storage.
//!
//! A shard writes the series of a cut with a [`BlockWriter`]: chunks and columns of timestamps are copied as they were
//! encoded. A [`BlockReader`] selects from it over any [`ByteRanges`], reading little: the end of the block says what is
//! where, the index pages of the metrics asked for say which series match, and then data and timestamps are read at once.
//! Every page has a checksum, which is looked at whenever it is read; [`verify`] looks at everything.
//! The bytes are drawn in `docs/formats/block.md`.

mod column;
mod error;
mod footer;
mod group;
#[cfg(test)]
mod hostile;
mod index;
mod labels;
mod meta;
mod page;
mod pages;
mod parts;
mod reader;
mod select;
mod source;
mod summary;
mod texts;
mod times;
mod verify;
mod writer;

pub use error::WriteError;
pub use meta::{BlockMeta, BlockOrigin, MetaError};
pub use parts::Parts;
pub use reader::BlockReader;
pub use source::ByteRanges;
pub use summary::BlockSummary;
pub use times::TimesRef;
pub use verify::verify;
pub use writer::{BlockWriter, ChunkRef};
