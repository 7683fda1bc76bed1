//! How a file becomes a block, exactly once.
//!
//! The file goes first, under a name that holds its hash; it is looked at; then `meta.json`, which names it, is created if
//! there is none. Whoever creates `meta.json` decides which file is the block: all others use that one. Each step can be
//! repeated, by anybody, after a crash between any two of them or an answer that was lost.

use block::{BlockMeta, BlockOrigin, BlockSummary};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use model::BlockId;
use xxhash_rust::xxh3::Xxh3;

use crate::error::Failure;
use crate::keys::BLOCKS;
use crate::{BlockKeys, Bucket, BucketError, ErrorKind, Operation};

/// The largest `meta.json` that is read: a thousand times what is written.
const META_LIMIT_BYTES: u64 = 1 << 20;
/// How much of an uploaded file is read at once to hash it.
const STEP_BYTES: u64 = 8 << 20;
/// How many `meta.json` are read at once.
const METAS_AT_ONCE: usize = 32;
/// How many names a file may have. A second one is taken when what lies under the first is damaged.
const NAMES: usize = 3;

/// A block that is in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// What it is, as its `meta.json` says.
    pub meta: BlockMeta,
    /// The key of its file.
    pub key: String,
}

impl Uploaded {
    fn new(meta: BlockMeta) -> Self {
        let key = BlockKeys::of(&meta).file(&meta.file);
        Self { meta, key }
    }
}

/// Makes sure that a block is in the bucket, with these bytes or those of whoever was first.
///
/// Whoever repeats this after [`ErrorKind::Unavailable`], or does it at the same time, gets the same block. Reads what it
/// wrote back once, to be sure that the store has it.
///
/// # Errors
/// If the store cannot be asked; [`ErrorKind::Corrupt`] if what is there makes no sense.
pub async fn upload_block(
    bucket: &Bucket,
    id: BlockId,
    origin: &BlockOrigin,
    summary: BlockSummary,
    parts: &[Bytes],
) -> Result<Uploaded, BucketError> {
    let mut meta = BlockMeta::new(id, origin.clone(), summary);
    let keys = BlockKeys::of(&meta);
    if let Some(first) = read_meta(bucket, &keys, &meta).await? {
        return Ok(Uploaded::new(first));
    }
    let mut name = 1;
    while let Err(error) = upload_file(bucket, &keys.file(&meta.file), &summary, parts).await {
        if error.kind() != ErrorKind::Corrupt || name == NAMES {
            return Err(error);
        }
        name += 1;
        meta.file = format!("{:032x}-{name}.rwb", summary.hash);
    }
    match bucket.create(&keys.meta(), meta.to_json().into()).await {
        Ok(()) => Ok(Uploaded::new(meta)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let first = read_meta(bucket, &keys, &meta).await?;
            first.map(Uploaded::new).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// What `meta.json` says, if there is one. It must be that of the same block.
async fn read_meta(bucket: &Bucket, keys: &BlockKeys, ours: &BlockMeta) -> Result<Option<BlockMeta>, BucketError> {
    let key = keys.meta();
    let json = match bucket.read(&key, META_LIMIT_BYTES).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        json => json?,
    };
    let corrupt = |failure| bucket.error(Operation::Read, &key, failure);
    let meta = BlockMeta::from_json(&json).map_err(|error| corrupt(error.into()))?;
    if (meta.id, &meta.origin) != (ours.id, &ours.origin) {
        return Err(corrupt(Failure::Contents(format!("it is of block {} of another origin", meta.id))));
    }
    Ok(Some(meta))
}

async fn upload_file(bucket: &Bucket, key: &str, summary: &BlockSummary, parts: &[Bytes]) -> Result<(), BucketError> {
    bucket.upload(key, parts).await?;
    let mut hash = Xxh3::new();
    let mut start = 0;
    while start < summary.size_bytes {
        let end = summary.size_bytes.min(start + STEP_BYTES);
        hash.update(&bucket.read_range(key, start..end).await?);
        start = end;
    }
    let found = hash.digest128();
    if found != summary.hash {
        return Err(bucket.error(Operation::Upload, key, Failure::Hash { found, expected: summary.hash }));
    }
    Ok(())
}

/// Deletes a block, and whatever else was uploaded to become it: first what makes it a block.
///
/// Whoever calls this has waited until nobody can be reading the block, nor uploading it.
///
/// # Errors
/// If the store cannot be asked, or refuses. Then some of it may be left; repeat it.
pub async fn delete_block(bucket: &Bucket, keys: &BlockKeys) -> Result<(), BucketError> {
    bucket.delete(&keys.meta()).await?;
    for object in bucket.list(keys.folder()).await? {
        bucket.delete(&object.key).await?;
    }
    Ok(())
}

/// The blocks that a bucket has, in order of their keys: what a catalog is rebuilt from. A `meta.json` that cannot be
/// understood comes as an error of its own.
///
/// # Errors
/// If the store cannot be asked.
pub async fn list_blocks(bucket: &Bucket) -> Result<Vec<Result<Uploaded, BucketError>>, BucketError> {
    let listed = bucket.list(BLOCKS).await?;
    let keys = listed.into_iter().map(|object| object.key).filter(|key| BlockKeys::is_meta(key));
    let read = |key: String| async move {
        let meta = match bucket.read(&key, META_LIMIT_BYTES).await {
            // It was deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            json => BlockMeta::from_json(&json?),
        };
        let meta = meta.map_err(|error| bucket.error(Operation::Read, &key, error.into()));
        let in_place = |meta: BlockMeta| match BlockKeys::of(&meta).meta() == key {
            true => Ok(Uploaded::new(meta)),
            false => {
                let message = format!("it is of block {} of tenant {}", meta.id, meta.origin.tenant);
                Err(bucket.error(Operation::Read, &key, Failure::Contents(message)))
            }
        };
        Ok(Some(meta.and_then(in_place)))
    };
    let metas = stream::iter(keys.map(read)).buffered(METAS_AT_ONCE);
    metas.try_filter_map(|meta| async { Ok(meta) }).try_collect().await
}
