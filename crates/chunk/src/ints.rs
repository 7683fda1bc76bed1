//! Columns of integers: what every other column is made of.
//!
//! ```text
//! head     u8      bits 0–5 width of a residual (63 stands for 64), bit 6: differences, bit 7: extras follow
//! extras   u8      only if announced; bit 0: divisor, bit 1: patches, others 0
//! last     signed  only with differences: the last value
//! base     signed
//! divisor  varint  only if announced
//! patches          only if announced, see `patches`
//! packed           residuals
//! ```
//!
//! Plain: `value[i] = base + divisor · residual[i]`.
//! Differences: `value[i + 1] − value[i] = base + divisor · residual[i]`, so there is one residual less than values; the
//! chain hangs at its end because the last value is the one most asked for.
//! The width is that of most residuals, not of the largest: one that needs more has its higher bits in a patch.
//! All sums wrap around at 64 bits, hence any column is possible.

mod divisor;
mod patches;
mod window;

use self::divisor::{divide, divisor};
use self::patches::Patches;
use self::window::Window;
use crate::wire::{Reader, flag, put_signed, put_varint};
use crate::{DecodeError, bits};

const WIDTH: u8 = 0x3f;
const DIFFERENCES: u8 = 0x40;
const EXTRAS: u8 = 0x80;

const DIVISOR: u8 = 1;
const PATCHES: u8 = 1 << 1;

/// Appends a column; nothing for no values. Leaves `values` in disorder: they are the scratch space.
pub(crate) fn encode(values: &mut [i64], out: &mut Vec<u8>) {
    let Some((&first, &last)) = values.first().zip(values.last()) else {
        return;
    };
    let divisor = divisor(values, first);
    divide(values, first, divisor);
    let mut steps: Vec<i64> = values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let plain = Window::around_centre(values);
    let stepped = Window::around_centre(&steps);
    // Differences cost one number more in the header, about a byte.
    let differences = stepped.cost + 8 < plain.cost;
    let (residuals, centred, origin) = if differences { (&mut steps[..], stepped, 0) } else { (values, plain, first) };
    let Window { base, width, .. } = centred.or_cheaper(Window::from_lowest(residuals));
    for residual in residuals.iter_mut() {
        *residual = residual.wrapping_sub(base);
    }
    let patches = patches::above(residuals, width);
    // Where nothing is packed, nothing needs to be multiplied.
    let divided = divisor > 1 && (width > 0 || !patches.is_empty());
    let extras = flag(divided, DIVISOR) | flag(!patches.is_empty(), PATCHES);

    let announced = flag(differences, DIFFERENCES) | flag(extras != 0, EXTRAS);
    out.push(width.min(63) as u8 | announced);
    if extras != 0 {
        out.push(extras);
    }
    if differences {
        put_signed(last, out);
    }
    put_signed(origin.wrapping_add(base.wrapping_mul(divisor as i64)), out);
    if divided {
        put_varint(divisor, out);
    }
    if !patches.is_empty() {
        patches::put(&patches, residuals.len(), out);
    }
    let low = u64::MAX.unbounded_shr(u64::BITS - width);
    bits::pack(residuals.iter().map(|residual| *residual as u64 & low), width, out);
}

/// A column's parts, found but not unpacked.
pub(crate) struct Column<'a> {
    count: usize,
    // The last value, if the residuals are those of differences.
    last: Option<i64>,
    base: i64,
    divisor: i64,
    width: u32,
    patches: Patches<'a>,
    packed: &'a [u8],
}

impl<'a> Column<'a> {
    /// Finds the parts of a column of `count` values, at least 1. Cost does not depend on `count`.
    pub(crate) fn parse(reader: &mut Reader<'a>, count: usize) -> Result<Self, DecodeError> {
        let head = reader.byte()?;
        let extras = if head & EXTRAS != 0 { reader.byte()? } else { 0 };
        if extras & !(DIVISOR | PATCHES) != 0 {
            return Err(DecodeError::UnknownTag { what: "integer column", tag: extras });
        }
        let width = match head & WIDTH {
            63 => u64::BITS,
            width => u32::from(width),
        };
        let last = if head & DIFFERENCES != 0 { Some(reader.signed()?) } else { None };
        let residuals = count - usize::from(last.is_some());
        let base = reader.signed()?;
        let divisor = if extras & DIVISOR != 0 { reader.varint()? as i64 } else { 1 };
        let patches = if extras & PATCHES != 0 { Patches::parse(reader, residuals)? } else { Patches::default() };
        let packed = reader.take(bits::packed_len(residuals, width))?;
        Ok(Self { count, last, base, divisor, width, patches, packed })
    }

    /// Fills `values`, which has the column's length.
    pub(crate) fn decode(&self, values: &mut [i64]) -> Result<(), DecodeError> {
        debug_assert_eq!(values.len(), self.count);
        let residuals = &mut values[..self.residuals()];
        bits::unpack(self.packed, self.width, residuals);
        self.patches.apply(residuals, self.width)?;
        if self.divisor != 1 {
            for residual in residuals.iter_mut() {
                *residual = residual.wrapping_mul(self.divisor);
            }
        }
        match self.last {
            None => {
                for residual in residuals {
                    *residual = residual.wrapping_add(self.base);
                }
            }
            Some(last) => {
                let mut value = last;
                for residual in residuals.iter_mut().rev() {
                    value = value.wrapping_sub(self.base.wrapping_add(*residual));
                    *residual = value;
                }
                values[self.count - 1] = last;
            }
        }
        Ok(())
    }

    /// The last value, at a cost that depends on the number of patches only.
    pub(crate) fn last(&self) -> i64 {
        self.last.unwrap_or_else(|| {
            let at = self.count - 1;
            let low = bits::get(self.packed, self.width, at) as i64;
            let residual = low | self.patches.find(at).unbounded_shl(self.width);
            residual.wrapping_mul(self.divisor).wrapping_add(self.base)
        })
    }

    fn residuals(&self) -> usize {
        self.count - usize::from(self.last.is_some())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(values: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut values.to_vec(), &mut bytes);
        bytes
    }

    /// Checks that the column reads back, and returns how many bytes it takes.
    #[track_caller]
    fn check(values: &[i64]) -> usize {
        let bytes = encoded(values);
        let mut reader = Reader::new("test", &bytes);
        let column = Column::parse(&mut reader, values.len()).unwrap();
        assert_eq!(reader.end(), Ok(()));
        let mut decoded = vec![-7; values.len()];
        column.decode(&mut decoded).unwrap();
        assert_eq!(decoded, values);
        assert_eq!(column.last(), *values.last().unwrap());
        bytes.len()
    }

    #[test]
    fn regular_columns_are_small() {
        let column = |value: fn(i64) -> i64| (0..128).map(value).collect::<Vec<_>>();
        assert_eq!(check(&column(|_| 5)), 2);
        assert_eq!(check(&column(|i| 1_000 + 15 * i)), 4);
        assert_eq!(check(&column(|i| i64::MIN + i)), 12);
        // One bit each, in steps of 4096.
        assert_eq!(check(&column(|i| 4096 * (i % 2))), 5 + 16);
        // A single outlier, high or low, costs a few bytes and not a wider column.
        let quiet = check(&column(|i| i * i % 7));
        assert!(check(&column(|i| if i == 77 { 1 << 40 } else { i * i % 7 })) < quiet + 12);
        assert!(check(&column(|i| if i == 77 { -(1 << 40) } else { i * i % 7 })) < quiet + 14);
        // A counter that starts again.
        assert!(check(&column(|i| if i < 60 { 1 << 30 } else { 0 } + i * 100 + i * i % 7)) < quiet + 14);
    }

    #[test]
    fn extremes_wrap_around() {
        check(&[i64::MIN, i64::MAX]);
        check(&[i64::MAX, i64::MIN, 0, -1, 1]);
        check(&[i64::MIN, 0]);
        check(&[0, i64::MIN, 0, i64::MIN]);
        check(&[i64::MAX - 1, i64::MAX, i64::MIN, i64::MIN + 1]);
    }

    fn column() -> impl Strategy<Value = Vec<i64>> {
        let value = prop_oneof![
            8 => -20..20i64,
            2 => (-50..50i64).prop_map(|n| n * 12_288),
            1 => any::<i64>(),
            1 => prop::sample::select(vec![i64::MIN, i64::MAX, 0]),
        ];
        let sums = |mut values: Vec<i64>| {
            for i in 1..values.len() {
                values[i] = values[i].wrapping_add(values[i - 1]);
            }
            values
        };
        let values = prop::collection::vec(value, 1..200);
        prop_oneof![values.clone(), values.prop_map(sums)]
    }

    proptest! {
        #[test]
        fn any_column_reads_back(values in column(), numbers in prop::collection::vec(any::<i64>(), 1..20)) {
            check(&values);
            check(&numbers);
        }

        #[test]
        fn cut_columns_are_refused(values in column()) {
            let bytes = encoded(&values);
            for length in 0..bytes.len() {
                prop_assert!(Column::parse(&mut Reader::new("test", &bytes[..length]), values.len()).is_err());
            }
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..100), count in 1..150usize) {
            if let Ok(column) = Column::parse(&mut Reader::new("test", &bytes), count) {
                let mut values = vec![0; count];
                if column.decode(&mut values).is_ok() {
                    prop_assert_eq!(column.last(), *values.last().unwrap());
                }
            }
        }
    }
}
