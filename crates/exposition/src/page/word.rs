//! The last word of a line, eight bytes at a time.
//!
//! Most words are short, and their lengths vary from line to line, which makes loops over their bytes mispredict: here the end
//! of the line is looked at as one number, its first character in the highest byte.

use crate::float::scale;

/// Eight bytes of one.
const ONES: u64 = u64::MAX / 0xff;
/// The highest bit of each byte.
const HIGH_BITS: u64 = ONES << 7;

/// The last word of a line, of at most seven bytes.
#[derive(Clone, Copy)]
pub(super) struct Word {
    /// Its characters, the last one in the lowest byte; the other bytes are zero.
    characters: u64,
    pub(super) length: u32,
}

impl Word {
    /// The word at the end of `line`; `None` if it is longer than seven bytes, or the line shorter than eight.
    #[inline]
    pub(super) fn last_of(line: &[u8]) -> Option<Self> {
        let end = u64::from_be_bytes(*line.last_chunk::<8>()?);
        // Marks bytes below 0x21. Above a marked byte there may be false marks, from the borrow: the lowest one is true.
        let blanks = end.wrapping_sub(ONES * 0x21) & !end & HIGH_BITS;
        let length = blanks.trailing_zeros() / 8;
        (blanks != 0).then(|| Self { characters: end & lowest(length), length })
    }

    /// The number that the word is, if it is a plain one: digits, perhaps a point among them and a minus before them.
    #[inline]
    pub(super) fn number(self) -> Option<f64> {
        let Self { characters, length } = self;
        let negative = length > 0 && (characters >> (8 * length - 8)) as u8 == b'-';
        let not_points = characters ^ (ONES * u64::from(b'.'));
        let points = not_points.wrapping_sub(ONES) & !not_points & HIGH_BITS;
        // Without a point, all characters count as after it.
        let (has_point, after_point) = match points {
            0 => (0, 7),
            _ => (1, points.trailing_zeros() / 8),
        };
        let after = lowest(after_point);
        let characters = ((characters >> 8) & !after) | (characters & after);
        let digit_count = length.checked_sub(has_point + u32::from(negative)).filter(|count| *count > 0)?;
        // What is not a digit of the word, the minus too, counts as a zero before it.
        let digits = (characters ^ (ONES * u64::from(b'0'))) & lowest(digit_count);
        // Adding six carries into the high half of a byte above nine.
        let are_digits = (digits | digits.wrapping_add(ONES * 0x06)) & (ONES * 0xf0) == 0;
        let power = -((has_point * after_point) as i32);
        if are_digits { scale(join(digits), power, negative) } else { None }
    }
}

/// A mask of the lowest `count` bytes, of at most seven.
#[inline]
fn lowest(count: u32) -> u64 {
    (1 << (8 * count)) - 1
}

/// The number of eight digits, the first one in the highest byte.
#[inline]
fn join(digits: u64) -> u64 {
    // Neighbours are joined: to four numbers of two digits, two of four, one of eight.
    let pairs = ((digits >> 8) & 0x00ff_00ff_00ff_00ff) * 10 + (digits & 0x00ff_00ff_00ff_00ff);
    let fours = ((pairs >> 16) & 0x0000_ffff_0000_ffff) * 100 + (pairs & 0x0000_ffff_0000_ffff);
    (fours >> 32) * 10_000 + (fours & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::float::parse_float;

    proptest! {
        #[test]
        fn words_are_the_numbers_they_are(word in r"[-+0-9.e]{0,9}|[!-~é]{0,9}|-?[0-9]{0,5}\.?[0-9]{0,5}", blank in "[ \t]") {
            let line = format!("some_metric_name{{label=\"value\"}}{blank}{word}");
            let found = Word::last_of(line.as_bytes());
            prop_assert_eq!(found.map(|word| word.length as usize), Some(word.len()).filter(|length| *length < 8));
            if let Some(number) = found.and_then(Word::number) {
                let expected = parse_float(word.as_bytes()).map(f64::to_bits);
                prop_assert_eq!(Ok(number.to_bits()), expected, "{}", word);
            }
        }

        #[test]
        fn short_plain_numbers_are_read(word in r"-?[0-9]{1,3}(\.[0-9]{0,2})?|\.[0-9]") {
            let line = format!("some_metric_name {word}");
            prop_assert!(Word::last_of(line.as_bytes()).and_then(Word::number).is_some());
        }
    }
}
