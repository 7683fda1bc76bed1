//! Numbers in decimal.

use model::format_float_json;

/// Adds a sample's value: the shortest decimal that reads back as the same number, `NaN`, `+Inf` or `-Inf`; with an
/// exponent below 1e-6 and from 1e21.
pub(super) fn push(bytes: &mut Vec<u8>, value: f64) {
    // Most values of counters and gauges are whole.
    const EXACT: f64 = (1u64 << 53) as f64;
    let whole = value as i64;
    if whole as f64 == value && value.abs() < EXACT && (whole != 0 || value.is_sign_positive()) {
        return bytes.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    }
    // Of these, which are not whole, the shortest decimal is written without an exponent.
    if (1e-4..EXACT).contains(&value.abs()) {
        return bytes.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
    bytes.extend_from_slice(format_float_json(value).as_bytes());
}

/// Adds a time in seconds: whole, or with three decimals.
pub(super) fn push_time(bytes: &mut Vec<u8>, ms: i64) {
    if ms < 0 {
        bytes.push(b'-');
    }
    let ms = ms.unsigned_abs();
    bytes.extend_from_slice(itoa::Buffer::new().format(ms / 1000).as_bytes());
    let decimals = (ms % 1000) as u16;
    if decimals != 0 {
        let digit = |ten: u16| b'0' + (decimals / ten % 10) as u8;
        bytes.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut bytes = Vec::new();
        push(&mut bytes, value);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn values_have_the_forms_of_go() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (0.1, "0.1"),
            (1e-6, "0.000001"),
            (9.5e-7, "9.5e-07"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (123_456_789.25, "123456789.25"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    proptest! {
        #[test]
        fn the_short_ways_lead_to_the_same(bits: u64, whole: i32, digits in 0u32..9) {
            for value in [f64::from_bits(bits), f64::from(whole), f64::from(whole) / 10f64.powi(digits as i32)] {
                prop_assert_eq!(text(value), format_float_json(value));
            }
        }
    }
}
