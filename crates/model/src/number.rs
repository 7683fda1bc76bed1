//! Numbers and texts as Go writes them, which is what every client of Prometheus expects to read.

use std::fmt::Write;

/// The shortest decimal that reads back as `value`, without exponent: Go's `FormatFloat(value, 'f', -1, 64)`.
///
/// `NaN`, `+Inf` and `-Inf` for what is no number.
pub fn format_float(value: f64) -> String {
    special(value).map_or_else(|| without_exponent(value), str::to_owned)
}

/// [`format_float`], with an exponent of at least two digits below 1e-6 and from 1e21: a sample value in JSON.
pub fn format_float_json(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        return special(value).map_or_else(|| with_exponent(value), str::to_owned);
    }
    format_float(value)
}

/// Shortest digits, with an exponent below 1e-4 and from 1e6: Go's `%g`, `%v` and `FormatFloat(value, 'g', -1, 64)`.
pub fn format_float_g(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) { without_exponent(value) } else { with_exponent(value) }
}

/// The canonical form of a bucket's bound or a quantile in a label: shortest, with at least one decimal or an exponent.
pub fn format_float_label(value: f64) -> String {
    let mut text = format_float_g(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

/// So many decimals, without exponent: Go's `%.2f`.
pub fn format_float_fixed(value: f64, decimals: usize) -> String {
    special(value).map_or_else(|| format!("{value:.decimals$}"), str::to_owned)
}

/// So many significant digits at most, with an exponent below 1e-4 and where there would be more digits before the point:
/// Go's `%.2g`.
pub fn format_float_digits(value: f64, digits: usize) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let digits = digits.max(1);
    let rounded: f64 = format!("{value:.*e}", digits - 1).parse().expect("what is written is a number");
    let limit = 10f64.powi(digits as i32);
    let is_plain = rounded == 0.0 || (1e-4..limit).contains(&rounded.abs());
    if is_plain { without_exponent(rounded) } else { with_exponent(rounded) }
}

/// A text in double quotes with Go's escapes: `strconv.Quote`.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// Bytes in double quotes with Go's escapes; those that are no UTF-8 as `\xff`.
pub fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c);
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect("a string takes everything");
        }
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if is_printable(c) => out.push(c),
        c => {
            let code = u32::from(c);
            let written = match code {
                0..0x80 => write!(out, "\\x{code:02x}"),
                0x80..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
            written.expect("a string takes everything");
        }
    }
}

/// Whether Go's `unicode.IsPrint` holds, as near as the standard library's tables say: marks are printable there, and
/// are the only printable characters that Rust escapes.
fn is_printable(c: char) -> bool {
    let combining = matches!(u32::from(c), 0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f
        | 0x900..=0x903 | 0x93a..=0x94f | 0xe31 | 0xe34..=0xe3a | 0x1ab0..=0x1ace | 0x1dc0..=0x1dff | 0x20d0..=0x20f0
        | 0x302a..=0x302d | 0x3099..=0x309a | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f);
    combining || c == '\'' || c.escape_debug().len() == 1
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

/// Shortest digits with an exponent of a sign and at least two digits: `1e-07`.
fn with_exponent(value: f64) -> String {
    let (digits, point) = shortest(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (first, rest) = digits.split_at(1.min(digits.len()));
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent = point - 1;
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{dot}{rest}e{exponent_sign}{:02}", exponent.abs())
}

/// Shortest digits: `0.0000001`.
fn without_exponent(value: f64) -> String {
    let (digits, point) = shortest(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let zeros = |count: usize| "0".repeat(count);
    match usize::try_from(point) {
        Ok(point @ 1..) if point < digits.len() => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        Ok(point @ 1..) => format!("{sign}{digits}{}", zeros(point - digits.len())),
        _ if digits.is_empty() => format!("{sign}0"),
        _ => format!("{sign}0.{}{digits}", zeros(point.unsigned_abs() as usize)),
    }
}

/// The fewest digits that read back as a number, and how many of them stand before the point. No digits for zero.
///
/// Of two that are equally near it is the even one, as in Go; the standard library takes the greater.
fn shortest(value: f64) -> (String, i32) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().expect("what is written is a number");
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let point = whole.len() as i32 + exponent - (digits.len() - significant.len()) as i32;
    (significant.trim_end_matches('0').to_owned(), point)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn floats_are_written_like_go_writes_them() {
        for (value, plain, json, g, label) in [
            (0.0, "0", "0", "0", "0.0"),
            (-0.0, "-0", "-0", "-0", "-0.0"),
            (1.0, "1", "1", "1", "1.0"),
            (0.1, "0.1", "0.1", "0.1", "0.1"),
            (1e-7, "0.0000001", "1e-07", "1e-07", "1e-07"),
            (1e-5, "0.00001", "0.00001", "1e-05", "1e-05"),
            (1e6, "1000000", "1000000", "1e+06", "1e+06"),
            (999999.5, "999999.5", "999999.5", "999999.5", "999999.5"),
            (0.0001, "0.0001", "0.0001", "0.0001", "0.0001"),
            (123456789.0, "123456789", "123456789", "1.23456789e+08", "1.23456789e+08"),
            (1e21, "1000000000000000000000", "1e+21", "1e+21", "1e+21"),
            // 692269064342534.25, halfway between two shortest decimals.
            (
                f64::from_bits(0x4303_aceb_9d5a_6032),
                "692269064342534.2",
                "692269064342534.2",
                "6.922690643425342e+14",
                "6.922690643425342e+14",
            ),
            (-5e-324, &format!("-0.{}5", "0".repeat(323)), "-5e-324", "-5e-324", "-5e-324"),
            (f64::NAN, "NaN", "NaN", "NaN", "NaN"),
            (f64::INFINITY, "+Inf", "+Inf", "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf", "-Inf", "-Inf"),
        ] {
            assert_eq!(format_float(value), plain);
            assert_eq!(format_float_json(value), json);
            assert_eq!(format_float_label(value), label);
            assert_eq!(format_float_g(value), g);
        }
    }

    proptest! {
        #[test]
        fn floats_read_back_as_what_they_were(bits: u64) {
            let value = f64::from_bits(bits);
            for text in [format_float(value), format_float_json(value), format_float_g(value)] {
                let read: f64 = text.parse().unwrap();
                prop_assert!(read == value || (read.is_nan() && value.is_nan()), "{value:e} became {text}");
            }
        }
    }

    #[test]
    fn digits_are_limited_like_go_limits_them() {
        for (value, two_digits) in
            [(0.0, "0"), (1.26, "1.3"), (99.6, "1e+02"), (123.0, "1.2e+02"), (0.00001234, "1.2e-05")]
        {
            assert_eq!(format_float_digits(value, 2), two_digits);
        }
        assert_eq!((format_float_fixed(1.5, 3), format_float_fixed(f64::INFINITY, 3)), ("1.500".into(), "+Inf".into()));
    }

    #[test]
    fn texts_are_quoted_like_go_quotes_them() {
        assert_eq!(
            quote("a\"b\\c\n\t\x01é\u{a0}e\u{301}'😀\u{85}"),
            "\"a\\\"b\\\\c\\n\\t\\x01é\\u00a0e\u{301}'😀\\u0085\""
        );
        assert_eq!(quote_bytes(b"a\xffb\xc3"), r#""a\xffb\xc3""#);
    }
}
