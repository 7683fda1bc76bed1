//! Blocks come to be exactly once, whatever goes wrong.

use std::sync::Arc;
use std::time::Duration;

use block::{BlockMeta, BlockOrigin, BlockSummary};
use bucket::{
    BlockKeys, Bucket, BucketConfig, Catalogs, ErrorKind, Fault, Faults, Operation, RandomFaults, Uploaded,
    delete_block, list_blocks, upload_block,
};
use bytes::Bytes;
use futures::future::join_all;
use model::{BlockId, ShardId, TenantId, TimeRange, Timestamp};
use stdx::Rng;
use xxhash_rust::xxh3::xxh3_128;

use crate::stores::open;

/// Memory, where parts are small and little patience is needed.
fn memory() -> Bucket {
    let config = BucketConfig {
        part_bytes: 64,
        attempt_timeout: Duration::from_secs(1),
        deadline: Duration::from_secs(5),
        ..BucketConfig::new("memory://")
    };
    open(config).unwrap()
}

fn origin() -> BlockOrigin {
    BlockOrigin { cluster_id: 5, tenant: TenantId::new("team-a").unwrap(), shard: ShardId(2), cut: 9 }
}

const ID: BlockId = BlockId(77);

/// What stands for the file of a block: the upload does not look into it.
fn file(text: &str) -> (BlockSummary, Vec<Bytes>) {
    let parts: Vec<Bytes> = text.as_bytes().chunks(40).map(Bytes::copy_from_slice).collect();
    let summary = BlockSummary {
        range: TimeRange::new(Timestamp(0), Timestamp(1)),
        series_count: 1,
        sample_count: 1,
        chunk_count: 1,
        size_bytes: text.len() as u64,
        hash: xxh3_128(text.as_bytes()),
    };
    (summary, parts)
}

async fn upload(bucket: &Bucket, text: &str) -> Result<Uploaded, bucket::BucketError> {
    let (summary, parts) = file(text);
    upload_block(bucket, ID, &origin(), summary, &parts).await
}

async fn check_content(bucket: &Bucket, uploaded: &Uploaded) -> String {
    let bytes = bucket.read(&uploaded.key, 1 << 20).await.unwrap();
    assert_eq!(xxh3_128(&bytes), uploaded.meta.summary.hash);
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_first_upload_is_the_block() {
    let bucket = memory();
    let first = upload(&bucket, "first").await.unwrap();
    assert_eq!(first.key, format!("blocks/team-a/{ID}/{:032x}.rwb", xxh3_128(b"first")));
    assert_eq!(upload(&bucket, "first").await.unwrap(), first);
    assert_eq!(upload(&bucket, "second").await.unwrap(), first);
    assert_eq!(check_content(&bucket, &first).await, "first");
    let listed: Vec<_> = list_blocks(&bucket).await.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(listed, std::slice::from_ref(&first));
    delete_block(&bucket, &BlockKeys::of(&first.meta)).await.unwrap();
    assert_eq!(bucket.list("").await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn uploads_stay_exactly_once_whatever_goes_wrong() {
    for seed in 0..200 {
        let bucket = memory();
        let rng = Rng::from_seed(seed);
        let faults = RandomFaults { rng: rng.clone(), percent: 50, delay: Duration::from_millis(rng.below(1_500)) };
        let broken = bucket.with_faults(Arc::new(faults));
        let long = "second, and more than one part of an upload holds ".repeat(5);
        let texts = ["first", &long, "third", "first"];
        let uploads = join_all(texts.iter().map(|text| upload(&broken, text))).await;
        let last = upload(&bucket, "last").await.unwrap();
        for uploaded in uploads {
            match uploaded {
                Ok(uploaded) => assert_eq!(uploaded, last, "seed {seed}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "seed {seed}: {error}"),
            }
        }
        let text = check_content(&bucket, &last).await;
        assert!(text == "last" || texts.contains(&&*text), "seed {seed}");
        assert_eq!(list_blocks(&bucket).await.unwrap().len(), 1);
    }
}

/// Each of the first operations fails in one way.
struct FailAt {
    at: u64,
    fault: Fault,
    count: std::sync::atomic::AtomicU64,
}

impl Faults for FailAt {
    fn next(&self, _operation: Operation, _key: &str) -> Fault {
        let count = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if count == self.at { self.fault } else { Fault::None }
    }
}

#[tokio::test(start_paused = true)]
async fn any_one_fault_is_outlived() {
    for fault in [Fault::Slow(Duration::from_secs(3)), Fault::Refused, Fault::LostReply, Fault::Short] {
        for at in 0..10 {
            let bucket = memory();
            let faults = FailAt { at, fault, count: 0.into() };
            let uploaded = upload(&bucket.with_faults(Arc::new(faults)), "the file").await.unwrap();
            assert_eq!(check_content(&bucket, &uploaded).await, "the file", "{fault:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_is_not_used() {
    let bucket = memory();
    let keys = BlockKeys::new(&origin().tenant, ID);
    let named = |text: &str| keys.file(&format!("{:032x}.rwb", xxh3_128(text.as_bytes())));
    bucket.create(&named("some text"), "same size".into()).await.unwrap();
    let uploaded = upload(&bucket, "some text").await.unwrap();
    assert_eq!(check_content(&bucket, &uploaded).await, "some text");
    assert_ne!(uploaded.key, named("some text"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_meta_is_corrupt() {
    let bucket = memory();
    let keys = BlockKeys::new(&origin().tenant, ID);
    bucket.create(&keys.meta(), "{}".into()).await.unwrap();
    assert_eq!(upload(&bucket, "x").await.unwrap_err().kind(), ErrorKind::Corrupt);
    let listed = list_blocks(&bucket).await.unwrap();
    assert_eq!(listed[0].as_ref().unwrap_err().kind(), ErrorKind::Corrupt);

    let bucket = memory();
    let other = BlockMeta::new(ID, BlockOrigin { cut: 10, ..origin() }, file("x").0);
    bucket.create(&keys.meta(), other.to_json().into()).await.unwrap();
    assert_eq!(upload(&bucket, "x").await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test(start_paused = true)]
async fn catalogs_are_numbered() {
    let bucket = memory();
    let catalogs = Catalogs::new(bucket.clone());
    for version in [3, 1, 20] {
        catalogs.save(version, format!("[{version}]").as_bytes()).await.unwrap();
    }
    catalogs.save(3, b"[3, again]").await.unwrap();
    bucket.create("catalog/other", "x".into()).await.unwrap();
    assert_eq!(catalogs.versions().await.unwrap(), [1, 3, 20]);
    assert_eq!(catalogs.read(3).await.unwrap(), "[3]");
    assert_eq!(catalogs.read(4).await.unwrap_err().kind(), ErrorKind::NotFound);
    catalogs.prune(2).await.unwrap();
    assert_eq!(catalogs.versions().await.unwrap(), [3, 20]);
    let key = format!("catalog/{:020}.json.zst", 30);
    bucket.create(&key, "no zstd".into()).await.unwrap();
    assert_eq!(catalogs.read(30).await.unwrap_err().kind(), ErrorKind::Corrupt);
}
