//! Durations in parameters.

use model::quote;

use super::float::parse_float;

/// Reads a duration, a number of seconds or Prometheus' `1h30m`, in nanoseconds. A number may be negative.
///
/// # Errors
/// The message says that it is none.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("cannot parse {} to a valid duration", quote(text));
    if let Some(seconds) = parse_float(text) {
        let nanoseconds = seconds * 1e9;
        if nanoseconds.is_nan() {
            // What Go makes of it: as short as can be.
            return Ok(i64::MIN);
        }
        if !(i64::MIN as f64..=i64::MAX as f64).contains(&nanoseconds) {
            return Err(format!("{}. It overflows int64", invalid()));
        }
        return Ok(nanoseconds as i64);
    }
    // The limit of durations is one of nanoseconds, so none is too long for them.
    model::parse_duration(text).map(|ms| ms * 1_000_000).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_prometheus_own() {
        for (text, expected) in [
            ("1", Ok(1_000_000_000)),
            ("0.25", Ok(250_000_000)),
            ("-2", Ok(-2_000_000_000)),
            ("1e-3", Ok(1_000_000)),
            ("5m", Ok(300_000_000_000)),
            ("1h0m0s", Ok(3_600_000_000_000)),
            ("0", Ok(0)),
            ("", Err("cannot parse \"\" to a valid duration")),
            ("5 m", Err("cannot parse \"5 m\" to a valid duration")),
            ("-5m", Err("cannot parse \"-5m\" to a valid duration")),
            ("NaN", Ok(i64::MIN)),
            ("1e10", Err("cannot parse \"1e10\" to a valid duration. It overflows int64")),
            ("Inf", Err("cannot parse \"Inf\" to a valid duration. It overflows int64")),
        ] {
            assert_eq!(parse_duration(text), expected.map_err(str::to_owned), "{text}");
        }
    }
}
