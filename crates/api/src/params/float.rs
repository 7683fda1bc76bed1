//! Numbers in parameters.

/// Reads a number as Go's `strconv.ParseFloat`: in decimal, or in hexadecimal with a binary exponent, perhaps with
/// underscores between digits, or infinity or NaN in letters of any case.
///
/// `None` for what is none, and for what is too large for a float.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let without_underscores;
    let plain = if text.contains('_') {
        if !has_underscores_between_digits(text) {
            return None;
        }
        without_underscores = text.replace('_', "");
        &without_underscores
    } else {
        text
    };
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    let value = match unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        Some(hex) => parse_hex(hex)?.copysign(if plain.starts_with('-') { -1.0 } else { 1.0 }),
        None => plain.parse::<f64>().ok()?,
    };
    let is_too_large = value.is_infinite() && unsigned.bytes().any(|byte| byte.is_ascii_digit());
    (!is_too_large).then_some(value)
}

/// Reads `1.8p3`: the exponent must be there.
fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2f64.powi(exponent.checked_sub(shift)?))
}

fn has_underscores_between_digits(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    let is_hex = unsigned.starts_with("0x");
    let bytes = unsigned.strip_prefix("0x").unwrap_or(&unsigned).as_bytes();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (is_hex && byte.is_ascii_hexdigit());
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').all(|(at, _)| {
        // The prefix counts as a digit.
        let follows_digit = if at == 0 { is_hex } else { is_digit(bytes[at - 1]) };
        follows_digit && bytes.get(at + 1).is_some_and(|next| is_digit(*next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_forms_of_go() {
        for (text, expected) in [
            ("1_000.5", Some(1000.5)),
            ("_1", None),
            ("1__0", None),
            ("1_", None),
            ("0x1p3", Some(8.0)),
            ("-0x_1.8P+1", Some(-3.0)),
            ("0x10", None),
            ("0xp1", None),
            ("1e400", None),
            ("+5", Some(5.0)),
            (".5e1", Some(5.0)),
            ("-Inf", Some(f64::NEG_INFINITY)),
            ("", None),
            ("5m", None),
        ] {
            assert_eq!(parse_float(text), expected, "{text}");
        }
        assert!(parse_float("nan").is_some_and(f64::is_nan));
    }
}
