//! Any bytes as a chunk.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(chunk) = chunk::Chunk::parse(bytes) else { return };
    let (mut floats, mut histograms) = (Vec::<f64>::new(), Vec::<model::Histogram>::new());
    let _ = chunk.values(&mut floats);
    let _ = chunk.values(&mut histograms);
    let times: Vec<i64> = (0..chunk.presence().rows() as i64).collect();
    let _ = chunk.read_starts_into(&times, model::TimeRange::ALL, chunk::Markers::Keep, &mut Vec::new());
});
