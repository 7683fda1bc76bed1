//! Blocks in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use block::{BlockReader, BlockWriter, ByteRanges, ChunkRef};
use bytes::Bytes;
use futures::future::BoxFuture;
use head::CutContents;
use ingester::{BlockOrigin, BlockStore};
use meta::Block;
use model::BlockId;
use parking_lot::Mutex;
use querier::BlockSource;
use series::{QueryError, Queryable};

/// A bucket in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryBlocks {
    blocks: Arc<Mutex<BTreeMap<BlockId, Bytes>>>,
    /// While this is set, nothing can be stored.
    is_down: Arc<Mutex<bool>>,
}

impl MemoryBlocks {
    /// How many blocks there are.
    pub fn count(&self) -> usize {
        self.blocks.lock().len()
    }

    /// From now on nothing can be stored, or it can again.
    pub fn set_down(&self, is_down: bool) {
        *self.is_down.lock() = is_down;
    }
}

impl BlockStore for MemoryBlocks {
    fn store(&self, contents: CutContents, origin: BlockOrigin) -> BoxFuture<'_, Result<proto::meta::Block, String>> {
        Box::pin(async move {
            if *self.is_down.lock() {
                return Err("the bucket is down".to_owned());
            }
            let mut writer = BlockWriter::new(Vec::new()).unwrap();
            for series in &contents.series {
                let chunks: Vec<ChunkRef<'_>> = series
                    .chunks
                    .iter()
                    .map(|chunk| ChunkRef { times: writer.add_times(&chunk.times).unwrap(), bytes: &chunk.chunk })
                    .collect();
                writer.add_series(&series.labels, &chunks).unwrap();
            }
            let (bytes, summary) = writer.finish().unwrap();
            self.blocks.lock().entry(origin.id).or_insert_with(|| bytes.into());
            Ok(proto::meta::Block {
                id: Bytes::copy_from_slice(&origin.id.0.to_be_bytes()),
                tenant: contents.tenant.as_str().to_owned(),
                shard: origin.shard.0,
                cut: origin.cut,
                min_time_ms: summary.range.start().as_ms(),
                max_time_ms: summary.range.end().as_ms() - 1,
                key: origin.id.to_string(),
                size_bytes: summary.size_bytes,
                hash: Bytes::copy_from_slice(&summary.hash.to_be_bytes()),
                series_count: summary.series_count,
                sample_count: summary.sample_count,
            })
        })
    }
}

impl BlockSource for MemoryBlocks {
    fn open<'a>(&'a self, id: BlockId, _: &'a Block) -> BoxFuture<'a, Result<Arc<dyn Queryable>, QueryError>> {
        Box::pin(async move {
            let bytes = self.blocks.lock().get(&id).cloned();
            let bytes = bytes.ok_or_else(|| QueryError::Unavailable(format!("block {id} is not there")))?;
            let source: Arc<dyn ByteRanges> = Arc::new(bytes);
            Ok(Arc::new(BlockReader::open(&id.to_string(), source).await?) as Arc<dyn Queryable>)
        })
    }
}
