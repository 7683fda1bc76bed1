//! Any bytes as the open file of a snapshot.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let missing = |name: &str| Err(head::SegmentError::Damaged(name.to_owned()));
    let _ = head::Head::load(bytes, missing);
});
