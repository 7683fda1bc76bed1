//! Streams of bits, the most significant bit of each byte first.

use crate::DecodeError;

/// Bits as they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// How many bits of the last byte are free.
    free: u32,
}

impl BitWriter {
    /// A stream that goes on behind whole bytes.
    pub(crate) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// Writes the lowest `count` bits of `value`, the highest of them first.
    pub(crate) fn write(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 64, "a value has 64 bits");
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let bits = (value >> (left - taken)) & ((1 << taken) - 1);
            *self.bytes.last_mut().expect("a byte was pushed") |= (bits as u8) << (self.free - taken);
            self.free -= taken;
            left -= taken;
        }
    }

    /// Writes seven bits a byte, the lowest ones first; the highest bit of a byte says that there are more.
    pub(crate) fn write_uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.write(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.write(value, 8);
    }

    /// As [`Self::write_uvarint`], small numbers of either sign being short.
    pub(crate) fn write_varint(&mut self, value: i64) {
        self.write_uvarint((value << 1 ^ value >> 63) as u64);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bits as they are read.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// How many bits were read.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads `count` bits, 64 at the most.
    pub(crate) fn read(&mut self, count: u32) -> Result<u64, DecodeError> {
        let mut value = 0;
        let mut left = count;
        while left > 0 {
            let byte = *self.bytes.get(self.at / 8).ok_or(DecodeError::Truncated)?;
            let available = 8 - (self.at % 8) as u32;
            let taken = left.min(available);
            let bits = (byte >> (available - taken)) & (0xff >> (8 - taken));
            value = value << taken | u64::from(bits);
            self.at += taken as usize;
            left -= taken;
        }
        Ok(value)
    }

    pub(crate) fn read_bit(&mut self) -> Result<bool, DecodeError> {
        Ok(self.read(1)? == 1)
    }

    /// How many bits are 1 before the first 0, of `most` bits that are looked at.
    pub(crate) fn read_ones(&mut self, most: u32) -> Result<u32, DecodeError> {
        for ones in 0..most {
            if !self.read_bit()? {
                return Ok(ones);
            }
        }
        Ok(most)
    }

    pub(crate) fn read_uvarint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.read(8)?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Corrupt("a varint has more than 64 bits"))
    }

    pub(crate) fn read_varint(&mut self) -> Result<i64, DecodeError> {
        let value = self.read_uvarint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// How many bits are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }
}
