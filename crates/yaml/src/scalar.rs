//! What a scalar's text means.
//!
//! The rules are those of Go's `yaml.v2`: YAML 1.1 without numbers to base 60.

use std::borrow::Cow;

use crate::node::{Content, Node};

/// What a scalar means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above the largest `i64`.
    Uint(u64),
    Float(f64),
    Timestamp,
    Merge,
    Text(Cow<'a, str>),
    /// What a document may give in base64, and is not UTF-8. Go takes it for a text.
    Bytes(Vec<u8>),
}

impl Scalar<'_> {
    /// The name of the kind, as messages say it.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Merge => "!!merge",
            Self::Text(_) => "!!str",
            Self::Bytes(_) => "!!binary",
        }
    }
}

/// What the scalar `node` means; `None` if it is no scalar.
///
/// # Errors
/// If its tag demands something that its text is not.
pub(crate) fn resolve(node: &Node) -> Option<Result<Scalar<'_>, String>> {
    let Content::Scalar { text, is_plain } = &node.content else { return None };
    let Some(tag) = node.tag.as_deref() else {
        return Some(Ok(if *is_plain { resolve_plain(text) } else { Scalar::Text(Cow::Borrowed(text)) }));
    };
    Some(resolve_tagged(tag.strip_prefix("tag:yaml.org,2002:").unwrap_or_default(), text))
}

fn resolve_tagged<'a>(tag: &str, text: &'a str) -> Result<Scalar<'a>, String> {
    let meant = resolve_plain(text);
    match (tag, meant) {
        ("binary", _) => {
            let bytes = decode_base64(text).ok_or("!!binary value contains invalid base64 data")?;
            Ok(match String::from_utf8(bytes) {
                Ok(text) => Scalar::Text(text.into()),
                Err(error) => Scalar::Bytes(error.into_bytes()),
            })
        }
        ("float", Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
        ("bool" | "int" | "float" | "null" | "timestamp", meant) => {
            if meant.tag() == format!("!!{tag}") {
                Ok(meant)
            } else {
                Err(format!("cannot decode {} `{text}` as a !!{tag}", meant.tag()))
            }
        }
        _ => Ok(Scalar::Text(Cow::Borrowed(text))),
    }
}

/// What a text means that stands in a document without quotes and without a tag.
pub(crate) fn resolve_plain(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        "<<" => return Scalar::Merge,
        _ => {}
    }
    let number = match text.as_bytes()[0] {
        b'0'..=b'9' | b'+' | b'-' if is_timestamp(text) => Some(Scalar::Timestamp),
        b'0'..=b'9' | b'+' | b'-' => parse_number(&text.replace('_', "")),
        b'.' => parse_float(text).map(Scalar::Float),
        _ => None,
    };
    number.unwrap_or(Scalar::Text(Cow::Borrowed(text)))
}

fn parse_number(text: &str) -> Option<Scalar<'static>> {
    let (is_negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let prefixed = |prefix: [&str; 2]| prefix.iter().find_map(|prefix| digits.strip_prefix(prefix));
    let (base, digits) = if let Some(digits) = prefixed(["0x", "0X"]) {
        (16, digits)
    } else if let Some(digits) = prefixed(["0b", "0B"]) {
        (2, digits)
    } else if let Some(digits) = prefixed(["0o", "0O"]) {
        (8, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    let magnitude = match digits.as_bytes().first() {
        // `from_str_radix` would take a second sign.
        Some(b'+' | b'-') | None => None,
        Some(_) => u64::from_str_radix(digits, base).ok(),
    };
    match magnitude {
        Some(magnitude) if is_negative => 0i64.checked_sub_unsigned(magnitude).map(Scalar::Int),
        Some(magnitude) => Some(i64::try_from(magnitude).map_or(Scalar::Uint(magnitude), Scalar::Int)),
        None => None,
    }
    .or_else(|| parse_float(text).map(Scalar::Float))
}

/// Reads `1`, `1.`, `.5`, `1.5e3`, with a sign or not; not `inf` or `nan`, which Rust's own parser takes.
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit());
    let value: f64 = if is_number { text.parse().ok()? } else { return None };
    value.is_finite().then_some(value)
}

/// Whether a text is a date, or a date and a time, which Go reads as a time although Prometheus never wants one.
fn is_timestamp(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else { return false };
    if year.len() != 4 || !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let (date, time) = match rest.find(['T', 't', ' ']) {
        Some(at) => (&rest[..at], Some((&rest[at..=at], &rest[at + 1..]))),
        None => (rest, None),
    };
    let Some((month, day)) = date.split_once('-') else { return false };
    if !is_number_in(month, 1, 12) || !is_number_in(day, 1, days_in(year, month)) {
        return false;
    }
    match time {
        None => true,
        Some((" ", time)) => is_time(time),
        Some((_, time)) => {
            let zone = time.find(['Z', '+', '-']).map(|at| time.split_at(at));
            zone.is_some_and(|(time, zone)| is_time(time) && is_zone(zone))
        }
    }
}

fn days_in(year: &str, month: &str) -> u32 {
    let year: u32 = year.parse().unwrap_or_default();
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month.trim_start_matches('0') {
        "2" if is_leap => 29,
        "2" => 28,
        "4" | "6" | "9" | "11" => 30,
        _ => 31,
    }
}

fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (Some(hour), Some(minute), Some(second)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    is_number_in(hour, 0, 23)
        && is_number_in(minute, 0, 59)
        && is_number_in(second, 0, 59)
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_zone(text: &str) -> bool {
    let Some((hour, minute)) = text.get(1..).and_then(|zone| zone.split_once(':')) else { return text == "Z" };
    !text.starts_with('Z')
        && (hour.len(), minute.len()) == (2, 2)
        && is_number_in(hour, 0, 24)
        && is_number_in(minute, 0, 60)
}

fn is_number_in(text: &str, low: u32, high: u32) -> bool {
    (1..=2).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse().is_ok_and(|number: u32| (low..=high).contains(&number))
}

/// Decodes base64 with padding; line ends in it do not count. Small and rare, hence no dependency.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for (at, group) in text.chunks(4).enumerate() {
        let is_last = (at + 1) * 4 == text.len();
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > if is_last { 2 } else { 0 } {
            return None;
        }
        let mut bits = 0u32;
        for byte in &group[..4 - padding] {
            bits = bits << 6 | u32::from(sextet(*byte)?);
        }
        bits <<= 6 * padding;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
    }
    Some(bytes)
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, meaning: Scalar<'_>) {
        assert_eq!(resolve_plain(text), meaning, "{text}");
    }

    #[test]
    fn plain_texts_mean_what_go_says() {
        check("yes", Scalar::Bool(true));
        check("Off", Scalar::Bool(false));
        check("~", Scalar::Null);
        check("<<", Scalar::Merge);
        check("15", Scalar::Int(15));
        check("1_000", Scalar::Int(1000));
        check("010", Scalar::Int(8));
        check("0o17", Scalar::Int(15));
        check("-0x1F", Scalar::Int(-31));
        check("0b101", Scalar::Int(5));
        check("08", Scalar::Float(8.0));
        check("18446744073709551615", Scalar::Uint(u64::MAX));
        check("-9223372036854775808", Scalar::Int(i64::MIN));
        check("1e3", Scalar::Float(1000.0));
        check(".5", Scalar::Float(0.5));
        check("1.", Scalar::Float(1.0));
        check("2026-01-31", Scalar::Timestamp);
        check("2026-1-2 3:04:05.678", Scalar::Timestamp);
        check("2026-01-02T03:04:05+01:00", Scalar::Timestamp);
        for text in ["15s", "-", "+-5", "0x", "inf", "-inf", "nan", ".", "1:30", "2026-02-30", "1.2.3", "yEs", "é"] {
            check(text, Scalar::Text(text.into()));
        }
    }

    #[test]
    fn tags_demand_their_kind() {
        assert_eq!(resolve_tagged("str", "5"), Ok(Scalar::Text("5".into())));
        assert_eq!(resolve_tagged("int", "5"), Ok(Scalar::Int(5)));
        assert_eq!(resolve_tagged("float", "5"), Ok(Scalar::Float(5.0)));
        assert_eq!(resolve_tagged("int", "x").unwrap_err(), "cannot decode !!str `x` as a !!int");
        assert_eq!(resolve_tagged("binary", "aGkh"), Ok(Scalar::Text("hi!".into())));
        assert_eq!(resolve_tagged("binary", "aGk=\n"), Ok(Scalar::Text("hi".into())));
        assert_eq!(resolve_tagged("binary", "/w=="), Ok(Scalar::Bytes(vec![0xff])));
        for text in ["a", "aGk", "a===", "aG=k", "aGk=aGkh", "aG!h"] {
            assert!(resolve_tagged("binary", text).is_err(), "{text}");
        }
    }
}
