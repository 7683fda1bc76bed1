//! Any bytes as a row of sixteen values.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut values = [0.0; 16];
    let _ = chunk::row::decode(bytes, None, &mut values);
    let reference = values;
    let _ = chunk::row::decode(bytes, Some(&reference), &mut values);
});
