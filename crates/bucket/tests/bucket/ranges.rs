//! Blocks read from a bucket.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use block::{BlockReader, BlockWriter, ByteRanges, ChunkRef, Parts};
use bucket::{BlockRanges, Bucket, BucketConfig, ErrorKind, Fault, Faults, Operation, PageCache};
use bytes::Bytes;
use chunk::Presence;
use futures::future::join_all;
use futures::stream::TryStreamExt;
use model::{Labels, Matcher, TimeRange};
use series::{Budget, Hints, Queryable, Select, Series};
use stdx::Clock;
use telemetry::Registry;

use crate::stores::open;

/// Counts reads, and makes none go wrong.
#[derive(Default)]
struct Reads(AtomicU64);

impl Reads {
    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Faults for Reads {
    fn next(&self, operation: Operation, _key: &str) -> Fault {
        assert_eq!(operation, Operation::Read);
        self.0.fetch_add(1, Ordering::Relaxed);
        Fault::None
    }
}

fn memory() -> Bucket {
    open(BucketConfig::new("memory://")).unwrap()
}

/// An object of 1 MiB, read through a cache of so many bytes.
async fn ranges(cache_bytes: u64) -> (BlockRanges, Bytes, Arc<Reads>, Registry) {
    let bytes: Bytes = (0..(1u32 << 18)).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into();
    let bucket = memory();
    bucket.create("object", bytes.clone()).await.unwrap();
    let (reads, registry) = (Arc::new(Reads::default()), Registry::new());
    let cache = PageCache::new(cache_bytes, &registry);
    let ranges = BlockRanges::new(bucket.with_faults(reads.clone()), cache, "object", bytes.len() as u64);
    (ranges, bytes, reads, registry)
}

fn slices(bytes: &Bytes, ranges: &[Range<u64>]) -> Vec<Bytes> {
    ranges.iter().map(|range| bytes.slice(range.start as usize..range.end as usize)).collect()
}

/// Makes every read slow.
struct Slow;

impl Faults for Slow {
    fn next(&self, _operation: Operation, _key: &str) -> Fault {
        Fault::Slow(Duration::from_secs(1))
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_nobody_polls_keeps_none_waiting() {
    let bucket = open(BucketConfig { concurrency: 1, ..BucketConfig::new("memory://") }).unwrap();
    for key in ["one", "other"] {
        bucket.create(key, Bytes::from_static(&[7; 100])).await.unwrap();
    }
    let (bucket, cache) = (bucket.with_faults(Arc::new(Slow)), PageCache::new(1 << 20, &Registry::new()));
    let [one, other] = ["one", "other"].map(|key| BlockRanges::new(bucket.clone(), cache.clone(), key, 100));
    let wanted = || std::iter::once(0..10).collect::<Vec<_>>();
    let mut unpolled = one.read(wanted());
    assert!(futures::poll!(&mut unpolled).is_pending());
    tokio::task::yield_now().await;
    assert_eq!(other.read(wanted()).await, Ok(vec![Bytes::from_static(&[7; 10])]));
    assert_eq!(unpolled.await, Ok(vec![Bytes::from_static(&[7; 10])]));
}

#[tokio::test]
async fn neighbours_are_read_together_and_kept() {
    let (source, bytes, reads, registry) = ranges(1 << 20).await;
    let wanted = [500_000..500_100, 10..20, 0..10, 30_000..40_000, 15..25, 10..20];
    assert_eq!(source.read(wanted.to_vec()).await.unwrap(), slices(&bytes, &wanted));
    assert_eq!(reads.take(), 2);
    assert_eq!(source.read(wanted.to_vec()).await.unwrap(), slices(&bytes, &wanted));
    assert_eq!(reads.take(), 0);
    let metrics = registry.encode().unwrap();
    assert!(metrics.contains("ringwood_bucket_cache_hits_total 6\n"), "{metrics}");
    assert!(metrics.contains("ringwood_bucket_cache_misses_total 6\n"), "{metrics}");
    source.discard(10..20);
    assert_eq!(source.read(wanted.to_vec()).await.unwrap(), slices(&bytes, &wanted));
    assert_eq!(reads.take(), 1);
}

#[tokio::test]
async fn what_is_being_read_is_not_read_again() {
    let (source, bytes, reads, _) = ranges(1 << 20).await;
    let wanted = [100..200, 700_000..700_100];
    let all = join_all((0..20).map(|_| source.read(wanted.to_vec()))).await;
    assert!(all.into_iter().all(|read| read.unwrap() == slices(&bytes, &wanted)));
    assert_eq!(reads.take(), 2);
}

#[tokio::test]
async fn small_caches_do_no_harm() {
    let wanted = [100..200, 700_000..700_100, 0..1 << 20];
    // Without one, each call reads once. One that is too small forgets what it has, sooner or later.
    for (cache_bytes, expected) in [(0, 3..=3), (100, 1..=9)] {
        let (source, bytes, reads, _) = ranges(cache_bytes).await;
        for _ in 0..3 {
            assert_eq!(source.read(wanted.to_vec()).await.unwrap(), slices(&bytes, &wanted));
        }
        let reads = reads.take();
        assert!(expected.contains(&reads), "{reads} reads with a cache of {cache_bytes} bytes");
    }
}

#[tokio::test]
async fn errors_are_not_kept() {
    let bucket = memory();
    let source = BlockRanges::new(bucket.clone(), PageCache::new(1 << 20, &Registry::new()), "late", 3);
    assert!(matches!(source.read(vec![0..1, 1..3]).await, Err(series::QueryError::Unavailable(_))));
    bucket.create("late", "abc".into()).await.unwrap();
    assert_eq!(source.read(vec![0..1, 1..3]).await.unwrap(), ["a", "bc"]);
}

#[tokio::test]
async fn blocks_are_written_uploaded_and_read() {
    let mut writer = BlockWriter::new(Parts::new(1 << 10)).unwrap();
    let mut times = Vec::new();
    chunk::times::encode(&[1_000, 2_000], &mut times);
    let times = writer.add_times(&times).unwrap();
    for at in 0..500 {
        let mut bytes = Vec::new();
        chunk::encode_floats(&Presence::all(2), &[f64::from(at), 0.5], &mut bytes);
        let labels = Labels::from_pairs([("__name__", "up"), ("instance", &format!("host{at:03}"))]);
        writer.add_series(&labels, &[ChunkRef { times, bytes: &bytes }]).unwrap();
    }
    let (parts, summary) = writer.finish().unwrap();
    let bucket = memory();
    let tenant = model::TenantId::new("t").unwrap();
    let origin = block::BlockOrigin { cluster_id: 1, tenant, shard: model::ShardId(1), cut: 1 };
    let parts = parts.finish();
    let uploaded = bucket::upload_block(&bucket, model::BlockId(9), &origin, summary, &parts).await.unwrap();
    let cache = PageCache::new(1 << 20, &Registry::new());
    let source = BlockRanges::new(bucket, cache, &uploaded.key, uploaded.meta.summary.size_bytes);
    let block = BlockReader::open(&uploaded.key, Arc::new(source)).await.unwrap();
    assert_eq!(block::verify(&block).await.unwrap(), summary);
    let matchers = [Matcher::equal("instance", "host123")].into();
    let select = Select { matchers, range: TimeRange::ALL, hints: Hints::default() };
    let batches: Vec<Vec<Series>> =
        block.select(select, &Budget::unlimited()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.concat().len(), 1);
}

/// Refuses everything.
struct Refusing;

impl Faults for Refusing {
    fn next(&self, _operation: Operation, _key: &str) -> Fault {
        Fault::Refused
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_less_patient_hears_sooner_that_the_store_is_away() {
    let (bucket, clock) = (memory().with_faults(Arc::new(Refusing)), Clock::system());
    let wait = async |bucket: Bucket| {
        let began = clock.now();
        let error = bucket.read_range("object", 0..10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        clock.now() - began
    };
    assert!(wait(bucket.with_deadline(Duration::from_secs(10))).await <= Duration::from_secs(10));
    assert!(wait(bucket).await > Duration::from_secs(60));
}
