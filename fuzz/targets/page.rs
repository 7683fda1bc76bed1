//! Any bytes as a page, in each format.
#![no_main]

use exposition::{Format, Options, Parser};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        let mut parser = Parser::new(bytes, format, Options::default());
        while let Ok(Some(_)) = parser.next() {}
    }
});
