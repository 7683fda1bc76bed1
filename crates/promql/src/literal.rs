//! The values of literals.

use std::borrow::Cow;

use model::quote;

/// The NaN of Go, which Prometheus stores for every NaN. Comparisons of bits see that Rust's is another one.
const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// The value of a number as it was written.
///
/// # Errors
/// If it is none after all, or too large. The message is that of Go's `strconv`.
pub(crate) fn number_value(text: &str) -> Result<f64, String> {
    let fault = |what| format!("strconv.ParseFloat: parsing {}: {what}", quote(text));
    let invalid = || fault("invalid syntax");
    if !underscores_separate_digits(text) {
        return Err(invalid());
    }
    let digits: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let value = i64::from_str_radix(hex, 16).map_err(|_| invalid())?;
        return Ok(value as f64);
    }
    // As in Go, a leading zero makes an octal number of what can be one.
    if let Some(octal) = digits.strip_prefix('0').filter(|octal| !octal.is_empty())
        && let Ok(value) = i64::from_str_radix(octal, 8)
    {
        return Ok(value as f64);
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_infinite() && text.starts_with(|c: char| !c.is_ascii_alphabetic()) => {
            Err(fault("value out of range"))
        }
        Ok(value) if value.is_nan() => Ok(NAN),
        Ok(value) => Ok(value),
        Err(_) => Err(invalid()),
    }
}

/// Whether each underscore stands between two digits, or behind the `0x` before one.
fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_hex = matches!(bytes, [b'0', b'x' | b'X', ..]);
    let is_digit = |at: usize| match bytes.get(at) {
        Some(b'x' | b'X') => is_hex && at == 1,
        Some(byte) if is_hex => byte.is_ascii_hexdigit(),
        Some(byte) => byte.is_ascii_digit(),
        None => false,
    };
    let mut underscores = (0..bytes.len()).filter(|at| bytes[*at] == b'_');
    underscores.all(|at| at > 0 && is_digit(at - 1) && is_digit(at + 1))
}

/// The text that a literal stands for, which must be one that the lexer let pass.
///
/// `\x` and octal escapes give single bytes. Where they add up to no UTF-8, U+FFFD stands instead.
pub(crate) fn unquote(literal: &str) -> String {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if literal.starts_with('`') || !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        rest = push_escaped(&mut bytes, escape);
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Adds what the escape stands for whose backslash was taken, and returns what follows it.
fn push_escaped<'a>(bytes: &mut Vec<u8>, escape: &'a str) -> &'a str {
    let mut chars = escape.chars();
    let first = chars.next().unwrap_or('\\');
    let rest = chars.as_str();
    let (digits, tail, radix) = match first {
        'x' => (rest.get(..2), rest.get(2..), 16),
        'u' => (rest.get(..4), rest.get(4..), 16),
        'U' => (rest.get(..8), rest.get(8..), 16),
        '0'..='7' => (escape.get(..3), escape.get(3..), 8),
        _ => {
            let simple = match first {
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0b',
                quote_or_backslash => quote_or_backslash,
            };
            bytes.extend_from_slice(simple.encode_utf8(&mut [0; 4]).as_bytes());
            return rest;
        }
    };
    let code = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).unwrap_or_default();
    if matches!(first, 'u' | 'U') {
        let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(code as u8);
    }
    tail.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_values_that_go_gives_them() {
        for (text, value) in [
            ("0", 0.0),
            ("5e3", 5000.0),
            ("0x1F", 31.0),
            ("0x_1_f", 31.0),
            ("0755", 493.0),
            ("0_7", 7.0),
            ("08", 8.0),
            ("1_000.5", 1000.5),
            ("3.", 3.0),
            (".5", 0.5),
            ("1e-400", 0.0),
            ("9999999999999999999999", 1e22),
            ("0777777777777777777777777", 7.777_777_777_777_777e23),
            ("inf", f64::INFINITY),
            ("INF", f64::INFINITY),
        ] {
            assert_eq!(number_value(text), Ok(value), "{text}");
        }
        assert_eq!(number_value("NaN").map(f64::to_bits), Ok(0x7ff8_0000_0000_0001));
    }

    #[test]
    fn what_is_no_number_is_refused_in_the_words_of_go() {
        for text in ["1_", "0x", "0xffffffffffffffffff", "0x1e+5", ".5.5", "1e+", "0_x1", "1_.5"] {
            let message = format!("strconv.ParseFloat: parsing {text:?}: invalid syntax");
            assert_eq!(number_value(text), Err(message));
        }
        let message = "strconv.ParseFloat: parsing \"1e999\": value out of range";
        assert_eq!(number_value("1e999"), Err(message.to_owned()));
    }

    #[test]
    fn escapes_are_resolved() {
        for (literal, text) in [
            (r#""""#, ""),
            (r#""a b""#, "a b"),
            (r"'it\'s \\ \t'", "it's \\ \t"),
            (r"`\n`", "\\n"),
            (r#""\x41\101\u00e9\U0001f600é""#, "AAé😀é"),
        ] {
            assert_eq!(unquote(literal), text, "{literal}");
        }
        assert_eq!(unquote(r#""\xc3\xa9""#), "é");
        assert_eq!(unquote(r#""\xff""#), "\u{fffd}");
    }
}
