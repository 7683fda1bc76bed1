//! Any text as a configuration.
#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = config::parse(text, Path::new("/nowhere/prometheus.yml"), config::Mode::Server, &config::RealFiles);
});
