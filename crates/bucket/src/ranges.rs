//! A block in a bucket, as `block` reads it.

use std::ops::Range;
use std::sync::Arc;

use block::ByteRanges;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, Shared, try_join_all};
use series::QueryError;
use stdx::Driven;

use crate::{Bucket, BucketError, PageCache};

/// Ranges that are not further apart are read together: a request costs as much as 64 KiB do.
const GAP_BYTES: u64 = 64 << 10;
/// What is read together is no longer than this, unless it is one range: requests run beside each other.
const RUN_BYTES: u64 = 4 << 20;

/// The file of a block, read through a cache.
///
/// Ranges that lie near each other are read in one request, all requests of a call run at once, and what somebody else is
/// reading already is not read again.
#[derive(Clone, Debug)]
pub struct BlockRanges {
    bucket: Bucket,
    cache: PageCache,
    key: Arc<str>,
    size_bytes: u64,
}

impl BlockRanges {
    /// A file, of which the catalog says how long it is.
    pub fn new(bucket: Bucket, cache: PageCache, key: &str, size_bytes: u64) -> Self {
        Self { bucket, cache, key: key.into(), size_bytes }
    }

    async fn read_all(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, BucketError> {
        if !self.cache.keeps() {
            return self.read_alone(ranges).await;
        }
        let mut found = Vec::with_capacity(ranges.len());
        for range in &ranges {
            found.push(self.cache.get(&self.key, range).await);
        }
        let missing = ranges.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(range, _)| range.clone());
        let runs = self.runs(missing.collect());
        let runs = &runs;
        try_join_all(ranges.iter().zip(found).map(|(range, found)| async move {
            if let Some(bytes) = found {
                return Ok(bytes);
            }
            self.cache.get_or_read(&self.key, range, Run::of(runs, range).copy(range)).await
        }))
        .await
    }

    /// Reads ranges of which nothing is kept.
    async fn read_alone(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, BucketError> {
        let runs = self.runs(ranges.clone());
        let runs = &runs;
        try_join_all(ranges.iter().map(|range| Run::of(runs, range).slice(range))).await
    }

    /// What to read to have these ranges, ascending.
    fn runs(&self, mut ranges: Vec<Range<u64>>) -> Vec<Run> {
        ranges.sort_unstable_by_key(|range| (range.start, range.end));
        let mut runs: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            match runs.last_mut() {
                Some(last)
                    if range.start <= last.end.saturating_add(GAP_BYTES)
                        && (range.end <= last.end || range.end - last.start <= RUN_BYTES) =>
                {
                    last.end = last.end.max(range.end);
                }
                _ => runs.push(range),
            }
        }
        let run = |range: Range<u64>| {
            let (bucket, key, wanted) = (self.bucket.clone(), self.key.clone(), range.clone());
            let bytes = async move { bucket.read_range(&key, wanted).await }.boxed().shared();
            Run { range, bytes }
        };
        runs.into_iter().map(run).collect()
    }
}

/// Ranges that are read together, once the first of them is wanted.
struct Run {
    range: Range<u64>,
    bytes: Shared<BoxFuture<'static, Result<Bytes, BucketError>>>,
}

impl Run {
    /// The run that a range is read with, of all runs, ascending.
    fn of<'a>(runs: &'a [Self], range: &Range<u64>) -> &'a Self {
        let run = runs.partition_point(|run| run.range.start <= range.start).checked_sub(1);
        &runs[run.expect("there is a run for each range that is missing")]
    }

    /// The bytes of a range, which keep all those that were read with them.
    async fn slice(&self, range: &Range<u64>) -> Result<Bytes, BucketError> {
        let bytes = self.bytes.clone().await?;
        let start = (range.start - self.range.start) as usize;
        Ok(bytes.slice(start..start + (range.end - range.start) as usize))
    }

    /// The bytes of a range, for whoever keeps them: they keep nothing else.
    async fn copy(&self, range: &Range<u64>) -> Result<Bytes, BucketError> {
        let bytes = self.slice(range).await?;
        Ok(if *range == self.range { bytes } else { Bytes::copy_from_slice(&bytes) })
    }
}

impl ByteRanges for BlockRanges {
    fn len(&self) -> u64 {
        self.size_bytes
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, QueryError>> {
        if let Some(bytes) = self.bucket.in_memory(&self.key, &ranges) {
            return std::future::ready(Ok(bytes)).boxed();
        }
        // Whoever reads many blocks polls now one, now another, and a read holds one of the bucket's permits.
        let source = self.clone();
        async move { Ok(Driven::new(async move { source.read_all(ranges).await }).await?) }.boxed()
    }

    fn discard(&self, range: Range<u64>) {
        self.cache.forget(&self.key, &range);
    }
}
