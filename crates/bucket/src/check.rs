//! Looking at everything in a bucket, without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::{BlockReader, ByteRanges, damaged_pages, verify};
use series::QueryError;
use telemetry::Registry;

use crate::keys::{BLOCKS, CATALOGS, catalog, catalog_version};
use crate::{
    BlockKeys, BlockRanges, Bucket, BucketError, Catalogs, ErrorKind, Listed, PageCache, Uploaded, list_blocks,
};

/// A block of up to so many bytes is read in one piece; a larger one page by page.
const WHOLE_BYTES: u64 = 256 << 20;
/// What is kept of larger ones, in bytes: pages are read up to three times.
const CACHE_BYTES: u64 = 256 << 20;

/// What a bucket has, and what is wrong with it.
#[derive(Debug, Default)]
pub struct BucketCheck {
    /// The blocks whose `meta.json` can be read, in order of their keys.
    pub blocks: Vec<Uploaded>,
    /// How many objects there are.
    pub object_count: usize,
    /// How many bytes they have.
    pub size_bytes: u64,
    /// All that is wrong.
    pub faults: Vec<BucketFault>,
    /// Objects that nobody names: what is left of uploads that came to nothing, or is being uploaded now, or is none of ours.
    pub unnamed: Vec<Listed>,
}

/// Something that is wrong in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketFault {
    /// The object.
    pub key: String,
    /// Where in it, in bytes, if that is known.
    pub offset: Option<u64>,
    /// What it comes to.
    pub kind: FaultKind,
    /// What is wrong.
    pub what: String,
}

/// What a fault comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A `meta.json` says nothing: no catalog can be rebuilt with this block.
    Meta,
    /// The file of a block is not there.
    Missing,
    /// The file of a block is damaged, or is another one.
    Block,
    /// A saved version of the catalog can't be read.
    Catalog,
}

/// Reads all of a bucket: every `meta.json`, every page of every block with its checksum, order, references and counts, and
/// every saved catalog. `begins` hears of each block before it is read.
///
/// # Errors
/// If the store cannot be asked. Damage is no error.
pub async fn check_bucket(bucket: &Bucket, mut begins: impl FnMut(&Uploaded)) -> Result<BucketCheck, BucketError> {
    let listed = bucket.list("").await?;
    let sizes: BTreeMap<&str, u64> = listed.iter().map(|object| (&*object.key, object.size_bytes)).collect();
    let mut check = BucketCheck {
        object_count: listed.len(),
        size_bytes: listed.iter().map(|object| object.size_bytes).sum(),
        ..BucketCheck::default()
    };
    let mut named: BTreeSet<String> = BTreeSet::new();
    for block in list_blocks(bucket).await? {
        match block {
            Ok(block) => {
                if !block.meta.id_fits_origin() {
                    let key = BlockKeys::of(&block.meta).meta();
                    let what = format!("block {} does not come from {:?}", block.meta.id, block.meta.origin);
                    check.faults.push(BucketFault { key, offset: None, kind: FaultKind::Meta, what });
                }
                named.insert(BlockKeys::of(&block.meta).meta());
                named.insert(block.key.clone());
                check.blocks.push(block);
            }
            Err(error) => {
                let key = error.key().to_owned();
                named.insert(key.clone());
                check.faults.push(BucketFault { key, offset: None, kind: FaultKind::Meta, what: chain(&error) });
            }
        }
    }
    for block in &check.blocks {
        begins(block);
        let found = match sizes.get(&*block.key) {
            Some(size) => check_block(bucket, block, *size).await?,
            None => vec![fault(block, None, FaultKind::Missing, "it is not there")],
        };
        check.faults.extend(found);
    }
    for version in listed.iter().filter_map(|object| catalog_version(&object.key)) {
        named.insert(catalog(version));
        match Catalogs::new(bucket.clone()).read(version).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let (key, what) = (catalog(version), chain(&error));
                check.faults.push(BucketFault { key, offset: None, kind: FaultKind::Catalog, what });
            }
            read => drop(read?),
        }
    }
    let is_ours = |key: &str| key.starts_with(BLOCKS) || key.starts_with(CATALOGS);
    check.unnamed = listed.into_iter().filter(|object| !named.contains(&object.key)).collect();
    check.unnamed.sort_by_key(|object| !is_ours(&object.key));
    Ok(check)
}

async fn check_block(bucket: &Bucket, block: &Uploaded, size: u64) -> Result<Vec<BucketFault>, BucketError> {
    let expected = block.meta.summary;
    if size != expected.size_bytes {
        let what = format!("it has {size} bytes instead of {}", expected.size_bytes);
        return Ok(vec![fault(block, Some(size.min(expected.size_bytes)), FaultKind::Block, what)]);
    }
    let source: Arc<dyn ByteRanges> = if size <= WHOLE_BYTES {
        Arc::new(bucket.read(&block.key, size).await?)
    } else {
        let cache = PageCache::new(CACHE_BYTES, &Registry::new());
        Arc::new(BlockRanges::new(bucket.clone(), cache, &block.key, size))
    };
    let corrupt = |offset, error: QueryError| fault(block, offset, FaultKind::Block, error.to_string());
    let reader = match BlockReader::open(&block.meta.id.to_string(), source).await {
        Ok(reader) => reader,
        Err(error) => return Ok(vec![corrupt(None, error)]),
    };
    let pages = match damaged_pages(&reader).await {
        Ok(pages) => pages,
        Err(error) => return Ok(vec![corrupt(None, error)]),
    };
    if !pages.is_empty() {
        let of = |page: block::PageFault| fault(block, Some(page.range.start), FaultKind::Block, page.what);
        return Ok(pages.into_iter().map(of).collect());
    }
    Ok(match verify(&reader).await {
        Ok(found) if found == expected => Vec::new(),
        Ok(found) => {
            let what = format!("it is {found:?}, and meta.json says {expected:?}");
            vec![fault(block, None, FaultKind::Block, what)]
        }
        Err(error) => vec![corrupt(None, error)],
    })
}

fn fault(block: &Uploaded, offset: Option<u64>, kind: FaultKind, what: impl Into<String>) -> BucketFault {
    BucketFault { key: block.key.clone(), offset, kind, what: what.into() }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
