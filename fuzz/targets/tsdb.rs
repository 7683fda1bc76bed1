//! Any bytes as a chunk of Prometheus, in each encoding.
#![no_main]

use tsdb::Encoding;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for encoding in [Encoding::Xor, Encoding::Histogram, Encoding::FloatHistogram] {
        drop(tsdb::decode(encoding, bytes));
    }
});
