//! Any bytes as a column of timestamps.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok((times, _)) = chunk::times::Times::parse(bytes) {
        let mut decoded = Vec::new();
        if times.decode(&mut decoded).is_ok() {
            assert_eq!(decoded.len(), times.count());
        }
    }
});
