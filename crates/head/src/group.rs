//! Closed pieces.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use model::{TimeRange, Timestamp};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use crate::segment::SegmentError;

/// A closed piece of a target or of a series with its own times: up to 128 rows, all of one block window.
///
/// Its bytes never change; where they are does: in memory until its segment is saved, in the mapped file afterwards.
#[derive(Debug)]
pub struct Group {
    pub(crate) range: TimeRange,
    pub(crate) rows: u32,
    pub(crate) series: u32,
    checksum: u64,
    place: Mutex<Place>,
    /// Whether the bytes at their present place were found to be whole.
    verified: AtomicBool,
}

#[derive(Debug)]
struct Place {
    bytes: Bytes,
    is_mapped: bool,
}

impl Group {
    /// A group of bytes that were just made.
    pub(crate) fn new(bytes: Bytes, range: TimeRange, rows: u32, series: u32) -> Arc<Self> {
        let checksum = xxh3_64(&bytes);
        let place = Mutex::new(Place { bytes, is_mapped: false });
        Arc::new(Self { range, rows, series, checksum, place, verified: AtomicBool::new(true) })
    }

    /// A group that lies in a file and was not looked at yet.
    pub(crate) fn mapped(bytes: Bytes, checksum: u64, range: TimeRange, rows: u32, series: u32) -> Arc<Self> {
        let place = Mutex::new(Place { bytes, is_mapped: true });
        Arc::new(Self { range, rows, series, checksum, place, verified: AtomicBool::new(false) })
    }

    /// From its first sample to just after its last.
    pub fn range(&self) -> TimeRange {
        self.range
    }

    /// The first and the last time, in ms.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        (self.range.start().as_ms(), self.range.end().as_ms() - 1)
    }

    pub(crate) fn checksum(&self) -> u64 {
        self.checksum
    }

    /// The encoded piece, verified the first time it is read from a file.
    ///
    /// # Errors
    /// If the file is damaged here.
    pub(crate) fn bytes(&self) -> Result<Bytes, SegmentError> {
        let bytes = self.raw_bytes();
        if !self.verified.load(Ordering::Relaxed) {
            self.check(&bytes)?;
            self.verified.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    /// Verifies the piece where it lies now, whether or not it was before.
    ///
    /// # Errors
    /// If it is damaged.
    pub(crate) fn verify(&self) -> Result<(), SegmentError> {
        self.check(&self.raw_bytes())
    }

    fn check(&self, bytes: &[u8]) -> Result<(), SegmentError> {
        if xxh3_64(bytes) == self.checksum {
            return Ok(());
        }
        let (first, last) = self.bounds();
        Err(SegmentError::Damaged(format!("the group from {first} to {last} has a wrong checksum")))
    }

    /// The encoded piece, as it is.
    pub(crate) fn raw_bytes(&self) -> Bytes {
        self.place.lock().bytes.clone()
    }

    /// The same bytes lie in a mapped file now.
    pub(crate) fn moved_to(&self, bytes: Bytes) {
        debug_assert_eq!(bytes.len(), self.place.lock().bytes.len());
        *self.place.lock() = Place { bytes, is_mapped: true };
    }

    /// The bytes it takes in memory; those of a mapped file are not counted.
    pub(crate) fn memory_bytes(&self) -> usize {
        let place = self.place.lock();
        size_of::<Self>() + if place.is_mapped { 0 } else { place.bytes.len() }
    }

    pub(crate) fn len_bytes(&self) -> usize {
        self.place.lock().bytes.len()
    }
}

/// The range from a first to a last time, in ms.
pub(crate) fn range_of(first: i64, last: i64) -> TimeRange {
    TimeRange::inclusive(Timestamp(first), Timestamp(last))
}
