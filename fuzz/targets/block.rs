//! Any bytes as a block.
#![no_main]

use std::sync::Arc;

use block::{BlockReader, ByteRanges};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let source: Arc<dyn ByteRanges> = Arc::new(bytes::Bytes::copy_from_slice(bytes));
    futures::executor::block_on(async {
        if let Ok(reader) = BlockReader::open("fuzz", source).await {
            let _ = block::verify(&reader).await;
        }
    });
});
