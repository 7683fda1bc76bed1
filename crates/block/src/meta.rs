//! `meta.json`: what lies beside a block in the bucket and makes it one.

use model::{BlockId, ShardId, TenantId, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::BlockSummary;

/// The version that is written. Readers know it and all before it.
const VERSION: u32 = 1;

/// What is known about a block without looking into it: enough to list it in a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMeta {
    /// Its name.
    pub id: BlockId,
    /// Where it comes from.
    pub origin: BlockOrigin,
    /// The name of its file, in the folder in which `meta.json` is. Holds the hash, so that no two uploads meet in one.
    pub file: String,
    /// What is in the file.
    pub summary: BlockSummary,
}

/// Where a block comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOrigin {
    /// The cluster that wrote it.
    pub cluster_id: u128,
    /// Whose data it has.
    pub tenant: TenantId,
    /// The shard that cut it.
    pub shard: ShardId,
    /// Which cut of the shard.
    pub cut: u64,
}

/// Why a document is not the `meta.json` of a block.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// It is no JSON, or not of this shape.
    #[error("read meta.json")]
    Json(#[from] serde_json::Error),
    /// It was written by a later version.
    #[error("meta.json has version {0}, and the latest that is known here is {VERSION}")]
    Version(u32),
    /// A field says what it cannot say.
    #[error("meta.json has {field} {value:?}, which is none")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
    },
}

impl BlockOrigin {
    /// The id of the block that comes from here, whoever builds it; its cut ends at `end_ms`.
    pub fn block_id(&self, end_ms: i64) -> BlockId {
        let mut hash = Xxh3::new();
        hash.update(&self.cluster_id.to_le_bytes());
        hash.update(&self.shard.0.to_le_bytes());
        hash.update(&self.cut.to_le_bytes());
        hash.update(self.tenant.as_str().as_bytes());
        BlockId::new(end_ms, hash.digest128())
    }
}

impl BlockMeta {
    /// Where the cut ended that the block is of, in ms. Its id says so.
    pub fn cut_end_ms(&self) -> i64 {
        (self.id.0 >> 80) as i64
    }

    /// Whether the id is that of a block which comes from where this one says it does.
    pub fn id_fits_origin(&self) -> bool {
        self.origin.block_id(self.cut_end_ms()) == self.id
    }

    /// The meta of a block that was just written. Its file is named by its hash.
    pub fn new(id: BlockId, origin: BlockOrigin, summary: BlockSummary) -> Self {
        Self { id, origin, file: format!("{:032x}.rwb", summary.hash), summary }
    }

    /// The document, indented.
    pub fn to_json(&self) -> Vec<u8> {
        let Self { id, origin, file, summary } = self;
        let document = Document {
            version: VERSION,
            id: id.to_string(),
            cluster_id: format!("{:032x}", origin.cluster_id),
            tenant: origin.tenant.as_str().to_owned(),
            shard: origin.shard.0,
            cut: origin.cut,
            start_ms: summary.range.start().as_ms(),
            end_ms: summary.range.end().as_ms(),
            file: file.clone(),
            size_bytes: summary.size_bytes,
            hash: format!("{:032x}", summary.hash),
            series_count: summary.series_count,
            sample_count: summary.sample_count,
            chunk_count: summary.chunk_count,
        };
        let mut json = serde_json::to_vec_pretty(&document).expect("numbers and texts are always JSON");
        json.push(b'\n');
        json
    }

    /// Reads the document. Fields that are not known here are left alone: a later writer may add some.
    ///
    /// # Errors
    /// If it is not one, or its version is not known here.
    pub fn from_json(json: &[u8]) -> Result<Self, MetaError> {
        let Versioned { version } = serde_json::from_slice(json)?;
        if version != VERSION {
            return Err(MetaError::Version(version));
        }
        let document: Document = serde_json::from_slice(json)?;
        let field = |field, value: &str| MetaError::Field { field, value: value.to_owned() };
        if document.file.is_empty() || document.file.contains('/') || document.file.starts_with('.') {
            return Err(field("file", &document.file));
        }
        let hex = |name, text: &str| match u128::from_str_radix(text, 16) {
            Ok(number) if text.len() == 32 && !text.starts_with('+') => Ok(number),
            _ => Err(field(name, text)),
        };
        Ok(Self {
            id: BlockId::parse(&document.id).ok_or_else(|| field("id", &document.id))?,
            origin: BlockOrigin {
                cluster_id: hex("cluster_id", &document.cluster_id)?,
                tenant: TenantId::new(&document.tenant).ok_or_else(|| field("tenant", &document.tenant))?,
                shard: ShardId(document.shard),
                cut: document.cut,
            },
            summary: BlockSummary {
                range: TimeRange::new(Timestamp(document.start_ms), Timestamp(document.end_ms)),
                series_count: document.series_count,
                sample_count: document.sample_count,
                chunk_count: document.chunk_count,
                size_bytes: document.size_bytes,
                hash: hex("hash", &document.hash)?,
            },
            file: document.file,
        })
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The document as it is written: see `docs/formats/block.md`.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    id: String,
    cluster_id: String,
    tenant: String,
    shard: u32,
    cut: u64,
    start_ms: i64,
    end_ms: i64,
    file: String,
    size_bytes: u64,
    hash: String,
    series_count: u64,
    sample_count: u64,
    chunk_count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> BlockMeta {
        let tenant = TenantId::new("team-a").unwrap();
        let origin = BlockOrigin { cluster_id: 7, tenant, shard: ShardId(3), cut: 12 };
        let summary = BlockSummary {
            range: TimeRange::new(Timestamp(-5), Timestamp(7_200_000)),
            series_count: 2,
            sample_count: 960,
            chunk_count: 8,
            size_bytes: 1234,
            hash: 0xabc,
        };
        BlockMeta::new(BlockId::new(7_200_000, 99), origin, summary)
    }

    const DOCUMENT: &str = r#"{
  "version": 1,
  "id": "000006VQ800000000000000033",
  "cluster_id": "00000000000000000000000000000007",
  "tenant": "team-a",
  "shard": 3,
  "cut": 12,
  "start_ms": -5,
  "end_ms": 7200000,
  "file": "00000000000000000000000000000abc.rwb",
  "size_bytes": 1234,
  "hash": "00000000000000000000000000000abc",
  "series_count": 2,
  "sample_count": 960,
  "chunk_count": 8
}
"#;

    #[test]
    fn version_1_is_written_and_read() {
        assert_eq!(String::from_utf8(meta().to_json()).unwrap(), DOCUMENT);
        assert_eq!(BlockMeta::from_json(DOCUMENT.as_bytes()).unwrap(), meta());
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        let changed = DOCUMENT.replace(from, to);
        assert_ne!(changed, DOCUMENT);
        assert_eq!(BlockMeta::from_json(changed.as_bytes()).unwrap_err().to_string(), expected);
    }

    #[test]
    fn other_documents_are_refused() {
        check("{", "[", "read meta.json");
        check("\"cut\": 12,", "", "read meta.json");
        check("\"version\": 1", "\"version\": 2", "meta.json has version 2, and the latest that is known here is 1");
        check("team-a", "team/a", "meta.json has tenant \"team/a\", which is none");
        check("000006VQ80", "ü00006VQ80", "meta.json has id \"ü00006VQ800000000000000033\", which is none");
        check("0abc.rwb", "/../x.rwb", "meta.json has file \"0000000000000000000000000000/../x.rwb\", which is none");
        let short = DOCUMENT.replace("\"00000000000000000000000000000abc\"", "\"abc\"");
        assert!(matches!(BlockMeta::from_json(short.as_bytes()), Err(MetaError::Field { field: "hash", .. })));
    }

    #[test]
    fn an_id_tells_whether_its_origin_was_changed() {
        let mut meta = meta();
        meta.id = meta.origin.block_id(7_200_000);
        assert_eq!((meta.id_fits_origin(), meta.cut_end_ms()), (true, 7_200_000));
        // Ids lie in buckets: they must stay what they are.
        assert_eq!(meta.id.to_string(), "000006VQ80XM35XQT3X9H78YSH");
        let others: [fn(&mut BlockOrigin); 4] = [
            |origin| origin.cluster_id += 1,
            |origin| origin.shard.0 += 1,
            |origin| origin.cut += 1,
            |origin| origin.tenant = TenantId::new("team-b").unwrap(),
        ];
        for change in others {
            let mut other = meta.clone();
            change(&mut other.origin);
            assert!(!other.id_fits_origin(), "{other:?}");
        }
    }

    #[test]
    fn fields_to_come_are_left_alone() {
        let later = DOCUMENT.replace("\"cut\": 12,", "\"cut\": 12, \"more\": [1],");
        assert_eq!(BlockMeta::from_json(later.as_bytes()).unwrap(), meta());
    }
}
