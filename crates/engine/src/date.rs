//! Parts of dates, in UTC.

const DAY_SECONDS: i64 = 86_400;
/// The days from the first one that Go knows to the epoch.
const FIRST_DAY: i64 = 106_751_991_073_400;

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatePart {
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

impl DatePart {
    pub(crate) fn find(function: &str) -> Option<Self> {
        Some(match function {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day_of_week" => Self::DayOfWeek,
            "day_of_month" => Self::DayOfMonth,
            "day_of_year" => Self::DayOfYear,
            "days_in_month" => Self::DaysInMonth,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// The part of the date that is so many seconds after the epoch. Fractions of seconds do not count.
    pub(crate) fn of_seconds(self, seconds: f64) -> f64 {
        // What no number of seconds can be becomes what it becomes on the machines that Prometheus runs on.
        let is_in_range = (i64::MIN as f64..i64::MAX as f64).contains(&seconds);
        self.of(if is_in_range { seconds as i64 } else { i64::MIN }) as f64
    }

    fn of(self, seconds: i64) -> i64 {
        // Go counts from a day long before the epoch, with 64 bits: times beyond come round from the other end.
        let seconds = (seconds as u64).wrapping_add(FIRST_DAY as u64 * DAY_SECONDS as u64);
        let days = (seconds / DAY_SECONDS as u64) as i64 - FIRST_DAY;
        let seconds_of_day = (seconds % DAY_SECONDS as u64) as i64;
        let date = Date::from_days(days);
        match self {
            Self::Minute => seconds_of_day % 3600 / 60,
            Self::Hour => seconds_of_day / 3600,
            // The epoch was a Thursday.
            Self::DayOfWeek => (days + 4).rem_euclid(7),
            Self::DayOfMonth => date.day,
            Self::DayOfYear => days - days_before_year(date.year) + 1,
            Self::DaysInMonth => days_in_month(date.year, date.month),
            Self::Month => date.month,
            Self::Year => date.year,
        }
    }
}

/// `2026-08-21T16:53:52Z`, to the second.
pub(crate) fn rfc3339(ms: i64) -> String {
    let seconds = ms / 1000;
    let Date { year, month, day } = Date::from_days(seconds.div_euclid(DAY_SECONDS));
    let of_day = seconds.rem_euclid(DAY_SECONDS);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

struct Date {
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
}

impl Date {
    /// The date so many days after 1970-01-01, in the Gregorian calendar.
    fn from_days(days: i64) -> Self {
        // Years begin in March here, so that leap days come last: months then have a regular length.
        const DAYS_IN_400_YEARS: i64 = 146_097;
        const MARCH_OF_YEAR_0: i64 = 719_468;
        let shifted = days + MARCH_OF_YEAR_0;
        let era = shifted.div_euclid(DAYS_IN_400_YEARS);
        let day_of_era = shifted.rem_euclid(DAYS_IN_400_YEARS);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }
}

/// Days from 1970-01-01 to the first of January of a year.
fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 477
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_taken_apart() {
        let parts = |seconds: i64| {
            use DatePart::{DayOfMonth, DayOfWeek, DayOfYear, DaysInMonth, Hour, Minute, Month, Year};
            [Year, Month, DayOfMonth, Hour, Minute, DayOfWeek, DayOfYear, DaysInMonth].map(|part| part.of(seconds))
        };
        assert_eq!(parts(0), [1970, 1, 1, 0, 0, 4, 1, 31]);
        assert_eq!(parts(-1), [1969, 12, 31, 23, 59, 3, 365, 31]);
        assert_eq!(parts(951_827_696), [2000, 2, 29, 12, 34, 2, 60, 29]);
        assert_eq!(parts(4_107_542_399), [2100, 2, 28, 23, 59, 0, 59, 28]);
        assert_eq!(parts(1_483_228_799), [2016, 12, 31, 23, 59, 6, 366, 31]);
        assert_eq!(rfc3339(951_827_696_789), "2000-02-29T12:34:56Z");
    }

    #[test]
    fn what_is_no_time_does_no_harm() {
        for seconds in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, -1e18] {
            assert!(DatePart::Year.of_seconds(seconds).is_finite());
        }
        assert_eq!(DatePart::Minute.of_seconds(119.9), 1.0);
    }
}
