//! Which rows of a series have a value.
//!
//! ```text
//! tag 0   every row is present
//! tag 1   runs: varint count, then for each a varint: (rows − 1) · 4 + state
//! tag 2   two bits a row
//! ```
//!
//! States: 0 present, 1 absent, 2 stale. Of runs and bits the shorter is written. The number of rows is not in the bytes.

use std::ops::Range;

use crate::wire::{Reader, put_varint};
use crate::{DecodeError, bits};

const ALL: u8 = 0;
const RUNS: u8 = 1;
const BITS: u8 = 2;
const STATE_WIDTH: u32 = 2;

/// What a row says about a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It has a value.
    Present = 0,
    /// Nothing.
    Absent = 1,
    /// It ended here: the row has a staleness marker. Markers never stand among the values, where they would spoil the
    /// coding of their neighbours.
    Stale = 2,
}

/// The states of consecutive rows.
///
/// Takes no memory beyond itself as long as every row is present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    rows: usize,
    // Runs of different states with the row at which each ends; empty if all rows are present.
    runs: Vec<(State, usize)>,
}

impl Presence {
    /// `rows` rows, all present.
    pub fn all(rows: usize) -> Self {
        Self { rows, runs: Vec::new() }
    }

    /// Adds `count` rows in the same state at the end.
    pub fn push(&mut self, state: State, count: usize) {
        if count == 0 {
            return;
        }
        if self.runs.is_empty() && state != State::Present && self.rows > 0 {
            self.runs.push((State::Present, self.rows));
        }
        let needs_runs = !self.runs.is_empty() || state != State::Present;
        self.rows += count;
        match self.runs.last_mut() {
            Some((last, end)) if *last == state => *end = self.rows,
            _ if needs_runs => self.runs.push((state, self.rows)),
            _ => {}
        }
    }

    /// Adds the rows of `other` at the end.
    pub fn extend(&mut self, other: &Self) {
        for (state, rows) in other.runs() {
            self.push(state, rows.len());
        }
    }

    /// How many rows there are, present or not.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many rows have a value.
    pub fn values(&self) -> usize {
        self.values_before(self.rows)
    }

    /// How many of the first `row` rows have a value: where the value of row `row` stands among the values.
    pub fn values_before(&self, row: usize) -> usize {
        self.runs_within(0..row).filter(|(state, _)| *state == State::Present).map(|(_, rows)| rows.len()).sum()
    }

    /// Whether every row is present. At no cost.
    pub fn is_all(&self) -> bool {
        self.runs.is_empty()
    }

    /// The longest runs of rows in the same state, in order.
    pub fn runs(&self) -> impl Iterator<Item = (State, Range<usize>)> {
        self.runs_within(0..self.rows)
    }

    /// [`runs`](Self::runs), as far as they lie in a range of rows.
    pub fn runs_within(&self, rows: Range<usize>) -> impl Iterator<Item = (State, Range<usize>)> {
        let all = (self.runs.is_empty() && self.rows > 0).then_some((State::Present, self.rows));
        let mut start = 0;
        self.runs.iter().copied().chain(all).filter_map(move |(state, end)| {
            let run = start.max(rows.start)..end.min(rows.end);
            start = end;
            (!run.is_empty()).then_some((state, run))
        })
    }

    /// Appends the states; one byte if all rows are present.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if self.is_all() {
            return out.push(ALL);
        }
        let start = out.len();
        out.push(RUNS);
        put_varint(self.runs.len() as u64, out);
        for (state, rows) in self.runs() {
            put_varint((rows.len() as u64 - 1) << STATE_WIDTH | state as u64, out);
        }
        if out.len() - start > 1 + bits::packed_len(self.rows, STATE_WIDTH) {
            out.truncate(start);
            out.push(BITS);
            let mut states = Vec::with_capacity(self.rows);
            for (state, rows) in self.runs() {
                states.resize(rows.end, state as u64);
            }
            bits::pack(states.into_iter(), STATE_WIDTH, out);
        }
    }

    /// Reads the states of `rows` rows, and returns the bytes after them.
    ///
    /// # Errors
    /// If the bytes are not the states of that many rows.
    pub fn decode(bytes: &[u8], rows: usize) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = Reader::new("presence column", bytes);
        let mut presence = Self::default();
        match reader.byte()? {
            ALL => presence.rows = rows,
            RUNS => {
                for _ in 0..reader.count("a number of runs", rows)? {
                    let run = reader.varint()?;
                    let left = rows - presence.rows;
                    let length = usize::try_from(run >> STATE_WIDTH).ok().filter(|length| *length < left);
                    let length = length.ok_or(DecodeError::TooLarge {
                        what: "a run of rows",
                        value: (run >> STATE_WIDTH) + 1,
                        limit: left as u64,
                    })?;
                    presence.push(state(run & 3)?, length + 1);
                }
            }
            BITS => {
                let packed = reader.take(bits::packed_len(rows, STATE_WIDTH))?;
                for row in 0..rows {
                    presence.push(state(bits::get(packed, STATE_WIDTH, row))?, 1);
                }
            }
            tag => {
                return Err(DecodeError::UnknownTag { what: "presence column", tag });
            }
        }
        if presence.rows != rows {
            return Err(DecodeError::Mismatch {
                what: "a presence column's number of rows",
                found: presence.rows,
                expected: rows,
            });
        }
        Ok((presence, reader.rest()))
    }
}

fn state(code: u64) -> Result<State, DecodeError> {
    match code {
        0 => Ok(State::Present),
        1 => Ok(State::Absent),
        2 => Ok(State::Stale),
        value => Err(DecodeError::TooLarge { what: "the state of a row", value, limit: 2 }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [State; 3] = [State::Present, State::Absent, State::Stale];

    fn presence(states: &[State]) -> Presence {
        let mut presence = Presence::default();
        for state in states {
            presence.push(*state, 1);
        }
        presence
    }

    /// Checks that the states read back, and returns how many bytes they take.
    #[track_caller]
    fn check(states: &[State]) -> usize {
        let presence = presence(states);
        let mut bytes = Vec::new();
        presence.encode(&mut bytes);
        let (decoded, rest) = Presence::decode(&bytes, states.len()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(decoded, presence);
        let listed: Vec<_> = decoded.runs().flat_map(|(state, rows)| rows.map(move |_| state)).collect();
        assert_eq!(listed, states);
        assert_eq!(decoded.values(), states.iter().filter(|state| **state == State::Present).count());
        for length in 0..bytes.len() {
            assert!(Presence::decode(&bytes[..length], states.len()).is_err(), "cut at {length}");
        }
        bytes.len()
    }

    #[test]
    fn usual_columns_are_small() {
        let states = |state: fn(usize) -> State| (0..128).map(state).collect::<Vec<_>>();
        assert_eq!(check(&[]), 1);
        assert_eq!(check(&states(|_| State::Present)), 1);
        assert_eq!(check(&states(|_| State::Absent)), 4);
        // It ends within the chunk.
        assert_eq!(check(&states(|row| STATES[usize::from(row > 20) + usize::from(row == 21)])), 6);
        // Every other row.
        assert_eq!(check(&states(|row| STATES[row % 2])), 33);
    }

    #[test]
    fn wrong_numbers_of_rows_are_refused() {
        let mut bytes = Vec::new();
        presence(&[vec![State::Present; 40], vec![State::Stale]].concat()).encode(&mut bytes);
        let run = DecodeError::TooLarge { what: "a run of rows", value: 1, limit: 0 };
        assert_eq!(Presence::decode(&bytes, 40), Err(run));
        let sum = DecodeError::Mismatch { what: "a presence column's number of rows", found: 41, expected: 42 };
        assert_eq!(Presence::decode(&bytes, 42), Err(sum));
    }

    proptest! {
        #[test]
        fn any_states_read_back(runs in prop::collection::vec((0..3usize, 1..50usize), 0..40)) {
            check(&runs.iter().flat_map(|(state, rows)| vec![STATES[*state]; *rows]).collect::<Vec<_>>());
        }

        #[test]
        fn values_are_counted_from_any_row(states in prop::collection::vec(prop::sample::select(STATES.to_vec()), 0..60), row in 0..70usize) {
            let before = states.iter().take(row).filter(|state| **state == State::Present).count();
            prop_assert_eq!(presence(&states).values_before(row), before);
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..60), rows in 0..200usize) {
            if let Ok((presence, _)) = Presence::decode(&bytes, rows) {
                prop_assert_eq!(presence.rows(), rows);
            }
        }
    }
}
