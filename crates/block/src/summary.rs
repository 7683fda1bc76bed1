//! What a block is, in a few numbers.

use model::TimeRange;

/// What a block is, in a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSummary {
    /// From its first sample to just after its last; empty if it has none.
    pub range: TimeRange,
    /// How many series it has.
    pub series_count: u64,
    /// How many samples, staleness markers included.
    pub sample_count: u64,
    /// How many chunks.
    pub chunk_count: u64,
    /// How many bytes.
    pub size_bytes: u64,
    /// xxh3 of all bytes, 128 bits.
    pub hash: u128,
}
