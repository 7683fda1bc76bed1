//! Blocks as the querier needs them.

use std::sync::Arc;

use futures::future::BoxFuture;
use meta::Block;
use model::BlockId;
use series::{QueryError, Queryable};

/// Whoever opens blocks: a bucket, behind a cache.
pub trait BlockSource: Send + Sync {
    /// Opens a block of the catalog.
    ///
    /// # Errors
    /// If it can't be read, or is damaged.
    fn open<'a>(&'a self, id: BlockId, block: &'a Block) -> BoxFuture<'a, Result<Arc<dyn Queryable>, QueryError>>;
}
