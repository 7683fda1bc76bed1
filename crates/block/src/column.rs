//! Columns of numbers.
//!
//! ```text
//! width    u8                 bytes of each number: 0, 1, 2, 4 or 8
//! numbers  width bytes each   lowest byte first
//! ```
//!
//! How many there are the surroundings know. Of width 0 every number is 0. Numbers are as wide as the largest of them needs
//! and no narrower: where they repeat each other, as nearly all do, the compression of the page finds it, and a reader
//! can look at any of them at once.

use bytes::Bytes;
use chunk::DecodeError;
use chunk::wire::Reader;

const WHAT: &str = "column of numbers";
const WIDTHS: [u8; 5] = [0, 1, 2, 4, 8];

/// Appends a column.
pub(crate) fn encode(numbers: impl ExactSizeIterator<Item = u64> + Clone, out: &mut Vec<u8>) {
    let largest = numbers.clone().max().unwrap_or_default();
    let needed = (u64::BITS - largest.leading_zeros()).div_ceil(8) as u8;
    let width = WIDTHS.into_iter().find(|width| *width >= needed).expect("no number needs more than 8 bytes");
    out.push(width);
    out.reserve(numbers.len() * usize::from(width));
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes()[..usize::from(width)]);
    }
}

/// Numbers in the bytes of a page, not decoded.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    count: usize,
    width: u8,
    bytes: Bytes,
}

impl Column {
    /// Takes a column of `count` numbers from a reader of `page`.
    pub(crate) fn take(page: &Bytes, reader: &mut Reader<'_>, count: usize) -> Result<Self, DecodeError> {
        let width = reader.byte()?;
        if !WIDTHS.contains(&width) {
            return Err(DecodeError::UnknownTag { what: WHAT, tag: width });
        }
        let length = count.checked_mul(usize::from(width)).ok_or(DecodeError::Truncated(WHAT))?;
        let bytes = page.slice_ref(reader.take(length)?);
        Ok(Self { count, width, bytes })
    }

    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The number at `at`.
    ///
    /// # Panics
    /// If there are not that many.
    pub(crate) fn get(&self, at: usize) -> u64 {
        assert!(at < self.count, "number {at} of {}", self.count);
        match self.width {
            0 => 0,
            1 => u64::from(self.bytes[at]),
            2 => u64::from(u16::from_le_bytes(self.array(at))),
            4 => u64::from(u32::from_le_bytes(self.array(at))),
            _ => u64::from_le_bytes(self.array(at)),
        }
    }

    /// All numbers, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        (0..self.count).map(|at| self.get(at))
    }

    /// The sum of all numbers; `None` if it has more than 64 bits.
    pub(crate) fn sum(&self) -> Option<u64> {
        self.iter().try_fold(0u64, u64::checked_add)
    }

    /// The largest number; 0 if there is none.
    pub(crate) fn max(&self) -> u64 {
        match self.width {
            0 => 0,
            1 => self.bytes.iter().max().map_or(0, |largest| u64::from(*largest)),
            _ => self.iter().max().unwrap_or_default(),
        }
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at * N..].first_chunk().expect("the bytes hold as many numbers as there are")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(numbers: &[u64]) -> Bytes {
        let mut bytes = Vec::new();
        encode(numbers.iter().copied(), &mut bytes);
        bytes.into()
    }

    fn decode(bytes: &Bytes, count: usize) -> Result<Vec<u64>, DecodeError> {
        let mut reader = Reader::new("test", bytes);
        let column = Column::take(bytes, &mut reader, count)?;
        reader.end()?;
        assert_eq!(column.max(), column.iter().max().unwrap_or_default());
        Ok(column.iter().collect())
    }

    #[test]
    fn numbers_are_as_wide_as_the_largest() {
        for (largest, width) in [(0, 0), (1, 1), (255, 1), (256, 2), (65_536, 4), (1 << 32, 8), (u64::MAX, 8)] {
            assert_eq!(encoded(&[0, largest]).len(), 1 + 2 * width, "{largest}");
        }
    }

    #[test]
    fn what_is_no_column_is_refused() {
        assert_eq!(decode(&Bytes::from_static(&[3, 0, 0, 0]), 1), Err(DecodeError::UnknownTag { what: WHAT, tag: 3 }));
        assert_eq!(decode(&Bytes::from_static(&[8]), usize::MAX), Err(DecodeError::Truncated(WHAT)));
    }

    proptest! {
        #[test]
        fn any_numbers_read_back(numbers in prop::collection::vec(any::<u64>(), 0..40), shift in 0u32..64) {
            let numbers: Vec<u64> = numbers.into_iter().map(|number| number >> shift).collect();
            let bytes = encoded(&numbers);
            prop_assert_eq!(decode(&bytes, numbers.len()), Ok(numbers.clone()));
            for length in 0..bytes.len() {
                prop_assert!(decode(&bytes.slice(..length), numbers.len()).is_err());
            }
        }
    }
}
