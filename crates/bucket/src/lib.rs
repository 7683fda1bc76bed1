//! Blocks in object storage: the one doorway to it.
//!
//! A [`Bucket`] is a folder of some store: memory, a local folder, S3 and what speaks like it, Google, Azure. What is written
//! is never overwritten: an object is created if there is none, or it stays as it is. [`upload_block`] makes a block of a
//! file by these means, exactly once however often it is repeated; [`BlockRanges`] reads pages of blocks through a
//! [`PageCache`]; [`Catalogs`] are kept as numbered objects. [`BlockKeys`] knows where everything lies.
//!
//! ```
//! use bucket::{Bucket, BucketConfig, ErrorKind};
//! use stdx::{Clock, Rng};
//! use telemetry::Registry;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let config = BucketConfig::new("memory://");
//! let bucket = Bucket::open(config, Clock::system(), &Rng::from_entropy(), &Registry::new())?;
//! bucket.create("a/key", "once".into()).await?;
//! let again = bucket.create("a/key", "twice".into()).await;
//! assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
//! assert_eq!(bucket.read_range("a/key", 1..3).await?, "nc");
//! # Ok::<(), bucket::BucketError>(())
//! # }).unwrap();
//! ```
//!
//! [`Faults`] let a test take everything amiss, and [`contract`] is what any store must do.

mod bucket;
mod cache;
mod catalog;
mod check;
mod config;
pub mod contract;
mod error;
mod faults;
mod folder;
mod keys;
mod metrics;
mod ranges;
mod store;
mod upload;

pub use bucket::{Bucket, Listed};
pub use cache::PageCache;
pub use catalog::Catalogs;
pub use check::{BucketCheck, BucketFault, FaultKind, check_bucket};
pub use config::{BucketConfig, folder_of};
pub use error::{BucketError, ErrorKind, Operation};
pub use faults::{Fault, Faults, RandomFaults};
pub use keys::BlockKeys;
pub use ranges::BlockRanges;
pub use upload::{Uploaded, delete_block, list_blocks, upload_block};
