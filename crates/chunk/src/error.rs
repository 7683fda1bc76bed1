//! What can go wrong.

use crate::Kind;

/// Why bytes are no column: they were cut off, altered, or written by a later version.
///
/// Every one of these means corrupt or foreign data; reading again can't help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside the thing named.
    #[error("{0} ends early")]
    Truncated(&'static str),
    /// Bytes are left after the last one of the thing named.
    #[error("{what} is followed by {count} bytes that are not its own")]
    Trailing {
        /// What was read.
        what: &'static str,
        /// How many bytes are left.
        count: usize,
    },
    /// A tag that no known version writes.
    #[error("{what} has the unknown tag {tag:#04x}")]
    UnknownTag {
        /// What was read.
        what: &'static str,
        /// The tag.
        tag: u8,
    },
    /// A chunk of something else than the reader asked for.
    #[error("chunk holds {found}, wanted {wanted}")]
    WrongKind {
        /// What it holds.
        found: Kind,
        /// What was asked for.
        wanted: Kind,
    },
    /// A number that can't be right.
    #[error("{what} is {value}, which is above {limit}")]
    TooLarge {
        /// What the number says.
        what: &'static str,
        /// The number.
        value: u64,
        /// The largest that could be right.
        limit: u64,
    },
    /// A histogram's span lies outside the numbers or overlaps the one before it.
    #[error("span starts {0} buckets after the one before it")]
    SpanOffset(i64),
    /// Two numbers that must be equal are not.
    #[error("{what} is {found}, expected {expected}")]
    Mismatch {
        /// What the number says.
        what: &'static str,
        /// The number in the bytes.
        found: usize,
        /// The number it must be.
        expected: usize,
    },
}

/// Why histograms can't be written: no valid histogram is like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A span overlaps the one before it.
    #[error("{side} span number {span} has the offset {offset}")]
    SpanOffset {
        /// Side of zero.
        side: &'static str,
        /// Which span, counted from 1.
        span: usize,
        /// Its offset, which only the first span may have below 0.
        offset: i32,
    },
    /// Spans and buckets of a histogram do not belong together.
    #[error("{side} spans have {spans} buckets, {buckets} are given")]
    BucketCount {
        /// Side of zero.
        side: &'static str,
        /// How many buckets the spans hold.
        spans: u64,
        /// How many there are.
        buckets: usize,
    },
    /// More than a reader would accept.
    #[error("column of histograms with {0} buckets, spans and bounds")]
    TooLarge(usize),
}
