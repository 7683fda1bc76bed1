//! Columns of floats.
//!
//! ```text
//! tag 0x00–0x7f   every value is this number
//! tag 0x80 + k    integers, each divided by 10^k                      (k ≤ 17)
//! tag 0xa0 + k    the same, then integers to add to the floats' bits
//! tag 0xc0 + k    every value is the signed number that follows, divided by 10^k
//! tag 0xe0        every value is the float that follows, 8 bytes
//! tag 0xe1        integers that are the floats' bits
//! ```
//!
//! "Integers" are a column as `ints` writes it. Lossless for every float, down to the bits of a NaN.
//! The number of values is not in the bytes: a chunk knows it.

use crate::DecodeError;
use crate::decimal::{self, POWERS};
use crate::ints::{self, Column};
use crate::wire::{Reader, put_signed};

const SMALL_CONSTANTS: u8 = 0x80;
const DECIMALS: u8 = 0x80;
const CORRECTED: u8 = 0xa0;
const CONSTANT_DECIMAL: u8 = 0xc0;
const CONSTANT: u8 = 0xe0;
const BITS: u8 = 0xe1;
/// The exponent's place in a tag.
const EXPONENT: u8 = 0x1f;

/// Appends a column; nothing for no values. Equal values give equal bytes, everywhere.
pub fn encode(values: &[f64], out: &mut Vec<u8>) {
    let Some(first) = values.first() else { return };
    if values.iter().all(|value| value.to_bits() == first.to_bits()) {
        return encode_constant(*first, out);
    }
    let mut integers = Vec::with_capacity(values.len());
    let Some(exponent) = decimal::common_exponent(values) else {
        return encode_bits(values, &mut integers, out);
    };
    if decimal::to_integers(values, POWERS[exponent], &mut integers) {
        encode_corrected(values, exponent, &mut integers, out);
    } else {
        out.push(DECIMALS + exponent as u8);
        ints::encode(&mut integers, out);
    }
}

fn encode_constant(value: f64, out: &mut Vec<u8>) {
    let exponent = decimal::exponent(value, 0).unwrap_or(0);
    match decimal::nearest(value, POWERS[exponent]) {
        Some(integer) if decimal::correction(value, integer, POWERS[exponent]) == 0 => {
            if exponent == 0 && (0..i64::from(SMALL_CONSTANTS)).contains(&integer) {
                out.push(integer as u8);
            } else {
                out.push(CONSTANT_DECIMAL + exponent as u8);
                put_signed(integer, out);
            }
        }
        _ => {
            out.push(CONSTANT);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }
}

/// As decimals with corrections, or as bits, whichever is shorter.
fn encode_corrected(values: &[f64], exponent: usize, integers: &mut Vec<i64>, out: &mut Vec<u8>) {
    let power = POWERS[exponent];
    let pairs = values.iter().zip(integers.iter());
    let mut corrections: Vec<_> = pairs.map(|(value, integer)| decimal::correction(*value, *integer, power)).collect();
    let start = out.len();
    out.push(CORRECTED + exponent as u8);
    ints::encode(integers, out);
    ints::encode(&mut corrections, out);
    let mut bits = Vec::new();
    encode_bits(values, integers, &mut bits);
    if bits.len() < out.len() - start {
        out.truncate(start);
        out.extend_from_slice(&bits);
    }
}

fn encode_bits(values: &[f64], integers: &mut Vec<i64>, out: &mut Vec<u8>) {
    integers.clear();
    integers.extend(values.iter().map(|value| value.to_bits() as i64));
    out.push(BITS);
    ints::encode(integers, out);
}

/// Fills `values`, which has as many places as the column has values, and returns the bytes after the column.
///
/// # Errors
/// If the bytes are no column of that many values.
pub fn decode<'a>(bytes: &'a [u8], values: &mut [f64]) -> Result<&'a [u8], DecodeError> {
    if values.is_empty() {
        return Ok(bytes);
    }
    let mut reader = Reader::new("float column", bytes);
    match Parts::parse(&mut reader, values.len())? {
        Parts::Constant(value) => values.fill(value),
        Parts::Bits(column) => column.decode(bytemuck::must_cast_slice_mut(values))?,
        Parts::Decimals(column, power) => decode_decimals(&column, power, values)?,
        Parts::Corrected(column, power, corrections) => {
            decode_decimals(&column, power, values)?;
            let mut integers = vec![0; values.len()];
            corrections.decode(&mut integers)?;
            for (value, correction) in values.iter_mut().zip(integers) {
                *value = decimal::corrected(*value, correction);
            }
        }
    }
    Ok(reader.rest())
}

fn decode_decimals(column: &Column<'_>, power: f64, values: &mut [f64]) -> Result<(), DecodeError> {
    let integers: &mut [i64] = bytemuck::must_cast_slice_mut(values);
    column.decode(integers)?;
    // Whole numbers are common, and divisions slow.
    if power == 1.0 {
        for integer in integers {
            *integer = (*integer as f64).to_bits() as i64;
        }
    } else {
        for integer in integers {
            *integer = decimal::float(*integer, power).to_bits() as i64;
        }
    }
    Ok(())
}

/// The last of a column's `count` values, without decoding the others; `None` if `count` is 0.
///
/// # Errors
/// If the bytes are no column of that many values, as far as was looked.
pub fn last(bytes: &[u8], count: usize) -> Result<Option<f64>, DecodeError> {
    if count == 0 {
        return Ok(None);
    }
    Ok(Some(match Parts::parse(&mut Reader::new("float column", bytes), count)? {
        Parts::Constant(value) => value,
        Parts::Bits(column) => f64::from_bits(column.last() as u64),
        Parts::Decimals(column, power) => decimal::float(column.last(), power),
        Parts::Corrected(column, power, corrections) => {
            decimal::corrected(decimal::float(column.last(), power), corrections.last())
        }
    }))
}

/// A column, found but not decoded.
enum Parts<'a> {
    Constant(f64),
    Bits(Column<'a>),
    Decimals(Column<'a>, f64),
    Corrected(Column<'a>, f64, Column<'a>),
}

impl<'a> Parts<'a> {
    fn parse(reader: &mut Reader<'a>, count: usize) -> Result<Self, DecodeError> {
        let tag = reader.byte()?;
        let unknown = DecodeError::UnknownTag { what: "float column", tag };
        let power = || POWERS.get(usize::from(tag & EXPONENT)).copied().ok_or(unknown);
        Ok(match tag {
            ..SMALL_CONSTANTS => Self::Constant(tag.into()),
            DECIMALS..CORRECTED => {
                let power = power()?;
                Self::Decimals(Column::parse(reader, count)?, power)
            }
            CORRECTED..CONSTANT_DECIMAL => {
                let power = power()?;
                let column = Column::parse(reader, count)?;
                Self::Corrected(column, power, Column::parse(reader, count)?)
            }
            CONSTANT_DECIMAL..CONSTANT => {
                let power = power()?;
                Self::Constant(decimal::float(reader.signed()?, power))
            }
            CONSTANT => Self::Constant(f64::from_bits(reader.word()?)),
            BITS => Self::Bits(Column::parse(reader, count)?),
            _ => return Err(unknown),
        })
    }
}

#[cfg(test)]
mod tests {
    use model::STALE_NAN;
    use proptest::prelude::*;

    use super::*;

    /// Checks that the column reads back bit by bit, and returns its bytes.
    #[track_caller]
    fn check(values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        let mut decoded = vec![7.0; values.len()];
        assert_eq!(decode(&bytes, &mut decoded), Ok(&[][..]));
        for (at, (decoded, value)) in decoded.iter().zip(values).enumerate() {
            assert_eq!(decoded.to_bits(), value.to_bits(), "value {at}: {decoded} for {value}");
        }
        let last = last(&bytes, values.len()).unwrap();
        assert_eq!(last.map(f64::to_bits), values.last().map(|value| value.to_bits()));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length], &mut decoded).is_err(), "cut at {length}");
        }
        bytes
    }

    fn column(value: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..120).map(|i| value(f64::from(i))).collect()
    }

    #[test]
    fn constants_are_nearly_free() {
        assert_eq!(check(&[]), []);
        assert_eq!(check(&[0.0; 120]), [0]);
        assert_eq!(check(&[127.0; 120]), [127]);
        assert_eq!(check(&[-1.0; 120]), [CONSTANT_DECIMAL, 1]);
        assert_eq!(check(&[0.25; 120]), [CONSTANT_DECIMAL + 2, 50]);
        assert_eq!(check(&[33_554_432.0; 120]).len(), 5);
        for value in [-0.0, f64::NAN, STALE_NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX, 5e-324, 1.0 / 3.0] {
            assert_eq!(check(&[value; 120]).len(), 9);
        }
    }

    #[test]
    fn decimals_are_integers() {
        // Tag, head, last value, base; no bits at all for the values.
        assert_eq!(check(&column(|i| i)).len(), 5);
        assert_eq!(check(&column(|i| (2500.0 + i) / 100.0)).len(), 5);
        // A bit each.
        assert_eq!(check(&column(|i| (i % 2.0) / 1000.0)).len(), 3 + 15);
    }

    #[test]
    fn what_programs_computed_is_decimals_with_corrections() {
        let products = check(&column(|i| (i * i) * 0.001));
        assert_eq!(products[0], CORRECTED + 3);
        assert!(products.len() < 200, "{}", products.len());
        let mut sum = 0.0;
        let sums: Vec<f64> = (0..120)
            .map(|i| {
                sum += f64::from(i % 7) / 10.0;
                sum
            })
            .collect();
        let sums = check(&sums);
        assert_eq!(sums[0], CORRECTED + 1);
        assert!(sums.len() < 150, "{}", sums.len());
        // One value that is no number costs its bits, not those of all others.
        let nan = check(&column(|i| if i == 50.0 { f64::NAN } else { i }));
        assert!(nan.len() < 30, "{}", nan.len());
    }

    #[test]
    fn what_is_no_decimal_is_bits() {
        let roots = check(&column(|i| (i + 1000.0).sqrt()));
        assert_eq!(roots[0], BITS);
        assert!(roots.len() < 120 * 7);
        let alternating = check(&column(|i| if i % 2.0 == 0.0 { f64::NAN } else { -0.0 }));
        assert!(alternating.len() < 50, "{}", alternating.len());
        check(&[f64::MIN, f64::MAX, 0.0, -0.0, f64::NEG_INFINITY, 5e-324, -5e-324, STALE_NAN]);
        check(&[2f64.powi(51), 2f64.powi(51) - 1.0, -2f64.powi(51), 2f64.powi(53)]);
        check(&[1e12, 0.123_456_789]);
    }

    #[test]
    fn unknown_tags_are_refused() {
        for tag in [DECIMALS + 18, CORRECTED + 18, CONSTANT_DECIMAL + 18, 0xe2, 0xff] {
            let bytes = [tag, 0, 0, 0, 0, 0, 0, 0, 0];
            let error = Err(DecodeError::UnknownTag { what: "float column", tag });
            assert_eq!(decode(&bytes, &mut [0.0]), error, "{tag:#x}");
        }
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let decimal = (0..10i32, any::<i32>()).prop_map(|(k, n)| f64::from(n) / 10f64.powi(k));
        let product = (0..10i32, any::<i32>()).prop_map(|(k, n)| f64::from(n) * 10f64.powi(-k));
        let any_bits = any::<u64>().prop_map(f64::from_bits);
        let mixed = prop_oneof![6 => decimal.clone(), 2 => product, 1 => any_bits.clone()];
        let length = 1..140usize;
        let same_digits = (0..10i32, prop::collection::vec(-1000..1000i32, length.clone()))
            .prop_map(|(k, numbers)| numbers.into_iter().map(|n| f64::from(n) / 10f64.powi(k)).collect());
        let sums = prop::collection::vec(decimal, length.clone()).prop_map(|mut numbers| {
            for i in 1..numbers.len() {
                numbers[i] += numbers[i - 1];
            }
            numbers
        });
        prop_oneof![
            prop::collection::vec(mixed, length.clone()),
            prop::collection::vec(any_bits, length),
            same_digits,
            sums
        ]
    }

    proptest! {
        #[test]
        fn any_column_reads_back(values in values()) {
            check(&values);
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..120), count in 0..200usize) {
            let mut values = vec![0.0; count];
            if decode(&bytes, &mut values).is_ok() {
                let last = last(&bytes, count).unwrap();
                prop_assert_eq!(last.map(f64::to_bits), values.last().map(|value| value.to_bits()));
            }
        }
    }
}
