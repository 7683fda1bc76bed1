//! All that is wrong in a bucket is found.

use block::{BlockOrigin, BlockWriter, ChunkRef};
use bucket::{BucketCheck, Catalogs, FaultKind, Uploaded, check_bucket, upload_block};
use bytes::Bytes;
use model::{Labels, ShardId, TenantId};
use proptest::prelude::*;

use crate::stores::{config, open};

fn open_folder() -> (tempfile::TempDir, bucket::Bucket) {
    let folder = tempfile::tempdir().unwrap();
    let bucket = open(config(&format!("file://{}", folder.path().display()))).unwrap();
    (folder, bucket)
}

async fn upload(bucket: &bucket::Bucket, cut: u64) -> Uploaded {
    let mut writer = BlockWriter::new(Vec::new()).unwrap();
    for at in 0..40i64 {
        let times: Vec<i64> = (0..30).map(|row| row * 15_000 + at % 3).collect();
        let (mut encoded, mut values) = (Vec::new(), Vec::new());
        chunk::times::encode(&times, &mut encoded);
        chunk::encode_floats(&chunk::Presence::all(30), &[at as f64 / 7.0; 30], &mut values);
        let times = writer.add_times(&encoded).unwrap();
        let labels =
            Labels::from_pairs([("__name__", &*format!("m{:02}", at / 4)), ("instance", &*format!("h{at:02}"))]);
        writer.add_series(&labels, &[ChunkRef { times, bytes: &values }]).unwrap();
    }
    let (bytes, summary) = writer.finish().unwrap();
    let origin = BlockOrigin { cluster_id: 5, tenant: TenantId::new("team-a").unwrap(), shard: ShardId(2), cut };
    upload_block(bucket, origin.block_id(7_200_000), &origin, summary, &[Bytes::from(bytes)]).await.unwrap()
}

async fn check(bucket: &bucket::Bucket) -> BucketCheck {
    check_bucket(bucket, |_| ()).await.unwrap()
}

fn kinds(check: &BucketCheck) -> Vec<FaultKind> {
    check.faults.iter().map(|fault| fault.kind).collect()
}

#[tokio::test]
async fn a_whole_bucket_has_no_faults_and_what_nobody_names_is_named() {
    let (folder, bucket) = open_folder();
    let block = upload(&bucket, 1).await;
    Catalogs::new(bucket.clone()).save(7, b"[]").await.unwrap();
    bucket.create("notes.txt", "mine".into()).await.unwrap();
    bucket.create("blocks/team-a/00000000000000000000000009/x.rwb", "nothing".into()).await.unwrap();
    let found = check(&bucket).await;
    assert_eq!((kinds(&found), found.blocks, found.object_count), (vec![], vec![block], 5));
    let unnamed: Vec<_> = found.unnamed.iter().map(|object| &*object.key).collect();
    assert_eq!(unnamed, ["blocks/team-a/00000000000000000000000009/x.rwb", "notes.txt"]);
    drop(folder);
}

#[tokio::test]
async fn what_is_missing_too_short_or_makes_no_sense_is_found() {
    let (folder, bucket) = open_folder();
    let blocks = [upload(&bucket, 1).await, upload(&bucket, 2).await, upload(&bucket, 3).await];
    let path = |key: &str| folder.path().join(key);
    std::fs::remove_file(path(&blocks[0].key)).unwrap();
    let file = std::fs::read(path(&blocks[1].key)).unwrap();
    std::fs::write(path(&blocks[1].key), &file[..file.len() - 9]).unwrap();
    let meta = path(&blocks[2].key).with_file_name("meta.json");
    std::fs::write(meta, "{").unwrap();
    std::fs::create_dir(path("catalog")).unwrap();
    std::fs::write(path("catalog/00000000000000000007.json.zst"), "no catalog").unwrap();
    let found = check(&bucket).await;
    let kind_of = |key: &str| found.faults.iter().find(|fault| fault.key == key).map(|fault| fault.kind);
    assert_eq!(kind_of(&blocks[0].key), Some(FaultKind::Missing));
    assert_eq!(kind_of(&blocks[1].key), Some(FaultKind::Block));
    let mut others = kinds(&found);
    others.retain(|kind| ![FaultKind::Missing, FaultKind::Block].contains(kind));
    assert_eq!((others, found.faults.len()), (vec![FaultKind::Meta, FaultKind::Catalog], 4));
    assert_eq!(found.unnamed.len(), 1, "the file of the block without meta.json");
}

#[tokio::test]
async fn every_damaged_page_is_listed() {
    let (folder, bucket) = open_folder();
    let block = upload(&bucket, 1).await;
    let path = folder.path().join(&block.key);
    let mut bytes = std::fs::read(&path).unwrap();
    for at in [20, bytes.len() / 2] {
        bytes[at] ^= 4;
    }
    std::fs::write(&path, bytes).unwrap();
    let found = check(&bucket).await;
    assert_eq!(kinds(&found), [FaultKind::Block, FaultKind::Block]);
    assert!(found.faults.iter().all(|fault| fault.offset.is_some()), "{:?}", found.faults);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A flipped bit in the file of a block is always found. One in meta.json is found, or it says the same all the same: a
    /// digit of a hash became a capital.
    #[test]
    fn flipped_bits_are_found(in_meta: bool, at: prop::sample::Index, bit in 0u8..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (folder, bucket) = open_folder();
            let block = upload(&bucket, 1).await;
            let file = folder.path().join(&block.key);
            let path = if in_meta { file.with_file_name("meta.json") } else { file };
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            std::fs::write(&path, &bytes).unwrap();
            let found = check(&bucket).await;
            let is_harmless = in_meta && found.blocks == [block];
            prop_assert!(!found.faults.is_empty() || is_harmless, "byte {at}: {:?}", found.blocks);
            Ok(())
        })?;
    }
}
