//! Our immutable columnar block: one file, made for object storage.
//!
//! A shard writes the series of a cut with a [`BlockWriter`]: chunks and columns of timestamps are copied as they were
//! encoded. A [`BlockReader`] selects from it over any [`ByteRanges`], reading little: the end of the block says what is
//! where, the index pages of the metrics asked for say which series match, and then data and timestamps are read at once.
//! Every page has a checksum, which is looked at whenever it is read; [`verify`] looks at everything.
//! The bytes are drawn in `docs/formats/block.md`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use block::{BlockReader, BlockWriter, ChunkRef};
//! use bytes::Bytes;
//! use futures::TryStreamExt;
//! use model::{Labels, Matcher, TimeRange};
//! use series::{Budget, Hints, Queryable, Select};
//!
//! # futures::executor::block_on(async {
//! let (mut times, mut values) = (Vec::new(), Vec::new());
//! chunk::times::encode(&[1_000, 16_000], &mut times);
//! chunk::encode_floats(&chunk::Presence::all(2), &[1.0, 0.0], &mut values);
//!
//! let mut writer = BlockWriter::new(Vec::new())?;
//! let times = writer.add_times(&times)?;
//! let labels = Labels::from_pairs([("__name__", "up"), ("job", "node")]);
//! writer.add_series(&labels, &[ChunkRef { times, bytes: &values }])?;
//! let (bytes, summary) = writer.finish()?;
//! assert_eq!(summary.sample_count, 2);
//!
//! let block = BlockReader::open("a block in memory", Arc::new(Bytes::from(bytes))).await?;
//! let matchers = [Matcher::equal("job", "node")].into();
//! let select = Select { matchers, range: TimeRange::ALL, hints: Hints::default() };
//! let batches: Vec<_> = block.select(select, &Budget::unlimited()).await?.try_collect().await?;
//! assert_eq!(batches[0][0].labels, labels);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod column;
mod error;
mod footer;
mod give_way;
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
pub use verify::{PageFault, damaged_pages, verify};
pub use writer::{BlockWriter, ChunkRef};
