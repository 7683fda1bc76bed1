//! Any bytes as a chunk.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(chunk) = chunk::Chunk::parse(bytes) else { return };
    let (mut floats, mut histograms) = (Vec::<f64>::new(), Vec::<model::Histogram>::new());
    let _ = chunk.values(&mut floats);
    let _ = chunk.values(&mut histograms);
});
