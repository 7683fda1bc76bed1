//! Durations as Prometheus writes them.

/// Why a text is no duration. The messages are Prometheus'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// Nothing was given.
    #[error("empty duration string")]
    Empty,
    /// Not units in descending order, each once, with whole numbers.
    #[error("not a valid duration string: {}", crate::number::quote(.0))]
    Invalid(String),
    /// A unit that is none of `y`, `w`, `d`, `h`, `m`, `s` and `ms`.
    #[error("unknown unit {} in duration {}", crate::number::quote(.unit), crate::number::quote(.duration))]
    UnknownUnit {
        /// What stands where a unit should.
        unit: String,
        /// All of the text.
        duration: String,
    },
    /// Longer than 2⁶³ − 1 nanoseconds, about 292 years.
    #[error("duration out of range")]
    OutOfRange,
}

/// Units in the order in which they must stand, in milliseconds. A day has 24 hours, a year 365 days.
const UNITS: [(&str, i64); 7] =
    [("y", 365 * DAY), ("w", 7 * DAY), ("d", DAY), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const DAY: i64 = 86_400_000;
const MAX_MS: i64 = i64::MAX / 1_000_000;

/// Reads a duration such as `1h30m` or `0`, in milliseconds.
///
/// # Errors
/// If it is none. A sign is not part of a duration.
pub fn parse_duration(text: &str) -> Result<i64, ParseDurationError> {
    if text.is_empty() {
        return Err(ParseDurationError::Empty);
    }
    if text == "0" {
        return Ok(0);
    }
    let invalid = || ParseDurationError::Invalid(text.to_owned());
    let mut total = 0i64;
    let mut allowed = UNITS.as_slice();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| invalid())?;
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        if !unit.is_empty() && !UNITS.iter().any(|(name, _)| *name == unit) {
            let (unit, duration) = (unit.to_owned(), text.to_owned());
            return Err(ParseDurationError::UnknownUnit { unit, duration });
        }
        // Units stand in descending order: one that was passed can't be found again.
        let at = allowed.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let part = i64::try_from(number).ok().and_then(|number| number.checked_mul(allowed[at].1));
        allowed = &allowed[at + 1..];
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= MAX_MS)
            .ok_or(ParseDurationError::OutOfRange)?;
        rest = tail;
    }
    Ok(total)
}

/// Writes a duration of milliseconds; years and weeks only where they leave no rest. Negative ones get a sign.
pub fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if ms < 0 {
        out.push('-');
    }
    let mut rest = ms.unsigned_abs();
    for (unit, size) in UNITS {
        let size = size.unsigned_abs();
        let fits = rest.is_multiple_of(size) || !matches!(unit, "y" | "w");
        if fits && rest >= size {
            out.push_str(&(rest / size).to_string());
            out.push_str(unit);
            rest %= size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("1m0s", 60_000, "1m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("324ms", 324, "324ms"),
            ("14d", 14 * DAY, "2w"),
            ("1y", 365 * DAY, "1y"),
            ("1y1d", 366 * DAY, "366d"),
            ("4w1d3s", 29 * DAY + 3000, "29d3s"),
        ] {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
            assert_eq!(format_duration(ms), printed);
        }
        assert_eq!(format_duration(-90_000), "-1m30s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["1", "1y1m1d", "s", "-1w", "1s1s", "d1", " 1s", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), Err(ParseDurationError::Invalid(text.to_owned())), "{text}");
        }
        for (text, unit) in [("1x", "x"), ("1.5d", "."), ("1 s", " s"), ("1S", "S"), ("1µs", "µs")] {
            let message = format!("unknown unit {unit:?} in duration {text:?}");
            assert_eq!(parse_duration(text).unwrap_err().to_string(), message);
        }
        assert_eq!(parse_duration(""), Err(ParseDurationError::Empty));
        for text in ["294y", "200y10400w", "107675d", "2584200h", "9999999999999999999s"] {
            assert_eq!(parse_duration(text), Err(ParseDurationError::OutOfRange), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 0..=MAX_MS) {
            prop_assert_eq!(parse_duration(&format_duration(ms)), Ok(ms));
        }
    }
}
