//! Shards and blocks as one storage.
//!
//! A [`Querier`] plans from one version of the catalog: of each shard it asks one replica, which says how far back it holds
//! everything; what is older comes from the shard's blocks. Where both have a sample, it is the same one, and comes once.
//! A replica that fails is replaced by another one in the middle of an answer. A shard of which no replica answers is an
//! error that names it: an answer is whole, or there is none.

mod batches;
mod blocks;
mod exemplars;
mod fold;
mod labels;
mod metrics;
mod shard_stream;
mod shards;
mod storage;

pub use blocks::CacheLimits;
pub use storage::{Querier, QuerierEnv};
