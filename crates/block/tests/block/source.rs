//! A block in memory that counts what is read of it.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use block::{BlockReader, ByteRanges};
use bytes::Bytes;
use futures::executor::block_on;
use futures::future::BoxFuture;
use series::QueryError;

/// A block in memory that remembers each call.
pub(crate) struct Counting {
    bytes: Bytes,
    calls: Mutex<Vec<Vec<Range<u64>>>>,
}

impl Counting {
    pub(crate) fn new(bytes: Bytes) -> Arc<Self> {
        Arc::new(Self { bytes, calls: Mutex::default() })
    }

    /// The ranges of each call since the last time that somebody asked.
    pub(crate) fn calls(&self) -> Vec<Vec<Range<u64>>> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl ByteRanges for Counting {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, QueryError>> {
        self.calls.lock().unwrap().push(ranges.clone());
        self.bytes.read(ranges)
    }
}

pub(crate) fn open(bytes: Bytes) -> Result<BlockReader, QueryError> {
    block_on(BlockReader::open("test", Arc::new(bytes)))
}
