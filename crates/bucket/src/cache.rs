//! Pages of blocks, kept in memory.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use telemetry::Registry;

use crate::BucketError;
use crate::metrics::CacheMetrics;

/// What a page takes beside its bytes: key, counters, hash table.
const OVERHEAD_BYTES: usize = 256;

/// Which bytes of which object.
type PageKey = (Arc<str>, u64, u64);

/// Ranges of objects, kept in memory: those that are asked for often and were not too long ago. Clones share them.
///
/// Objects never change, so nothing here is ever out of date.
#[derive(Clone, Debug)]
pub struct PageCache {
    pages: Cache<PageKey, Bytes>,
    metrics: CacheMetrics,
}

impl PageCache {
    /// A cache of so many bytes.
    pub fn new(limit_bytes: u64, registry: &Registry) -> Self {
        let weigher = |(key, _, _): &PageKey, bytes: &Bytes| {
            u32::try_from(key.len() + bytes.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
        };
        let pages = Cache::builder().max_capacity(limit_bytes).weigher(weigher).build();
        Self { pages, metrics: CacheMetrics::register(registry) }
    }

    /// Whether it keeps anything at all.
    pub(crate) fn keeps(&self) -> bool {
        self.pages.policy().max_capacity() != Some(0)
    }

    /// The bytes of a range, if they are here.
    pub(crate) async fn get(&self, key: &Arc<str>, range: &Range<u64>) -> Option<Bytes> {
        let found = self.pages.get(&(key.clone(), range.start, range.end)).await;
        if found.is_some() {
            self.metrics.hits.inc();
        } else {
            self.metrics.misses.inc();
        }
        found
    }

    /// The bytes of a range, which `read` reads unless somebody else is doing so.
    pub(crate) async fn get_or_read(
        &self,
        key: &Arc<str>,
        range: &Range<u64>,
        read: impl Future<Output = Result<Bytes, BucketError>>,
    ) -> Result<Bytes, BucketError> {
        let page = (key.clone(), range.start, range.end);
        let bytes = self.pages.try_get_with(page, read).await.map_err(|error| BucketError::clone(&error))?;
        self.metrics.bytes.set(i64::try_from(self.pages.weighted_size()).unwrap_or(i64::MAX));
        Ok(bytes)
    }

    /// Forgets a range.
    pub(crate) fn forget(&self, key: &Arc<str>, range: &Range<u64>) {
        // Removal does not wait for anything: what it returns is there for those who want the value.
        let page = (key.clone(), range.start, range.end);
        let _ = futures::FutureExt::now_or_never(self.pages.invalidate(&page));
    }
}
