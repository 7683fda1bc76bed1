//! One row: a value of every series of a layout, as it travels and lies in the log.
//!
//! ```text
//! tag       u8        bit 0 some series are absent, bit 1 there is a reference, others 0
//! present             only if announced, see `present`
//! changed   bitmap    one bit a series, lowest bit of the first byte first: it differs from the reference
//! nibbles             for each changed value, lowest nibble of the first byte first
//! ```
//!
//! The *reference* is an earlier row of the same layout that both sides have; without one every reference value is 0.
//! Nibbles of one value:
//!
//! ```text
//! 0xe, s        from here on the scale is SCALES[s]; it is SCALES[0] at the start of a row
//! 0xf, c        this value's bits are c − 8 above those of the decimal that follows
//! 0x0, n, …     n + 1 nibbles, lowest first: zigzag of the distance of the value's bits from the reference's. The end
//! 0x1…0xd, …    as many nibbles: zigzag of the distance of the value from the reference, both in the scale. The end
//! ```
//!
//! In the scale, a value is the integer nearest to `value · scale`, ties to even. A reference that is no number, or for which
//! that is not below 2^51, counts as 0.

mod nibbles;
mod present;

use self::nibbles::{Nibbles, Writer};
use crate::DecodeError;
use crate::decimal;
use crate::wire::{Reader, bit_length, flag, unzigzag, zigzag};

const SOME_ABSENT: u8 = 1;
const REFERENCE: u8 = 1 << 1;

const BITS: u64 = 0x0;
const MAX_LENGTH: u64 = 0xd;
const SCALE: u64 = 0xe;
const CORRECTION: u64 = 0xf;

/// What values are multiplied with to become integers: powers of ten, and fractions for the kibibytes and memory pages
/// that operating systems count in.
const SCALES: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1.0 / 1024.0, 1.0 / 4096.0];
const KIBIBYTES: usize = 14;
const PAGES: usize = 15;

/// Appends a row of values, one for each series of the layout.
///
/// `present` has a bit for each series, lowest bit of the first word first; `None` means that all are there. The value
/// of a series that is absent does not matter.
/// Values that equal the reference cost a bit, small decimal distances from it a byte or so.
///
/// # Panics
/// If the lengths differ.
pub fn encode(values: &[f64], present: Option<&[u64]>, reference: Option<&[f64]>, out: &mut Vec<u8>) {
    let count = values.len();
    assert!(reference.is_none_or(|reference| reference.len() == count), "reference of another layout");
    assert!(present.is_none_or(|present| present.len() == present::words(count)), "bitmap of another layout");
    out.push(flag(present.is_some(), SOME_ABSENT) | flag(reference.is_some(), REFERENCE));
    if let Some(present) = present {
        present::encode(present, count, out);
    }
    let zeros;
    let reference = match reference {
        Some(reference) => reference,
        None => {
            zeros = vec![0.0; count];
            &zeros
        }
    };
    let changed = changed(values, present, reference);
    let end = out.len() + count.div_ceil(8);
    out.extend(changed.iter().flat_map(|word| word.to_le_bytes()));
    out.truncate(end);
    let mut encoder = Encoder { scale: 0, nibbles: Writer::new(out) };
    for at in present::ones(changed.iter().copied()) {
        encoder.encode(values[at], reference[at]);
    }
    encoder.nibbles.finish();
}

/// A bit for each value that is present and not the reference's, bit by bit.
fn changed(values: &[f64], present: Option<&[u64]>, reference: &[f64]) -> Vec<u64> {
    let words = values.chunks(64).zip(reference.chunks(64)).map(|(values, reference)| {
        let differs = |(value, reference): (&f64, &f64)| u64::from(value.to_bits() != reference.to_bits());
        let bits = values.iter().zip(reference).map(differs).enumerate();
        bits.fold(0, |word, (at, bit)| word | bit << at)
    });
    match present {
        Some(present) => words.zip(present).map(|(word, present)| word & present).collect(),
        None => words.collect(),
    }
}

struct Encoder<'a> {
    // Place in SCALES.
    scale: usize,
    nibbles: Writer<'a>,
}

impl Encoder<'_> {
    fn encode(&mut self, value: f64, reference: f64) {
        match self.choose_scale(value, reference) {
            Some(scale) => self.switch_to(scale),
            None => return self.encode_bits(value, reference),
        }
        let Some(integer) = decimal::nearest(value, SCALES[self.scale]) else {
            return self.encode_bits(value, reference);
        };
        let distance = distance(integer, reference, self.scale);
        let correction = decimal::correction(value, integer, SCALES[self.scale]);
        let length = nibbles(distance);
        if length > MAX_LENGTH || !(-8..8).contains(&correction) {
            return self.encode_bits(value, reference);
        }
        if correction != 0 {
            self.nibbles.put(CORRECTION | (correction + 8).unsigned_abs() << 4, 2);
        }
        self.nibbles.put(length | distance << 4, length as u32 + 1);
    }

    /// The scale to write a value in; `None` if it is near no decimal.
    fn choose_scale(&self, value: f64, reference: f64) -> Option<usize> {
        let best = self.best_scale(value, reference)?;
        let length = |scale| Some(nibbles(distance(decimal::nearest(value, SCALES[scale])?, reference, scale)));
        // To switch takes two nibbles.
        let stay = best == self.scale
            || decimal::is_near(value, SCALES[self.scale]) && length(best)? + 2 > length(self.scale)?;
        Some(if stay { self.scale } else { best })
    }

    /// The scale in which the value and its distance from the reference are the smallest whole numbers.
    fn best_scale(&self, value: f64, reference: f64) -> Option<usize> {
        let near = |scale: usize| decimal::is_near(value, SCALES[scale]);
        if near(0) {
            let both = decimal::nearest(value, 1.0)? | decimal::nearest(reference, 1.0).unwrap_or(0);
            return Some(match both.trailing_zeros() {
                12.. => PAGES,
                10.. => KIBIBYTES,
                _ => 0,
            });
        }
        // The neighbours' scale is the first to try.
        if (1..KIBIBYTES).contains(&self.scale) && near(self.scale) && !near(self.scale - 1) {
            return Some(self.scale);
        }
        (1..KIBIBYTES).find(|scale| near(*scale))
    }

    fn switch_to(&mut self, scale: usize) {
        if scale != self.scale {
            self.nibbles.put(SCALE | (scale as u64) << 4, 2);
            self.scale = scale;
        }
    }

    fn encode_bits(&mut self, value: f64, reference: f64) {
        let distance = zigzag(value.to_bits().wrapping_sub(reference.to_bits()) as i64);
        let length = nibbles(distance);
        self.nibbles.put(BITS | (length - 1) << 4, 2);
        let low = length.min(8) as u32;
        self.nibbles.put(distance & u64::from(u32::MAX), low);
        self.nibbles.put(distance >> 32, length as u32 - low);
    }
}

/// How far an integer in a scale is from the reference, as [`zigzag`].
fn distance(integer: i64, reference: f64, scale: usize) -> u64 {
    zigzag(integer - reference_in(reference, SCALES[scale]))
}

fn reference_in(reference: f64, scale: f64) -> i64 {
    decimal::nearest(reference, scale).unwrap_or(0)
}

/// How many nibbles a number takes, 1 at least.
fn nibbles(number: u64) -> u64 {
    u64::from(bit_length(number).div_ceil(4).max(1))
}

/// Fills `values` with a row, and returns the bitmap of present series, if some are absent, and the bytes after the row.
///
/// `reference` must be what [`encode`] got. An absent series gets its reference value, or 0.
///
/// # Errors
/// If the bytes are no row of that many values with such a reference. What is in `values` then means nothing.
pub fn decode<'a>(
    bytes: &'a [u8],
    reference: Option<&[f64]>,
    values: &mut [f64],
) -> Result<(Option<Vec<u64>>, &'a [u8]), DecodeError> {
    let mut reader = Reader::new("row", bytes);
    let tag = reader.byte()?;
    if tag & !(SOME_ABSENT | REFERENCE) != 0 {
        return Err(DecodeError::UnknownTag { what: "row", tag });
    }
    let expected = if tag & REFERENCE != 0 { values.len() } else { 0 };
    let found = reference.map_or(0, <[f64]>::len);
    if found != expected {
        return Err(DecodeError::Mismatch { what: "a reference's number of values", found, expected });
    }
    match reference {
        Some(reference) => values.copy_from_slice(reference),
        None => values.fill(0.0),
    }
    let present = if tag & SOME_ABSENT != 0 { Some(present::decode(&mut reader, values.len())?) } else { None };
    let changed = reader.take(values.len().div_ceil(8))?;
    let mut decoder = Decoder { scale: SCALES[0], nibbles: Nibbles::new(reader.rest()) };
    for at in present::ones(present::words_of(changed)) {
        let limit = values.len().saturating_sub(1) as u64;
        let value =
            values.get_mut(at).ok_or(DecodeError::TooLarge { what: "a changed series", value: at as u64, limit })?;
        *value = decoder.decode(*value);
    }
    Ok((present, decoder.nibbles.rest().ok_or(DecodeError::Truncated("row"))?))
}

struct Decoder<'a> {
    scale: f64,
    nibbles: Nibbles<'a>,
}

impl Decoder<'_> {
    fn decode(&mut self, reference: f64) -> f64 {
        let mut correction = 0;
        // Ends with the bytes at the latest, for after them there are zeros, which are BITS.
        loop {
            let word = self.nibbles.peek();
            let second = word >> 4 & 0xf;
            match word & 0xf {
                BITS => return self.decode_bits(second + 1, reference),
                SCALE => self.scale = SCALES[second as usize],
                CORRECTION => correction = second as i64 - 8,
                length => {
                    self.nibbles.skip(1 + length);
                    let distance = unzigzag(word >> 4 & ((1 << (4 * length)) - 1));
                    let integer = reference_in(reference, self.scale) + distance;
                    return decimal::corrected(decimal::float(integer, self.scale), correction);
                }
            }
            self.nibbles.skip(2);
        }
    }

    fn decode_bits(&mut self, length: u64, reference: f64) -> f64 {
        self.nibbles.skip(2);
        let low = length.min(8);
        let mut distance = self.nibbles.peek() & ((1 << (4 * low)) - 1);
        self.nibbles.skip(low);
        distance |= (self.nibbles.peek() & ((1 << (4 * (length - low))) - 1)) << 32;
        self.nibbles.skip(length - low);
        decimal::corrected(reference, unzigzag(distance))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks that the row reads back, and returns how many bytes it takes.
    #[track_caller]
    fn check(values: &[f64], present: Option<&[u64]>, reference: Option<&[f64]>) -> usize {
        let mut bytes = Vec::new();
        encode(values, present, reference, &mut bytes);
        let mut decoded = vec![7.0; values.len()];
        let (decoded_present, rest) = decode(&bytes, reference, &mut decoded).unwrap();
        assert!(rest.is_empty());
        assert_eq!(decoded_present.as_deref(), present);
        for (at, (decoded, value)) in decoded.iter().zip(values).enumerate() {
            let reference = reference.map_or(0.0, |reference| reference[at]);
            let expected = if present.is_none_or(|present| present::is_set(present, at)) { *value } else { reference };
            assert_eq!(decoded.to_bits(), expected.to_bits(), "series {at}: {decoded} for {expected}");
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length], reference, &mut decoded).is_err(), "cut at {length}");
        }
        bytes.len()
    }

    #[test]
    fn small_distances_are_short() {
        let first = [1.0, 0.0, 12.25, 8_349_069_312.0, 0.000_012_345, 5e-324, f64::NAN, -0.0];
        // Tag, bitmap, then nibbles: 2, –, 2 + 4, 2 + 7, 2 + 5, 3, 18, 18.
        assert_eq!(check(&first, None, None), 2 + 32);
        assert_eq!(check(&first, None, Some(&first)), 2);
        let second = [1.0, 1.0, 12.5, 8_349_073_408.0, 0.000_012_355, 5e-324, f64::NAN, 0.0];
        // –, 2, 2 + 2, 2 + 2, 2 + 3, –, –, 2.
        assert_eq!(check(&second, None, Some(&first)), 2 + 9);
        // One unit in the last place beside a decimal.
        assert_eq!(check(&[0.1 + 0.2], None, None), 2 + 3);
    }

    #[test]
    fn absent_series_cost_little() {
        let values: Vec<_> = (0..1000).map(f64::from).collect();
        let all = check(&values, None, Some(&values));
        // Every other one: a bit each. One in 64: its distance.
        let mut half = vec![u64::MAX / 3; 16];
        half[15] &= (1 << 40) - 1;
        assert_eq!(check(&values, Some(&half), Some(&values)), all + 1 + 125);
        let mut few = vec![2; 16];
        few[15] = 1;
        assert_eq!(check(&values, Some(&few), Some(&values)), all + 1 + 34);
        let mut most = vec![u64::MAX; 16];
        most[15] = (1 << 40) - 1;
        assert_eq!(check(&values, Some(&most), Some(&values)), all + 3);
        assert_eq!(check(&values, Some(&[0; 16]), None), all + 4);
        assert_eq!(check(&[], None, None), 1);
    }

    #[test]
    fn the_reference_must_be_the_same() {
        let mut bytes = Vec::new();
        encode(&[1.0], None, Some(&[2.0]), &mut bytes);
        let mismatch =
            |found, expected| Err(DecodeError::Mismatch { what: "a reference's number of values", found, expected });
        assert_eq!(decode(&bytes, None, &mut [0.0]), mismatch(0, 1));
        assert_eq!(decode(&bytes, Some(&[2.0, 3.0]), &mut [0.0]), mismatch(2, 1));
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (0..5i64).prop_map(|n| n as f64),
            4 => (any::<i32>(), 0..15i32).prop_map(|(n, k)| f64::from(n) / 10f64.powi(k)),
            2 => (any::<i32>(), 0..15i32).prop_map(|(n, k)| f64::from(n) * 10f64.powi(-k)),
            2 => any::<u32>().prop_map(|n| f64::from(n) * 4096.0),
            1 => any::<i64>().prop_map(|n| n as f64),
            1 => any::<u64>().prop_map(f64::from_bits),
            1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::MIN, f64::MAX, 2f64.powi(51)]),
        ]
    }

    proptest! {
        #[test]
        fn any_row_reads_back(pairs in prop::collection::vec((value(), value(), 0..3, any::<bool>()), 0..200)) {
            let values: Vec<_> = pairs.iter().map(|pair| pair.0).collect();
            let reference: Vec<_> = pairs.iter().map(|pair| if pair.2 > 0 { pair.0 } else { pair.1 }).collect();
            let mut present = vec![0; values.len().div_ceil(64)];
            for (at, pair) in pairs.iter().enumerate() {
                present[at / 64] |= u64::from(pair.3) << (at % 64);
            }
            for reference in [None, Some(&reference[..])] {
                check(&values, None, reference);
                check(&values, Some(&present), reference);
            }
        }

        #[test]
        fn any_bytes_are_borne(tag in 0..4u8, bytes in prop::collection::vec(any::<u8>(), 0..80), reference in prop::collection::vec(value(), 0..130)) {
            let bytes = [&[tag], &bytes[..]].concat();
            let mut values = vec![0.0; reference.len()];
            let _ = decode(&bytes, (tag & REFERENCE != 0).then_some(&reference), &mut values);
        }
    }
}
