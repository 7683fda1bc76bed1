//! The columns of timestamps of a block: the pages that hold them, and the directory that says where they are.
//!
//! ```text
//! times page   columns of timestamps, see docs/formats/chunk.md, one after another
//!
//! directory    lengths  column   of each column of timestamps: its bytes
//!              base     signed   the smallest of the first timestamps
//!              firsts   column   of each: its first timestamp, less base
//!              spans    column   of each: ms from the first to the last
//! ```
//!
//! Columns are numbered in the order in which they lie in the pages.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use chunk::DecodeError;
use chunk::times::Times;
use chunk::wire::{Reader, put_signed};
use foldhash::fast::FixedState;
use xxhash_rust::xxh3::xxh3_128;

use crate::column::{self, Column};
use crate::error::{Damage, WriteError};

/// How many bytes of columns share a checksum.
const PAGE_BYTES: usize = 32 << 10;
/// The most columns that a block has.
pub(crate) const MAX_COLUMNS: usize = 1 << 22;

/// A column of timestamps of the block that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimesRef(u32);

impl TimesRef {
    pub(crate) fn index(self) -> u64 {
        u64::from(self.0)
    }
}

/// Collects columns of timestamps, each once.
#[derive(Default)]
pub(crate) struct TimesBuilder {
    bytes: Vec<u8>,
    columns: Vec<ColumnEntry>,
    known: HashMap<u128, TimesRef, FixedState>,
}

/// Where a column is, and what chunks that refer to it must know.
pub(crate) struct ColumnEntry {
    range: Range<usize>,
    pub(crate) count: usize,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl TimesBuilder {
    /// Adds a column, or finds it if it was added before.
    pub(crate) fn add(&mut self, encoded: &[u8]) -> Result<TimesRef, WriteError> {
        let hash = xxh3_128(encoded);
        if let Some(known) = self.known.get(&hash)
            && self.encoded(*known) == encoded
        {
            return Ok(*known);
        }
        let times = decode(encoded)?;
        let (Some(first), Some(last), true) = (times.first(), times.last(), times.is_sorted_by(|a, b| a < b)) else {
            return Err(WriteError::TimesOrder);
        };
        if self.columns.len() == MAX_COLUMNS {
            return Err(WriteError::TooLarge {
                what: "number of columns of timestamps",
                size: MAX_COLUMNS + 1,
                limit: MAX_COLUMNS,
            });
        }
        let range = self.bytes.len()..self.bytes.len() + encoded.len();
        self.bytes.extend_from_slice(encoded);
        self.columns.push(ColumnEntry { range, count: times.len(), first: *first, last: *last });
        let new = TimesRef(self.columns.len() as u32 - 1);
        self.known.insert(hash, new);
        Ok(new)
    }

    pub(crate) fn get(&self, times: TimesRef) -> Option<&ColumnEntry> {
        self.columns.get(times.0 as usize)
    }

    /// The timestamps of a column that was added.
    pub(crate) fn decoded(&self, times: TimesRef) -> Vec<i64> {
        decode(self.encoded(times)).expect("it was decoded when it was added")
    }

    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The pages, each with the number of columns in it.
    pub(crate) fn pages(&self) -> Vec<(usize, &[u8])> {
        let mut pages = Vec::new();
        let mut columns = &self.columns[..];
        while let Some(first) = columns.first() {
            let fits = columns.partition_point(|column| column.range.end <= first.range.start + PAGE_BYTES).max(1);
            let (page, rest) = columns.split_at(fits);
            pages.push((fits, &self.bytes[first.range.start..page[fits - 1].range.end]));
            columns = rest;
        }
        pages
    }

    /// The directory, not compressed.
    pub(crate) fn directory(&self) -> Vec<u8> {
        let base = self.columns.iter().map(|column| column.first).min().unwrap_or_default();
        let mut directory = Vec::new();
        column::encode(self.columns.iter().map(|column| column.range.len() as u64), &mut directory);
        put_signed(base, &mut directory);
        column::encode(self.columns.iter().map(|column| column.first.abs_diff(base)), &mut directory);
        column::encode(self.columns.iter().map(|column| column.last.abs_diff(column.first)), &mut directory);
        directory
    }

    fn encoded(&self, times: TimesRef) -> &[u8] {
        &self.bytes[self.columns[times.0 as usize].range.clone()]
    }
}

/// The timestamps of a column, which must be all of the bytes.
pub(crate) fn decode(encoded: &[u8]) -> Result<Vec<i64>, DecodeError> {
    let (column, rest) = Times::parse(encoded)?;
    if !rest.is_empty() {
        return Err(DecodeError::Trailing { what: "column of timestamps", count: rest.len() });
    }
    let mut times = Vec::new();
    column.decode(&mut times)?;
    Ok(times)
}

/// Where the columns of timestamps are, and when they begin and end.
#[derive(Debug)]
pub(crate) struct Directory {
    lengths: Column,
    base: i64,
    firsts: Column,
    spans: Column,
    // Where each column ends in all pages together.
    ends: Vec<u64>,
}

impl Directory {
    /// Reads a decompressed directory of `columns` columns, which take `bytes` bytes.
    pub(crate) fn decode(page: &Bytes, columns: u64, bytes: u64) -> Result<Self, Damage> {
        let columns = usize::try_from(columns).unwrap_or(usize::MAX);
        let mut reader = Reader::new("times directory", page);
        let lengths = Column::take(page, &mut reader, columns)?;
        let base = reader.signed()?;
        let firsts = Column::take(page, &mut reader, columns)?;
        let spans = Column::take(page, &mut reader, columns)?;
        reader.end()?;
        if lengths.sum() != Some(bytes) {
            return Err(Damage::Structure("its columns are longer or shorter than their pages"));
        }
        let mut end = 0;
        let ends = lengths.iter().map(|length| {
            end += length;
            end
        });
        let ends = ends.collect();
        Ok(Self { lengths, base, firsts, spans, ends })
    }

    /// How many columns there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a column in all pages together.
    pub(crate) fn range(&self, column: usize) -> Range<u64> {
        let end = self.ends[column];
        end - self.lengths.get(column)..end
    }

    /// The first and the last timestamp of a column.
    pub(crate) fn bounds(&self, column: usize) -> (i64, i64) {
        let first = self.base.wrapping_add_unsigned(self.firsts.get(column));
        (first, first.wrapping_add_unsigned(self.spans.get(column)))
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        // Three columns of up to 8 bytes and the ends.
        self.ends.len() * 32
    }
}
