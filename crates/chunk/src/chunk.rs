//! The unit that head, segments and blocks keep of a series: a column of samples and the rows they belong to.
//!
//! ```text
//! kind      u8       bits 0–5: 1 floats, 2 histograms; bit 6: starts are known; bit 7: some rows are not present
//! rows      varint   number of rows − 1
//! presence           only if announced, see `presence`
//! starts             only if announced, see `starts`
//! values             a column of that kind: the rows that are present
//! ```

use std::borrow::Borrow;
use std::fmt;
use std::iter::repeat_n;
use std::ops::Range;

use model::{Histogram, STALE_NAN, TimeRange, Timestamp};

use crate::presence::{Presence, State};
use crate::starts::Starts;
use crate::value::Value;
use crate::wire::{Reader, flag, put_varint};
use crate::{DecodeError, EncodeError, floats, histograms};

/// How many rows a column of timestamps or a chunk may have: a bound to what a few corrupt bytes can ask for.
pub const MAX_ROWS: usize = 1 << 16;

const WHAT: &str = "chunk";
const SOME_ABSENT: u8 = 0x80;
const SOME_STARTS: u8 = 0x40;

/// What the samples of a chunk are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Numbers.
    Floats = 1,
    /// Native histograms.
    Histograms = 2,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floats => "floats",
            Self::Histograms => "histograms",
        })
    }
}

/// Whether a reader wants staleness markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Markers {
    /// No: range vectors skip them.
    Skip,
    /// Yes, as [`STALE_NAN`]: an instant selector must see that the series ended.
    Keep,
}

/// Appends a chunk of floats of which nobody knows when their counters began.
///
/// # Panics
/// As [`encode_started_floats`].
pub fn encode_floats(presence: &Presence, values: &[f64], out: &mut Vec<u8>) {
    encode_started_floats(presence, &Starts::default(), values, out);
}

/// Appends a chunk of floats. `starts` may be empty, or are those of all values.
///
/// # Panics
/// If there are no rows or more than [`MAX_ROWS`], or not as many values as rows are present, or starts of other values.
pub fn encode_started_floats(presence: &Presence, starts: &Starts, values: &[f64], out: &mut Vec<u8>) {
    encode_head(Kind::Floats, presence, starts, values.len(), out);
    floats::encode(values, out);
}

/// Appends a chunk of histograms of which nobody knows when their counters began.
///
/// # Errors
/// As [`encode_started_histograms`].
///
/// # Panics
/// As [`encode_started_histograms`].
pub fn encode_histograms<H: Borrow<Histogram>>(
    presence: &Presence,
    values: &[H],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    encode_started_histograms(presence, &Starts::default(), values, out)
}

/// Appends a chunk of histograms. `starts` may be empty, or are those of all values.
///
/// # Errors
/// If [`histograms::encode`] refuses. Nothing was appended then.
///
/// # Panics
/// If there are no rows or more than [`MAX_ROWS`], or not as many values as rows are present, or starts of other values.
pub fn encode_started_histograms<H: Borrow<Histogram>>(
    presence: &Presence,
    starts: &Starts,
    values: &[H],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = out.len();
    encode_head(Kind::Histograms, presence, starts, values.len(), out);
    histograms::encode(values, out).inspect_err(|_| out.truncate(start))
}

fn encode_head(kind: Kind, presence: &Presence, starts: &Starts, values: usize, out: &mut Vec<u8>) {
    let rows = presence.rows();
    assert!((1..=MAX_ROWS).contains(&rows), "{rows} rows in one chunk");
    assert_eq!(presence.values(), values, "values for other rows");
    let (all, known) = (presence.is_all(), !starts.are_unknown());
    out.push(kind as u8 | flag(!all, SOME_ABSENT) | flag(known, SOME_STARTS));
    put_varint(rows as u64 - 1, out);
    if !all {
        presence.encode(out);
    }
    if known {
        assert_eq!(starts.values(), values, "starts of other values");
        starts.encode(out);
    }
}

/// A chunk, found but not decoded.
///
/// The timestamps of its rows are a column of their own, which all series of a target share. A series that changes
/// between floats and histograms has two chunks of the same rows, each absent where the other is present.
#[derive(Clone, Debug)]
pub struct Chunk<'a> {
    kind: Kind,
    presence: Presence,
    starts: Starts,
    values: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Reads all but the values, which are the rest of the bytes. Takes memory only if rows are missing or starts are known.
    ///
    /// # Errors
    /// If the bytes do not begin like a chunk.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        let tag = reader.byte()?;
        let kind =
            [Kind::Floats, Kind::Histograms].into_iter().find(|kind| *kind as u8 == tag & !(SOME_ABSENT | SOME_STARTS));
        let kind = kind.ok_or(DecodeError::UnknownTag { what: WHAT, tag })?;
        let rows = reader.count("a chunk's number of rows", MAX_ROWS - 1)? + 1;
        let (presence, rest) = if tag & SOME_ABSENT == 0 {
            (Presence::all(rows), reader.rest())
        } else {
            Presence::decode(reader.rest(), rows)?
        };
        let (starts, values) =
            if tag & SOME_STARTS == 0 { (Starts::default(), rest) } else { Starts::decode(rest, presence.values())? };
        Ok(Self { kind, presence, starts, values })
    }

    /// What its samples are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which rows have a sample.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// When the counters of the values began; of no values if that is not known of any.
    pub fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Appends the values of the rows that are present, in order, without markers.
    ///
    /// # Errors
    /// If the chunk is corrupt or of another kind. Nothing was appended then.
    pub fn values<V: Value>(&self, out: &mut Vec<V>) -> Result<(), DecodeError> {
        self.check_kind(V::KIND)?;
        let start = out.len();
        let decoded = V::decode(self.values, self.presence.values(), out);
        let ended = decoded.and_then(|rest| Reader::new(WHAT, rest).end());
        ended.inspect_err(|_| out.truncate(start))
    }

    /// Appends the samples within a range of time. `times` are the timestamps of all rows, ascending.
    ///
    /// Decodes all values once, whatever the range: a column has no index.
    ///
    /// # Errors
    /// If the chunk is corrupt, of another kind, or has another number of rows. Nothing was appended then.
    pub fn read_into<V: Value>(
        &self,
        times: &[i64],
        range: TimeRange,
        markers: Markers,
        out_times: &mut Vec<i64>,
        out_values: &mut Vec<V>,
    ) -> Result<(), DecodeError> {
        let rows = self.rows_within(times, range)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut at = out_values.len();
        self.values(out_values)?;
        out_values.truncate(at + self.presence.values_before(rows.end));
        out_values.drain(at..at + self.presence.values_before(rows.start));
        for (state, run) in self.presence.runs_within(rows) {
            match (state, markers) {
                (State::Present, _) => {}
                (State::Stale, Markers::Keep) => {
                    out_values.splice(at..at, repeat_n(V::marker(), run.len()));
                }
                _ => continue,
            }
            at += run.len();
            out_times.extend_from_slice(&times[run]);
        }
        Ok(())
    }

    /// Appends, for each sample that [`read_into`](Self::read_into) appends, when its counter began, in ms: 0 where that is
    /// not known, as of markers. Nothing at all, and at no cost, if no start is known.
    ///
    /// # Errors
    /// If the chunk has another number of rows. Nothing was appended then.
    pub fn read_starts_into(
        &self,
        times: &[i64],
        range: TimeRange,
        markers: Markers,
        out: &mut Vec<i64>,
    ) -> Result<(), DecodeError> {
        if self.starts.are_unknown() {
            return Ok(());
        }
        let rows = self.rows_within(times, range)?;
        let mut at = self.presence.values_before(rows.start);
        for (state, run) in self.presence.runs_within(rows) {
            match (state, markers) {
                (State::Present, _) => {
                    self.starts.append_to(at..at + run.len(), out);
                    at += run.len();
                }
                (State::Stale, Markers::Keep) => out.extend(repeat_n(0, run.len())),
                _ => {}
            }
        }
        Ok(())
    }

    /// The rows within a range of time.
    fn rows_within(&self, times: &[i64], range: TimeRange) -> Result<Range<usize>, DecodeError> {
        let rows = self.presence.rows();
        if times.len() != rows {
            return Err(DecodeError::Mismatch { what: "a chunk's number of rows", found: rows, expected: times.len() });
        }
        let first_not_before = |time: Timestamp| times.partition_point(|t| *t < time.as_ms());
        Ok(first_not_before(range.start())..first_not_before(range.end()))
    }

    /// The last row that is not absent, and its value, which may be [`STALE_NAN`]; `None` if all are absent.
    ///
    /// Does not decode the other values.
    ///
    /// # Errors
    /// If the chunk is not one of floats, or is seen to be corrupt.
    pub fn last_float(&self) -> Result<Option<(usize, f64)>, DecodeError> {
        self.check_kind(Kind::Floats)?;
        match self.presence.runs().filter(|(state, _)| *state != State::Absent).last() {
            None => Ok(None),
            Some((State::Stale, rows)) => Ok(Some((rows.end - 1, STALE_NAN))),
            Some((_, rows)) => {
                let value = floats::last(self.values, self.presence.values())?;
                Ok(value.map(|value| (rows.end - 1, value)))
            }
        }
    }

    fn check_kind(&self, wanted: Kind) -> Result<(), DecodeError> {
        if self.kind != wanted {
            return Err(DecodeError::WrongKind { found: self.kind, wanted });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
