//! Times in parameters and answers.

use model::{Timestamp, quote};

use super::float::parse_float;

const DAY_SECONDS: i64 = 86_400;

/// Times that clients send for "unbounded", which are none of RFC 3339: their years have too many digits.
const UNBOUNDED: [(&str, i64); 2] = [
    ("-292273086-05-16T16:47:06Z", -9_223_309_901_257_974_000),
    ("292277025-08-18T07:12:54.999999999Z", 9_223_309_901_257_974_999),
];

/// Reads a time: seconds since the epoch, of which fractions are rounded to milliseconds, or RFC 3339.
///
/// # Errors
/// The message says that it is none.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    let seconds = parse_float(text).filter(|seconds| seconds.is_finite());
    let unbounded = || UNBOUNDED.iter().find(|(known, _)| *known == text).map(|(_, ms)| *ms);
    let ms = seconds.map(seconds_to_ms).or_else(|| parse_rfc3339(text)).or_else(unbounded);
    ms.map(Timestamp).ok_or_else(|| format!("cannot parse {} to a valid timestamp", quote(text)))
}

/// A time as `2026-08-21T16:53:52.5Z`, with as many decimals as it needs.
pub fn rfc3339(time: Timestamp) -> String {
    let (seconds, ms) = (time.as_ms().div_euclid(1000), time.as_ms().rem_euclid(1000));
    let (year, month, day) = date_of_days(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = format!(".{ms:03}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// As Go computes it, so that the same millisecond comes out. Stops at the ends of time.
fn seconds_to_ms(seconds: f64) -> i64 {
    let fraction = (seconds.fract() * 1000.0).round() / 1000.0;
    let nanoseconds = (fraction * 1e9) as i64;
    (seconds.trunc() as i64).saturating_mul(1000).saturating_add(nanoseconds.div_euclid(1_000_000))
}

/// `2026-08-21T16:53:52.123456789+02:00`; digits beyond milliseconds are cut off.
///
/// An hour may have one digit, which the standard does not know and Go takes.
fn parse_rfc3339(text: &str) -> Option<i64> {
    if text.as_bytes().get(12) == Some(&b':') && text.is_char_boundary(11) {
        return parse_padded_rfc3339(&format!("{}0{}", &text[..11], &text[11..]));
    }
    parse_padded_rfc3339(text)
}

fn parse_padded_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let digits = |at: usize, count: usize| -> Option<i64> {
        let digits = bytes.get(at..at + count)?;
        let is_number = digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    };
    let stands = |at: usize, what: u8| bytes.get(at) == Some(&what);
    let separated = stands(4, b'-') && stands(7, b'-') && stands(10, b'T') && stands(13, b':') && stands(16, b':');
    if !separated {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
    let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
    let days = days_of_date(year, month, day)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &text[19..];
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let count = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return None;
        }
        ms = format!("{:0<3}", &fraction[..count])[..3].parse().ok()?;
        rest = &fraction[count..];
    }
    let seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - parse_offset(rest)?;
    Some(seconds * 1000 + ms)
}

/// The seconds in `Z` and `+02:00`.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.as_bytes() {
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let part = |range: std::ops::Range<usize>, below: i64| -> Option<i64> {
        let part = text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse().ok().filter(|part| *part < below)
    };
    Some(sign * (part(1..3, 24)? * 3600 + part(4..6, 60)? * 60))
}

/// Days since the epoch; `None` for a date that is none.
fn days_of_date(year: i64, month: i64, day: i64) -> Option<i64> {
    // Years begin in March here, so that the leap day is the last one.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    (date_of_days(days) == (year, month, day)).then_some(days)
}

/// Year, month and day.
fn date_of_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, expected) in [
            ("2020-01-01T1:00:00Z", 1_577_840_400_000),
            ("0", 0),
            ("1435781451.781", 1_435_781_451_781),
            ("1435781451.7814", 1_435_781_451_781),
            ("123.5e2", 12_350_000),
            ("-0.5", -500),
            ("1e300", i64::MAX),
            ("2015-06-03T13:21:58.555Z", 1_433_337_718_555),
            ("2015-06-03T14:21:58.555999+01:00", 1_433_337_718_555),
            ("2015-06-03T13:21:58,5Z", 1_433_337_718_500),
            ("1969-12-31T23:59:59Z", -1000),
            ("2024-02-29T00:00:00-00:30", 1_709_166_600_000),
            ("-292273086-05-16T16:47:06Z", -9_223_309_901_257_974_000),
            ("292277025-08-18T07:12:54.999999999Z", 9_223_309_901_257_974_999),
        ] {
            assert_eq!(parse_time(text), Ok(Timestamp(expected)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "x",
            "Inf",
            "NaN",
            "30s",
            "2015-02-29T00:00:00Z",
            "2015-13-01T00:00:00Z",
            "2015-06-31T00:00:00Z",
            "2015-06-03 13:21:58Z",
            "2015-06-03T24:00:00Z",
            "2015-06-03T13:21:58.Z",
            "2015-06-03T13:21:58",
            "2015-06-03T13:21:58+0100",
        ] {
            assert_eq!(parse_time(text), Err(format!("cannot parse \"{text}\" to a valid timestamp")));
        }
    }

    #[test]
    fn times_are_written_with_the_decimals_they_need() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_433_337_718_550, "2015-06-03T13:21:58.55Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(Timestamp(ms)), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ms in -62_135_596_800_000i64..253_402_300_799_999) {
            prop_assert_eq!(parse_time(&rfc3339(Timestamp(ms))), Ok(Timestamp(ms)));
        }

        #[test]
        fn any_text_is_a_time_or_not(text in "[0-9TZ:.,+é-]{0,35}") {
            let _ = parse_time(&text);
        }
    }
}
