//! Letters in small and in capitals, character by character, as Go's `unicode.ToLower` and `ToUpper` map them.
//!
//! Rust's own mappings may turn one character into several (`ß` into `SS`) and depend on neighbours (final sigma); Go's, which
//! decide what Prometheus stores, do neither.

pub(crate) fn to_lower(text: &str) -> String {
    text.chars().map(lower).collect()
}

pub(crate) fn to_upper(text: &str) -> String {
    text.chars().map(upper).collect()
}

fn lower(c: char) -> char {
    match c {
        // The only one whose small letter is written with two characters; the first is the simple mapping.
        'İ' => 'i',
        _ => only(c.to_lowercase()).unwrap_or(c),
    }
}

fn upper(c: char) -> char {
    let shifted = |by: u32| char::from_u32(u32::from(c) + by).unwrap_or(c);
    match c {
        // Greek letters with an iota below have one capital, though it is also written with two.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(9),
        _ => only(c.to_uppercase()).unwrap_or(c),
    }
}

fn only(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next();
    if mapped.next().is_none() { first } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_is_mapped_to_one() {
        assert_eq!(to_lower("FoO ÄΣ İK"), "foo äσ ik");
        assert_eq!(to_upper("foo äς ßŉ ᾳᾀ ǆ"), "FOO ÄΣ ßŉ ᾼᾈ Ǆ");
    }
}
