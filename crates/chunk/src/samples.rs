//! Samples before they are a chunk.

use model::Histogram;

use crate::presence::{Presence, State};
use crate::starts::Starts;
use crate::value::Value;
use crate::{Chunk, DecodeError, EncodeError, chunk};

/// The samples of one series, row by row: what becomes a chunk.
///
/// Staleness markers are told from values here, so that a caller can push what it scraped.
#[derive(Clone, Debug)]
pub struct Samples<V> {
    presence: Presence,
    starts: Starts,
    values: Vec<V>,
}

impl<V> Default for Samples<V> {
    fn default() -> Self {
        Self { presence: Presence::default(), starts: Starts::default(), values: Vec::new() }
    }
}

impl<V: Value> Samples<V> {
    /// Adds a row: a value, a staleness marker, or nothing.
    pub fn push(&mut self, value: Option<V>) {
        self.push_started(value, 0);
    }

    /// [`push`](Self::push) with the time, in ms, at which the counter began; 0: nobody knows. Markers have none.
    pub fn push_started(&mut self, value: Option<V>, start_ms: i64) {
        match value {
            None => self.presence.push(State::Absent, 1),
            Some(value) if value.is_marker() => self.presence.push(State::Stale, 1),
            Some(value) => {
                self.presence.push(State::Present, 1);
                self.starts.push(start_ms, 1);
                self.values.push(value);
            }
        }
    }

    /// Adds the rows of a chunk: what makes one of several.
    ///
    /// # Errors
    /// If the chunk is corrupt or of another kind. Nothing was added then.
    pub fn extend(&mut self, chunk: &Chunk<'_>) -> Result<(), DecodeError> {
        chunk.values(&mut self.values)?;
        if chunk.starts().are_unknown() {
            self.starts.push(0, chunk.presence().values());
        } else {
            self.starts.extend(chunk.starts());
        }
        self.presence.extend(chunk.presence());
        Ok(())
    }

    /// How many rows there are, with a value or without.
    pub fn rows(&self) -> usize {
        self.presence.rows()
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.presence = Presence::default();
        self.starts.clear();
        self.values.clear();
    }
}

impl Samples<f64> {
    /// Appends the rows as a chunk.
    ///
    /// # Panics
    /// If there are no rows, or more than [`MAX_ROWS`](crate::MAX_ROWS).
    pub fn encode(&self, out: &mut Vec<u8>) {
        chunk::encode_started_floats(&self.presence, &self.starts, &self.values, out);
    }
}

impl Samples<Histogram> {
    /// Appends the rows as a chunk.
    ///
    /// # Errors
    /// If [`histograms::encode`](crate::histograms::encode) refuses. Nothing was appended then.
    ///
    /// # Panics
    /// If there are no rows, or more than [`MAX_ROWS`](crate::MAX_ROWS).
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        chunk::encode_started_histograms(&self.presence, &self.starts, &self.values, out)
    }
}
