//! Numbers as Go's `strconv.ParseFloat` reads them, less what pages must not use.

use std::fmt;

use model::{NORMAL_NAN, quote_bytes};

/// Why a text is no number. The messages are Go's, and Prometheus'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FloatError {
    /// It has one of the characters `p`, `P` and `_`, which newer versions of Go accept.
    Character,
    Syntax(Vec<u8>),
    Range(Vec<u8>),
}

impl fmt::Display for FloatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, reason) = match self {
            Self::Character => return f.write_str("unsupported character in float"),
            Self::Syntax(text) => (text, "invalid syntax"),
            Self::Range(text) => (text, "value out of range"),
        };
        write!(f, "strconv.ParseFloat: parsing {}: {reason}", quote_bytes(text))
    }
}

/// Reads a number: digits with a point and an exponent, or infinity or NaN in letters of any case.
///
/// Every NaN is [`NORMAL_NAN`].
pub(crate) fn parse_float(text: &[u8]) -> Result<f64, FloatError> {
    match parse_plain(text) {
        Some(value) => Ok(value),
        None => parse_general(text),
    }
}

/// Powers of ten that a float holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Reads most of the numbers there are: few digits, perhaps a point among them, perhaps a small exponent.
fn parse_plain(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut mantissa = 0u64;
    let mut digit_count = 0;
    let mut point = None;
    let mut exponent = 0;
    for (at, byte) in unsigned.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
                digit_count += 1;
            }
            _ if *byte == b'.' && point.is_none() => point = Some(digit_count),
            _ if *byte == b'e' => {
                exponent = small_exponent(&unsigned[at + 1..])?;
                break;
            }
            _ => return None,
        }
    }
    // Nineteen digits always fit.
    if digit_count == 0 || digit_count > 19 {
        return None;
    }
    let decimals = point.map_or(0, |before| digit_count - before);
    scale(mantissa, exponent - decimals, negative)
}

/// Reads an exponent of two digits, which is what Go writes: `+06`.
fn small_exponent(text: &[u8]) -> Option<i32> {
    match text {
        [sign @ (b'+' | b'-'), tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            let exponent = i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
            Some(if *sign == b'-' { -exponent } else { exponent })
        }
        _ => None,
    }
}

/// The float nearest to `mantissa` times this power of ten, if both are small enough.
///
/// An integer up to 2⁵³ and a power of ten up to 10²² are floats, and their product or quotient is rounded once: the result is
/// the nearest float, as in the general case.
#[inline]
pub(crate) fn scale(mantissa: u64, power: i32, negative: bool) -> Option<f64> {
    if mantissa > 1 << 53 {
        return None;
    }
    // One of the two is 1, so that there is nothing to predict and nothing more to round.
    let up = EXACT_POWERS.get(power.max(0) as usize)?;
    let down = EXACT_POWERS.get((-power).max(0) as usize)?;
    let value = mantissa as f64 * up / down;
    Some(f64::from_bits(value.to_bits() | u64::from(negative) << 63))
}

#[cold]
#[inline(never)]
fn parse_general(text: &[u8]) -> Result<f64, FloatError> {
    if text.iter().any(|byte| b"pP_".contains(byte)) {
        return Err(FloatError::Character);
    }
    let (sign, unsigned) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        rest => (1.0, rest),
    };
    if unsigned.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return match fast_float2::parse::<f64, _>(unsigned) {
            Ok(value) if value.is_infinite() => Err(FloatError::Range(text.to_vec())),
            Ok(value) => Ok(sign * value),
            Err(_) => Err(FloatError::Syntax(text.to_vec())),
        };
    }
    if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
        return Ok(sign * f64::INFINITY);
    }
    // A NaN has no sign.
    if text.eq_ignore_ascii_case(b"nan") {
        return Ok(NORMAL_NAN);
    }
    Err(FloatError::Syntax(text.to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_like_go_reads_them() {
        for (text, value) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("+1e5", 1e5),
            ("7.424100000000001e-05", 7.424100000000001e-05),
            ("99999999999999999", 99999999999999999.0),
            ("9007199254740993", 9007199254740993.0),
            ("0.00000000000000001", 1e-17),
            ("1e-999", 0.0),
            ("iNf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("nAn", NORMAL_NAN),
        ] {
            let found = parse_float(text.as_bytes()).map(f64::to_bits);
            assert_eq!(found, Ok(value.to_bits()), "{text}");
        }
        for (text, message) in [
            ("", "strconv.ParseFloat: parsing \"\": invalid syntax"),
            (".", "strconv.ParseFloat: parsing \".\": invalid syntax"),
            ("-", "strconv.ParseFloat: parsing \"-\": invalid syntax"),
            ("1e", "strconv.ParseFloat: parsing \"1e\": invalid syntax"),
            ("--1", "strconv.ParseFloat: parsing \"--1\": invalid syntax"),
            ("1.2.3", "strconv.ParseFloat: parsing \"1.2.3\": invalid syntax"),
            ("0x10", "strconv.ParseFloat: parsing \"0x10\": invalid syntax"),
            ("+nan", "strconv.ParseFloat: parsing \"+nan\": invalid syntax"),
            ("-1e999", "strconv.ParseFloat: parsing \"-1e999\": value out of range"),
            ("1_0", "unsupported character in float"),
            ("help", "unsupported character in float"),
        ] {
            assert_eq!(parse_float(text.as_bytes()).unwrap_err().to_string(), message, "{text}");
        }
    }

    proptest! {
        #[test]
        fn plain_numbers_are_nearest(text in r"-?[0-9]{0,18}\.?[0-9]{0,18}(e[+-][0-9]{2})?") {
            if let Some(value) = parse_plain(text.as_bytes()) {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }

        #[test]
        fn every_float_reads_back(value: f64) {
            for text in [value.to_string(), format!("{value:e}")] {
                let found = parse_float(text.as_bytes()).unwrap();
                prop_assert!(found == value || value.is_nan() && found.to_bits() == NORMAL_NAN.to_bits());
            }
        }
    }
}
