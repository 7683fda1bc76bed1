//! Columns of timestamps, in milliseconds.
//!
//! ```text
//! tag     u8      0
//! count   varint
//! first   signed
//! span    signed  last − first
//! step    signed  distance of the expected timestamps, less span / (count − 1)
//! jitter          integers: each timestamp less (first + i · step)
//! ```
//!
//! What follows `count` is left out for no timestamps, what follows `first` for one.
//! A page is scraped at planned times, so that what is late does not delay the next: jitter against the plan is half of
//! that between neighbours. The step is not the mean alone since jitter at an end would tilt the whole line.

use crate::ints::{self, Column};
use crate::wire::{Reader, put_signed, put_varint};
use crate::{DecodeError, MAX_ROWS};

const WHAT: &str = "column of timestamps";
const TAG: u8 = 0;

/// Appends a column of timestamps: ascending in practice, any in principle.
///
/// # Panics
/// If there are more than [`MAX_ROWS`].
pub fn encode(times: &[i64], out: &mut Vec<u8>) {
    assert!(times.len() <= MAX_ROWS, "{} timestamps in one column", times.len());
    out.push(TAG);
    put_varint(times.len() as u64, out);
    let Some((&first, &last)) = times.first().zip(times.last()) else {
        return;
    };
    put_signed(first, out);
    if times.len() == 1 {
        return;
    }
    let span = last.wrapping_sub(first);
    let mean = mean_step(span, times.len());
    let step = round_step(mean);
    put_signed(span, out);
    put_signed(step.wrapping_sub(mean), out);
    let planned = (0..).map(|i| planned(first, step, i));
    let mut jitter: Vec<_> = times.iter().zip(planned).map(|(time, planned)| time.wrapping_sub(planned)).collect();
    ints::encode(&mut jitter, out);
}

fn mean_step(span: i64, count: usize) -> i64 {
    span / (count as i64 - 1)
}

/// The scrape interval that was likely meant: a multiple of 100 ms if one is very near.
fn round_step(mean: i64) -> i64 {
    let round = mean.saturating_add(50).div_euclid(100) * 100;
    if round.abs_diff(mean) <= 2 { round } else { mean }
}

fn planned(first: i64, step: i64, i: usize) -> i64 {
    first.wrapping_add(step.wrapping_mul(i as i64))
}

/// A column of timestamps, found but not decoded.
pub struct Times<'a> {
    count: usize,
    first: i64,
    last: i64,
    step: i64,
    // None where `first` says all.
    jitter: Option<Column<'a>>,
}

impl<'a> Times<'a> {
    /// Finds the parts of a column, and returns the bytes after it. Cost does not depend on the number of timestamps.
    ///
    /// # Errors
    /// If the bytes are no column of timestamps.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        let tag = reader.byte()?;
        if tag != TAG {
            return Err(DecodeError::UnknownTag { what: WHAT, tag });
        }
        let count = reader.count("a number of timestamps", MAX_ROWS)?;
        let first = if count > 0 { reader.signed()? } else { 0 };
        let mut times = Self { count, first, last: first, step: 0, jitter: None };
        if count > 1 {
            let span = reader.signed()?;
            times.last = first.wrapping_add(span);
            times.step = mean_step(span, count).wrapping_add(reader.signed()?);
            times.jitter = Some(Column::parse(&mut reader, count)?);
        }
        Ok((times, reader.rest()))
    }

    /// How many timestamps there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first and the last timestamp; `None` if there is none.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        (self.count > 0).then_some((self.first, self.last))
    }

    /// Appends the timestamps.
    ///
    /// # Errors
    /// If the column is corrupt. Nothing was appended then.
    pub fn decode(&self, times: &mut Vec<i64>) -> Result<(), DecodeError> {
        let start = times.len();
        times.resize(start + self.count, self.first);
        let Some(jitter) = &self.jitter else { return Ok(()) };
        if let Err(error) = jitter.decode(&mut times[start..]) {
            times.truncate(start);
            return Err(error);
        }
        for (i, time) in times[start..].iter_mut().enumerate() {
            *time = time.wrapping_add(planned(self.first, self.step, i));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks that the column reads back, and returns how many bytes it takes.
    #[track_caller]
    fn check(times: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode(times, &mut bytes);
        let (column, rest) = Times::parse(&bytes).unwrap();
        assert!(rest.is_empty());
        assert_eq!(column.count(), times.len());
        assert_eq!(column.bounds(), times.first().copied().zip(times.last().copied()));
        let mut decoded = vec![7];
        column.decode(&mut decoded).unwrap();
        assert_eq!(decoded[1..], *times);
        for length in 0..bytes.len() {
            assert!(Times::parse(&bytes[..length]).is_err(), "cut at {length}");
        }
        bytes.len()
    }

    /// 120 timestamps 15 s apart, each late by what `jitter` says.
    fn late(jitter: impl Fn(i64) -> i64) -> Vec<i64> {
        (0..120).map(|i| 1_700_000_000_000 + 15_000 * i + jitter(i)).collect()
    }

    #[test]
    fn regular_times_are_nearly_free() {
        assert_eq!(check(&[]), 2);
        assert_eq!(check(&[1_700_000_000_000]), 8);
        assert_eq!(check(&late(|_| 0)), 15);
        // Two bits each.
        assert_eq!(check(&late(|i| i * i * i % 4)), 15 + 30);
        // A late end does not tilt the line; a gap is one patch.
        assert!(check(&late(|i| if i == 119 { 190 } else { 0 })) < 25);
        assert!(check(&late(|i| if i > 50 { 600_000 } else { 0 })) < 29);
    }

    #[test]
    fn extremes_read_back() {
        check(&[i64::MIN, i64::MAX]);
        check(&[i64::MAX, i64::MIN, 0]);
        check(&[5, 5, 5]);
        check(&[9, 7, 5]);
    }

    proptest! {
        #[test]
        fn any_times_read_back(times in prop::collection::vec(any::<i64>(), 0..100), steps in prop::collection::vec(0..40_000i64, 0..200)) {
            check(&times);
            let mut now = 0;
            check(&steps.iter().map(|step| { now += step; now }).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok((column, _)) = Times::parse(&bytes) {
                let mut times = Vec::new();
                let decoded = column.decode(&mut times);
                prop_assert_eq!(times.len(), if decoded.is_ok() { column.count() } else { 0 });
            }
        }
    }
}
