//! Where a block's bytes come from.

use std::ops::Range;

use bytes::Bytes;
use futures::future::BoxFuture;
use series::QueryError;

/// The bytes of one block, wherever they are: in memory, in a mapped file, in a bucket.
pub trait ByteRanges: Send + Sync {
    /// How many bytes the block has. Known without asking anybody: the catalog says it.
    fn len(&self) -> u64;

    /// Whether there are no bytes, as in no block.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of some ranges, in the order of the ranges, which come in any. All of them travel at once.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`] if they cannot be had, of which trying again later may help.
    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, QueryError>>;

    /// Says that what was read of this range was damaged: the next read of it should not come from a cache.
    fn discard(&self, range: Range<u64>) {
        let _ = range;
    }
}

/// A block in memory, or mapped.
impl ByteRanges for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, QueryError>> {
        let slice = |range: &Range<u64>| {
            let fits = range.start <= range.end && range.end <= ByteRanges::len(self);
            let outside = || QueryError::Unavailable(format!("bytes {range:?} of {}", Bytes::len(self)));
            fits.then(|| self.slice(range.start as usize..range.end as usize)).ok_or_else(outside)
        };
        let slices = ranges.iter().map(slice).collect();
        Box::pin(std::future::ready(slices))
    }
}
