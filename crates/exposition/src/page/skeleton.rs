//! What remains of a page without its numbers.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A skeleton being made from a page, from front to back.
///
/// ```text
/// page      up{a="b"} 1⏎x 2 1700⏎
/// cuts                ^   ^ ^^^^
/// skeleton  up{a="b"} [10]⏎x [3] [1]⏎        [n]: a length in four bytes, little-endian
/// ```
pub(super) struct Skeleton<'s, 'p> {
    page: &'p [u8],
    bytes: &'s mut Vec<u8>,
    /// Up to where the page was copied or left out.
    done: usize,
    /// Where in the skeleton the piece after the last cut starts.
    piece: usize,
}

impl<'s, 'p> Skeleton<'s, 'p> {
    /// An empty skeleton, in memory that is used again.
    pub(super) fn new(page: &'p [u8], bytes: &'s mut Vec<u8>) -> Self {
        bytes.clear();
        // Most pages have no more cuts than this leaves room for.
        bytes.reserve(page.len() + page.len() / 8);
        Self { page, bytes, done: 0, piece: 0 }
    }

    /// Cuts a number out, which must lie behind what was cut before.
    #[inline]
    pub(super) fn cut(&mut self, number: Range<usize>) {
        self.leave_out(number);
        // A page of 4 GiB would have been refused long before. If not: lengths that wrap around make no two skeletons equal
        // whose bytes are not.
        let length = (self.bytes.len() - self.piece) as u32;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.piece = self.bytes.len();
    }

    /// Leaves something out without a trace.
    #[inline]
    pub(super) fn leave_out(&mut self, place: Range<usize>) {
        self.bytes.extend_from_slice(&self.page[self.done..place.start]);
        self.done = place.end;
    }

    /// The hash of the whole skeleton.
    pub(super) fn finish(mut self, seed: u64) -> u128 {
        let end = self.page.len();
        self.leave_out(end..end);
        xxh3_128_with_seed(self.bytes, seed)
    }
}
