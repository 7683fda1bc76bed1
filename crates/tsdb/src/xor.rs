//! Floats: times by the change of their distance, values by the bits in which they differ from the one before.
//!
//! ```text
//! first   varint time, 64 bits of value
//! second  uvarint distance, value
//! others  change of the distance: 0 | 10 + 14 bits | 110 + 17 | 1110 + 20 | 1111 + 64, value
//! value   0: as before
//!         10, the bits that differ, in the window of the value before
//!         11, 5 bits: leading zeros, 6 bits: how many bits (0: 64), those bits
//! ```

use model::{Sample, Timestamp, Value};

use crate::DecodeError;
use crate::bits::{BitReader, BitWriter};
use crate::varbit::{fits, signed};

/// How many bits a change of distance may take behind so many ones.
const WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];
/// Leading zeros are told in five bits.
const MOST_LEADING: u32 = 31;

/// Values that are written, or read, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct XorValue {
    bits: u64,
    /// Leading and trailing zeros of the last difference that told its own.
    window: Option<(u32, u32)>,
}

impl XorValue {
    /// Begins with a value that is known in full.
    pub(crate) fn new(value: f64) -> Self {
        Self { bits: value.to_bits(), window: None }
    }

    pub(crate) fn write(&mut self, out: &mut BitWriter, value: f64) {
        let difference = self.bits ^ value.to_bits();
        self.bits = value.to_bits();
        if difference == 0 {
            return out.write(0, 1);
        }
        let (leading, trailing) = (difference.leading_zeros().min(MOST_LEADING), difference.trailing_zeros());
        if let Some((old_leading, old_trailing)) = self.window
            && leading >= old_leading
            && trailing >= old_trailing
        {
            out.write(0b10, 2);
            return out.write(difference >> old_trailing, 64 - old_leading - old_trailing);
        }
        self.window = Some((leading, trailing));
        let significant = 64 - leading - trailing;
        out.write(0b11, 2);
        out.write(u64::from(leading), 5);
        // 64 bits are told as 0, which is what six bits of it are.
        out.write(u64::from(significant), 6);
        out.write(difference >> trailing, significant);
    }

    pub(crate) fn read(&mut self, bits: &mut BitReader<'_>) -> Result<f64, DecodeError> {
        if bits.read_bit()? {
            if bits.read_bit()? {
                let leading = bits.read(5)? as u32;
                let significant = match bits.read(6)? as u32 {
                    0 => 64,
                    significant => significant,
                };
                let trailing = 64u32.checked_sub(leading + significant);
                let trailing = trailing.ok_or(DecodeError::Corrupt("a value has more than 64 bits"))?;
                self.window = Some((leading, trailing));
            }
            let (leading, trailing) = self.window.ok_or(DecodeError::Corrupt("a value lacks its window"))?;
            self.bits ^= bits.read(64 - leading - trailing)? << trailing;
        }
        Ok(f64::from_bits(self.bits))
    }
}

/// A chunk of floats that grows.
#[derive(Clone, Debug)]
pub(crate) struct FloatWriter {
    out: BitWriter,
    /// The time of the last sample, and its distance from the one before.
    time: i64,
    distance: i64,
    value: XorValue,
    count: u16,
}

impl FloatWriter {
    pub(crate) fn new(time: i64, value: f64) -> Self {
        let mut out = BitWriter::default();
        out.write_varint(time);
        out.write(value.to_bits(), 64);
        Self { out, time, distance: 0, value: XorValue::new(value), count: 1 }
    }

    pub(crate) fn push(&mut self, time: i64, value: f64) {
        let distance = time.wrapping_sub(self.time);
        if self.count == 1 {
            self.out.write_uvarint(distance as u64);
        } else {
            let change = distance.wrapping_sub(self.distance);
            let ones = (0..4).find(|ones| fits(change, WIDTHS[*ones])).unwrap_or(4);
            // The longest prefix has no 0 at its end.
            let prefix = if ones == 4 { (0b1111, 4) } else { ((1 << (ones + 1)) - 2, ones as u32 + 1) };
            self.out.write(prefix.0, prefix.1);
            self.out.write(change as u64, WIDTHS[ones]);
        }
        self.value.write(&mut self.out, value);
        (self.time, self.distance) = (time, distance);
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.count.to_be_bytes().to_vec();
        bytes.extend(self.out.into_bytes());
        bytes
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Sample>, DecodeError> {
    let mut bits = BitReader::new(bytes);
    let count = bits.read(16)?;
    let mut samples = Vec::new();
    if count == 0 {
        return Ok(samples);
    }
    let mut time = bits.read_varint()?;
    let mut value = XorValue::new(f64::from_bits(bits.read(64)?));
    let mut distance = 0i64;
    samples.push(sample(time, f64::from_bits(value.bits)));
    for number in 1..count {
        distance = if number == 1 {
            bits.read_uvarint()? as i64
        } else {
            let width = WIDTHS[bits.read_ones(4)? as usize];
            let change = if width == 0 { 0 } else { signed(bits.read(width)?, width) };
            distance.wrapping_add(change)
        };
        time = time.wrapping_add(distance);
        samples.push(sample(time, value.read(&mut bits)?));
    }
    Ok(samples)
}

fn sample(time: i64, value: f64) -> Sample {
    Sample { timestamp: Timestamp(time), value: Value::Float(value) }
}
