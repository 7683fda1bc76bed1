//! Any text as an expression: what is printed means the same.
#![no_main]

use promql::{ParseOptions, parse};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(parsed) = parse(text, &ParseOptions::ALL) {
        let printed = parsed.to_string();
        // As Prometheus does, the printer writes U+FFFD as it is, and the lexer takes it for broken UTF-8.
        if printed.contains('\u{fffd}') {
            return;
        }
        let again = parse(&printed, &ParseOptions::ALL).expect("what is printed can be read");
        assert_eq!(again.to_string(), printed);
    }
});
