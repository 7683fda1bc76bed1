//! Half bytes, the lower half of a byte first.

/// Appends nibbles.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    // Bits that do not fill a byte yet.
    pending: u64,
    pending_width: u32,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, pending: 0, pending_width: 0 }
    }

    /// Appends `count` nibbles, at most 15; those above are 0.
    pub(super) fn put(&mut self, nibbles: u64, count: u32) {
        debug_assert!(count < 16 && nibbles >> (4 * count) == 0, "{nibbles:#x} as {count} nibbles");
        let word = self.pending | nibbles << self.pending_width;
        let width = self.pending_width + 4 * count;
        // Always eight bytes, of which the surplus is cut off: quicker than to copy a number that varies.
        let end = self.out.len() + width as usize / 8;
        self.out.extend_from_slice(&word.to_le_bytes());
        self.out.truncate(end);
        self.pending_width = width % 8;
        self.pending = word.unbounded_shr(width - self.pending_width);
    }

    /// Writes out the last nibble, with an empty one above it if the number is odd.
    pub(super) fn finish(self) {
        if self.pending_width > 0 {
            self.out.push(self.pending as u8);
        }
    }
}

/// Takes nibbles from bytes that may be anything. Past their end there are zeros.
pub(super) struct Nibbles<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Nibbles<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The next nibbles, 15 at least.
    pub(super) fn peek(&self) -> u64 {
        let bytes = self.bytes.get(self.position / 2..).unwrap_or_default();
        let word = bytes.first_chunk().copied().unwrap_or_else(|| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            word
        });
        u64::from_le_bytes(word) >> (self.position % 2 * 4)
    }

    pub(super) fn skip(&mut self, count: u64) {
        self.position += count as usize;
    }

    /// The bytes after the last one that was touched; `None` if that was past the end.
    pub(super) fn rest(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.position.div_ceil(2)..)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nibbles_read_back(numbers in prop::collection::vec((1..16u32, any::<u64>()), 0..40)) {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            let cut = |(count, number): (u32, u64)| number & ((1 << (4 * count)) - 1);
            for number in &numbers {
                writer.put(cut(*number), number.0);
            }
            writer.finish();
            let mut nibbles = Nibbles::new(&bytes);
            for number in &numbers {
                prop_assert_eq!(cut((number.0, nibbles.peek())), cut(*number));
                nibbles.skip(number.0.into());
            }
            prop_assert_eq!(nibbles.rest(), Some(&[][..]));
            nibbles.skip(2);
            prop_assert_eq!((nibbles.peek(), nibbles.rest()), (0, None));
        }
    }
}
