//! Blocks of the bucket, kept open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use block::{BlockReader, ByteRanges};
use bucket::{BlockRanges, Bucket, PageCache};
use meta::Block;
use model::BlockId;
use parking_lot::Mutex;
use series::QueryError;
use telemetry::Registry;

/// A query tries for so long to read what it needs of a bucket: a few times, if the store answers at all. Then whoever asked
/// hears what is missing, and the query is out of the way of those that do not need the bucket.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a querier keeps of blocks.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Pages of data and timestamps, in bytes. Of a bucket that is a folder none are kept: the operating system does that.
    pub page_bytes: u64,
    /// What open blocks know of themselves: footers and index pages, in bytes.
    pub index_bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { page_bytes: 256 << 20, index_bytes: 128 << 20 }
    }
}

/// Opens blocks, and keeps those that were used last. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Blocks {
    bucket: Bucket,
    pages: PageCache,
    open: Arc<Mutex<Open>>,
    index_bytes: usize,
}

#[derive(Default)]
struct Open {
    readers: BTreeMap<BlockId, (BlockReader, u64)>,
    /// Counts uses: the time of the least recently used.
    uses: u64,
}

impl Blocks {
    pub(crate) fn new(bucket: Bucket, limits: CacheLimits, registry: &Registry) -> Self {
        let page_bytes = if bucket.is_folder() { 0 } else { limits.page_bytes };
        let pages = PageCache::new(page_bytes, registry);
        Self { bucket: bucket.with_deadline(DEADLINE), pages, open: Arc::default(), index_bytes: limits.index_bytes }
    }

    /// Opens a block of the catalog.
    ///
    /// # Errors
    /// If it can't be read, or is damaged.
    pub(crate) async fn open(&self, id: BlockId, block: &Block) -> Result<BlockReader, QueryError> {
        if let Some(reader) = self.open.lock().used(id) {
            return Ok(reader);
        }
        let ranges = BlockRanges::new(self.bucket.clone(), self.pages.clone(), &block.key, block.size_bytes);
        let source: Arc<dyn ByteRanges> = Arc::new(ranges);
        let reader = BlockReader::open(&block.key, source).await?;
        self.open.lock().keep(id, reader.clone(), self.index_bytes);
        Ok(reader)
    }
}

impl Open {
    fn used(&mut self, id: BlockId) -> Option<BlockReader> {
        self.uses += 1;
        let (reader, used) = self.readers.get_mut(&id)?;
        *used = self.uses;
        Some(reader.clone())
    }

    /// Keeps a reader, and lets those go that were not used for the longest time, as long as all take too much.
    fn keep(&mut self, id: BlockId, reader: BlockReader, limit: usize) {
        self.readers.insert(id, (reader, self.uses));
        let mut held: usize = self.readers.values().map(|(reader, _)| reader.memory_bytes()).sum();
        while held > limit && self.readers.len() > 1 {
            let oldest = self.readers.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            let Some((gone, _)) = oldest.and_then(|id| self.readers.remove(&id)) else { return };
            held = held.saturating_sub(gone.memory_bytes());
        }
    }
}
