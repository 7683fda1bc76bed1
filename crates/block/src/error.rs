//! What can go wrong.

use std::io;

use chunk::DecodeError;
use model::Labels;

use crate::TimesRef;

/// Why something cannot be written to a block.
///
/// After any of these the block cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Series must come in order of metric names, then labels, none twice.
    #[error("series {labels} comes after {previous}")]
    OutOfOrder {
        /// The series.
        labels: Labels,
        /// The one before it.
        previous: Labels,
    },
    /// A chunk refers to timestamps that this writer never saw.
    #[error("series {labels} has a chunk with the timestamps {times:?}, which were not added")]
    UnknownTimes {
        /// The series.
        labels: Labels,
        /// What its chunk refers to.
        times: TimesRef,
    },
    /// A chunk does not begin like one.
    #[error("series {labels} has a chunk that is none")]
    Chunk {
        /// The series.
        labels: Labels,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A chunk and its timestamps do not belong together.
    #[error("series {labels} has a chunk of {rows} rows with {times} timestamps")]
    Rows {
        /// The series.
        labels: Labels,
        /// How many rows its chunk has.
        rows: usize,
        /// How many timestamps that chunk refers to.
        times: usize,
    },
    /// A column of timestamps that is none.
    #[error("read a column of timestamps")]
    Times(#[from] DecodeError),
    /// A column of timestamps that is empty or does not ascend.
    #[error("a column of timestamps is empty or does not ascend")]
    TimesOrder,
    /// More than a reader would accept.
    #[error("{what} is {size}, which is above {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        size: usize,
        /// The largest that would be read.
        limit: usize,
    },
    /// The destination failed.
    #[error("write a block")]
    Write(#[from] io::Error),
}

/// What is wrong with the bytes of a page. Whoever knows the page says which.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("the checksum is {found:016x}, not {expected:016x}")]
    Checksum { found: u64, expected: u64 },
    #[error("it does not decompress to {0} bytes")]
    Compression(usize),
    #[error("version {0} of the format is not known here")]
    Version(u32),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("{0}")]
    Structure(&'static str),
}

/// Damage if `holds` is not true.
pub(crate) fn ensure(holds: bool, otherwise: &'static str) -> Result<(), Damage> {
    if holds { Ok(()) } else { Err(Damage::Structure(otherwise)) }
}
