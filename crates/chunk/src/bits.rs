//! Numbers of a fixed width, packed without gaps.
//!
//! Value i of width w takes the bits `i·w … (i+1)·w − 1`; bit b of the whole is bit `b mod 8` of byte `b / 8`. The last
//! byte is filled with zeros. Eight values thus take w whole bytes, which is what unpacking is made of.

/// How many bytes `count` values of `width` bits take.
pub(crate) fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Appends `values`, of which each must fit `width` bits.
pub(crate) fn pack(values: impl ExactSizeIterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    debug_assert!(width <= u64::BITS);
    if width == 0 {
        return;
    }
    let end = out.len() + packed_len(values.len(), width);
    out.reserve(end - out.len() + size_of::<u64>());
    let (mut word, mut used) = (0, 0);
    for value in values {
        debug_assert!(width == u64::BITS || value >> width == 0, "{value} in {width} bits");
        word |= value << used;
        used += width;
        if used >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            used -= u64::BITS;
            word = if used == 0 { 0 } else { value >> (width - used) };
        }
    }
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// Value `index` of the packed ones, without looking at the others.
///
/// Needs `packed_len(index + 1, width)` bytes; those that are missing count as zeros.
pub(crate) fn get(bytes: &[u8], width: u32, index: usize) -> u64 {
    let at = index * width as usize;
    let mut word = [0; 16];
    let bytes = bytes.get(at / 8..).unwrap_or_default();
    let length = bytes.len().min(word.len());
    word[..length].copy_from_slice(&bytes[..length]);
    let mask = (1 << width) - 1;
    (u128::from_le_bytes(word) >> (at % 8) & mask) as u64
}

/// Fills `values` with values of `width` bits, which is at most 64; `bytes` has [`packed_len`] bytes.
///
/// One function for each width: shifts and offsets are then constants, and no access is checked.
pub(crate) fn unpack(bytes: &[u8], width: u32, values: &mut [i64]) {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                0 => values.fill(0),
                $($width => unpack_width::<$width>(bytes, values),)*
                _ => debug_assert!(false, "{width} bits"),
            }
        };
    }
    by_width!(
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64
    );
}

fn unpack_width<const WIDTH: usize>(bytes: &[u8], values: &mut [i64]) {
    let (groups, last_values) = values.as_chunks_mut::<8>();
    let (packed, last_bytes) = bytes.split_at(groups.len() * WIDTH);
    for (group, packed) in groups.iter_mut().zip(packed.as_chunks::<WIDTH>().0) {
        *group = unpack_group(packed);
    }
    if !last_values.is_empty() {
        let mut packed = [0; WIDTH];
        packed[..last_bytes.len()].copy_from_slice(last_bytes);
        let count = last_values.len();
        last_values.copy_from_slice(&unpack_group(&packed)[..count]);
    }
}

#[inline(always)]
fn unpack_group<const WIDTH: usize>(packed: &[u8; WIDTH]) -> [i64; 8] {
    let word_at = |at: usize| {
        let mut word = [0; 8];
        let length = WIDTH.min(8);
        word[..length].copy_from_slice(&packed[at..at + length]);
        u64::from_le_bytes(word)
    };
    let mask = u64::MAX >> (64 - WIDTH);
    std::array::from_fn(|i| {
        // The word is read no later than where it still ends inside the group.
        let at = (i * WIDTH / 8).min(WIDTH.saturating_sub(8));
        let shift = i * WIDTH - at * 8;
        let mut value = word_at(at) >> shift;
        if shift + WIDTH > 64 {
            value |= u64::from(packed[at + 8]) << (64 - shift);
        }
        (value & mask) as i64
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_lie_lowest_first() {
        let mut bytes = Vec::new();
        pack([1, 0, 7, 5].into_iter(), 3, &mut bytes);
        assert_eq!(bytes, [0b1100_0001, 0b1011]);
    }

    proptest! {
        #[test]
        fn every_width_reads_back(width in 0..=64u32, numbers in prop::collection::vec(any::<u64>(), 0..70)) {
            let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
            let values: Vec<_> = numbers.iter().map(|number| number & mask).collect();
            let mut bytes = vec![0xaa];
            pack(values.iter().copied(), width, &mut bytes);
            let packed = &bytes[1..];
            prop_assert_eq!(packed.len(), packed_len(values.len(), width));
            let mut unpacked = vec![-1; values.len()];
            unpack(packed, width, &mut unpacked);
            for (at, value) in values.iter().enumerate() {
                prop_assert_eq!(unpacked[at] as u64, *value);
                prop_assert_eq!(get(packed, width, at), *value);
            }
        }
    }
}
