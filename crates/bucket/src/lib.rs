//! Blocks in object storage: the one doorway to it.
//!
//! A [`Bucket`] is a folder of some store: memory, a local folder, S3 and what speaks like it, Google, Azure. What is written
//! is never overwritten: an object is created if there is none, or it stays as it is. [`upload_block`] makes a block of a
//! file by these means, exactly once however often it is repeated; [`BlockRanges`] reads pages of blocks through a
//! [`PageCache`]; [`Catalogs`] are kept as numbered objects. [`BlockKeys`] knows where everything lies.
//! [`Faults`] let a test take everything amiss, and [`contract`] is what any store must do.

mod bucket;
mod cache;
mod catalog;
mod config;
pub mod contract;
mod error;
mod faults;
mod keys;
mod metrics;
mod ranges;
mod store;
mod upload;

pub use bucket::{Bucket, Listed};
pub use cache::PageCache;
pub use catalog::Catalogs;
pub use config::BucketConfig;
pub use error::{BucketError, ErrorKind, Operation};
pub use faults::{Fault, Faults, RandomFaults};
pub use keys::BlockKeys;
pub use ranges::BlockRanges;
pub use upload::{Uploaded, list_blocks, upload_block};
