//! Integers in as few bits as they need: a prefix of ones says how many follow.
//!
//! ```text
//! 0            0
//! 10           3 bits
//! 110          6
//! 1110         9
//! 11110        12
//! 111110       18
//! 1111110      25
//! 11111110     56
//! 11111111     64
//! ```

use crate::DecodeError;
use crate::bits::{BitReader, BitWriter};

/// How many bits follow so many ones.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];
const LONGEST: u32 = 8;

/// Writes a signed integer. Of `n` bits, the range is `-(2^(n-1) - 1)` to `2^(n-1)`.
pub(crate) fn write_int(bits: &mut BitWriter, value: i64) {
    let ones = (0..LONGEST).find(|ones| fits(value, WIDTHS[*ones as usize])).unwrap_or(LONGEST);
    write(bits, value as u64, ones);
}

/// Writes an unsigned integer.
pub(crate) fn write_uint(bits: &mut BitWriter, value: u64) {
    let ones = (0..LONGEST).find(|ones| value >> WIDTHS[*ones as usize] == 0).unwrap_or(LONGEST);
    write(bits, value, ones);
}

fn write(bits: &mut BitWriter, value: u64, ones: u32) {
    bits.write(u64::MAX, ones);
    if ones < LONGEST {
        bits.write(0, 1);
    }
    bits.write(value, WIDTHS[ones as usize]);
}

/// Whether a signed integer fits into so many bits, in Prometheus' way: one more above zero than below.
pub(crate) fn fits(value: i64, width: u32) -> bool {
    match width {
        0 => value == 0,
        _ => -((1i64 << (width - 1)) - 1) <= value && value <= 1i64 << (width - 1),
    }
}

/// The integer that so many bits stand for, in the range of [`fits`].
pub(crate) fn signed(bits: u64, width: u32) -> i64 {
    if width < 64 && bits > 1 << (width - 1) { bits as i64 - (1 << width) } else { bits as i64 }
}

pub(crate) fn read_int(bits: &mut BitReader<'_>) -> Result<i64, DecodeError> {
    let width = WIDTHS[bits.read_ones(LONGEST)? as usize];
    if width == 0 { Ok(0) } else { Ok(signed(bits.read(width)?, width)) }
}

pub(crate) fn read_uint(bits: &mut BitReader<'_>) -> Result<u64, DecodeError> {
    let width = WIDTHS[bits.read_ones(LONGEST)? as usize];
    bits.read(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(value: i64, bits: &str) {
        let mut writer = BitWriter::default();
        write_int(&mut writer, value);
        let written: String = writer.into_bytes().iter().map(|byte| format!("{byte:08b}")).collect();
        assert_eq!(written.trim_end_matches('0'), bits.trim_end_matches('0'), "{value}");
    }

    #[test]
    fn small_integers_are_short() {
        check(0, "0");
        check(4, "10100");
        check(-3, "10101");
        check(5, "110000101");
        check(-31, "110100001");
        check(i64::MIN, &format!("11111111{:064b}", i64::MIN));
    }

    proptest! {
        #[test]
        fn integers_come_back(value: i64, shift in 0u32..64) {
            let value = value >> shift;
            let mut writer = BitWriter::default();
            write_int(&mut writer, value);
            write_uint(&mut writer, value as u64);
            writer.write_varint(value);
            let bytes = writer.into_bytes();
            let mut reader = BitReader::new(&bytes);
            prop_assert_eq!(read_int(&mut reader), Ok(value));
            prop_assert_eq!(read_uint(&mut reader), Ok(value as u64));
            prop_assert_eq!(reader.read_varint(), Ok(value));
        }
    }
}
