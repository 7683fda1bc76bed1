//! When the counters began that the values of a chunk are readings of.
//!
//! ```text
//! starts   timestamps   when each run began, in ms; 0: not known
//! lengths  integers     only if there are several runs: of each run but the last, its values − 1
//! ```
//!
//! A counter keeps its start for as long as its process lives, so that most chunks have one run, of eight bytes. How many
//! values there are is not in the bytes. Starts that are different for every value (deltas that were pushed) are still a
//! line, which a column of timestamps takes cheaply.

use std::iter::repeat_n;
use std::ops::Range;

use crate::ints::{self, Column};
use crate::times::{self, Times};
use crate::wire::Reader;
use crate::{DecodeError, MAX_ROWS};

const WHAT: &str = "column of starts";

/// When the counters began whose readings consecutive values are.
///
/// Takes no memory beyond itself as long as no start is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    values: usize,
    // Runs of different starts with the value at which each ends; empty if no start is known.
    runs: Vec<(i64, usize)>,
}

impl Starts {
    /// Adds `count` values whose counter began at `start_ms`; 0: nobody knows when.
    pub fn push(&mut self, start_ms: i64, count: usize) {
        if count == 0 {
            return;
        }
        if self.runs.is_empty() && start_ms != 0 && self.values > 0 {
            self.runs.push((0, self.values));
        }
        self.values += count;
        match self.runs.last_mut() {
            Some((last, end)) if *last == start_ms => *end = self.values,
            None if start_ms == 0 => {}
            _ => self.runs.push((start_ms, self.values)),
        }
    }

    /// Adds the starts of `other` at the end.
    pub fn extend(&mut self, other: &Self) {
        for (start, values) in other.runs_within(0..other.values) {
            self.push(start, values.len());
        }
    }

    /// How many values they are of.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Whether no start is known. At no cost.
    pub fn are_unknown(&self) -> bool {
        self.runs.is_empty()
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.values = 0;
        self.runs.clear();
    }

    /// Appends the starts of a range of values, one for each.
    pub fn append_to(&self, values: Range<usize>, out: &mut Vec<i64>) {
        for (start, run) in self.runs_within(values) {
            out.extend(repeat_n(start, run.len()));
        }
    }

    fn runs_within(&self, values: Range<usize>) -> impl Iterator<Item = (i64, Range<usize>)> {
        let unknown = (self.runs.is_empty() && self.values > 0).then_some((0, self.values));
        let mut first = 0;
        self.runs.iter().copied().chain(unknown).filter_map(move |(start, end)| {
            let run = first.max(values.start)..end.min(values.end);
            first = end;
            (!run.is_empty()).then_some((start, run))
        })
    }

    /// Appends the column. Some start must be known: what has none leaves the column out.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(!self.are_unknown());
        let starts: Vec<i64> = self.runs.iter().map(|(start, _)| *start).collect();
        times::encode(&starts, out);
        let ends = self.runs.iter().map(|(_, end)| *end as i64);
        let mut lengths: Vec<i64> = ends.scan(0, |first, end| Some(end - std::mem::replace(first, end) - 1)).collect();
        lengths.pop();
        ints::encode(&mut lengths, out);
    }

    /// Reads the starts of `values` values, and returns the bytes after them.
    ///
    /// # Errors
    /// If the bytes are not the starts of that many values.
    pub(crate) fn decode(bytes: &[u8], values: usize) -> Result<(Self, &[u8]), DecodeError> {
        let (column, rest) = Times::parse(bytes)?;
        let runs = column.count();
        if runs == 0 || runs > values.min(MAX_ROWS) {
            return Err(DecodeError::Mismatch { what: "a number of runs of starts", found: runs, expected: values });
        }
        let mut starts = Vec::new();
        column.decode(&mut starts)?;
        let mut reader = Reader::new(WHAT, rest);
        let mut lengths = vec![0; runs - 1];
        if runs > 1 {
            Column::parse(&mut reader, runs - 1)?.decode(&mut lengths)?;
        }
        let mut decoded = Self::default();
        for (start, length) in starts.iter().zip(lengths) {
            let left = values - decoded.values;
            let length = usize::try_from(length).ok().filter(|length| *length + 1 < left);
            let length = length.ok_or(DecodeError::Truncated(WHAT))?;
            decoded.push(*start, length + 1);
        }
        decoded.push(starts[runs - 1], values - decoded.values);
        Ok((decoded, reader.rest()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn starts(all: &[i64]) -> Starts {
        let mut starts = Starts::default();
        all.iter().for_each(|start| starts.push(*start, 1));
        starts
    }

    /// Checks that the starts read back, and returns how many bytes they take.
    #[track_caller]
    fn check(all: &[i64]) -> usize {
        let column = starts(all);
        let mut listed = Vec::new();
        column.append_to(0..all.len(), &mut listed);
        assert_eq!(listed, all);
        assert_eq!(column.are_unknown(), all.iter().all(|start| *start == 0));
        if column.are_unknown() {
            return 0;
        }
        let mut bytes = Vec::new();
        column.encode(&mut bytes);
        let (decoded, rest) = Starts::decode(&bytes, all.len()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(decoded, column);
        for length in 0..bytes.len() {
            assert!(Starts::decode(&bytes[..length], all.len()).is_err(), "cut at {length}");
        }
        bytes.len()
    }

    #[test]
    fn usual_columns_are_small() {
        assert_eq!(check(&[0; 128]), 0);
        assert_eq!(check(&[1_700_000_000_000; 128]), 8);
        // A process that was started again.
        let restarted: Vec<i64> = (0..128).map(|value| 1_700_000_000_000 + 3_600_000 * (value / 50).min(1)).collect();
        assert_eq!(check(&restarted), 17);
        // Deltas: every value begins where the last one ended.
        let deltas: Vec<i64> = (0..128).map(|value| 1_700_000_000_000 + 15_000 * value).collect();
        assert_eq!(check(&deltas), 18);
    }

    #[test]
    fn starts_of_other_values_are_refused() {
        let mut bytes = Vec::new();
        starts(&[5, 6, 7]).encode(&mut bytes);
        assert!(Starts::decode(&bytes, 2).is_err());
        let mut none = Vec::new();
        times::encode(&[], &mut none);
        assert!(Starts::decode(&none, 3).is_err());
        assert!(Starts::decode(&bytes, 0).is_err());
    }

    proptest! {
        #[test]
        fn any_starts_read_back(runs in prop::collection::vec((0i64..4, 1..9usize), 0..30), wild in prop::collection::vec(any::<i64>(), 0..20)) {
            check(&runs.iter().flat_map(|(start, values)| vec![*start; *values]).collect::<Vec<_>>());
            check(&wild);
        }

        #[test]
        fn parts_follow_each_other(a in prop::collection::vec(0i64..3, 0..20), b in prop::collection::vec(0i64..3, 0..20), from in 0usize..20, to in 0usize..50) {
            let mut both = starts(&a);
            both.extend(&starts(&b));
            let all = [a, b].concat();
            prop_assert_eq!(&both, &starts(&all));
            let mut listed = Vec::new();
            both.append_to(from..to, &mut listed);
            let to = to.min(all.len());
            prop_assert_eq!(&listed[..], &all[from.min(to)..to]);
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..60), values in 0..200usize) {
            if let Ok((starts, _)) = Starts::decode(&bytes, values) {
                prop_assert_eq!(starts.values(), values);
            }
        }
    }
}
