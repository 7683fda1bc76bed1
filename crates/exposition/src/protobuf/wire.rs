//! Messages as they are encoded: fields in any order, each with a number and a type.
//!
//! See <https://protobuf.dev/programming-guides/encoding/>. Nothing is copied: texts and messages are places in the page.

use std::fmt;
use std::ops::Range;

/// Why a message cannot be decoded. The messages are those of Prometheus' decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireError {
    /// It ends within a field.
    UnexpectedEnd,
    /// A number of more than 64 bits.
    Overflow,
    /// A field has another type than it must have.
    WrongType(u8),
    /// There is no such field number or type.
    IllegalTag(u64),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedEnd => f.write_str("unexpected EOF"),
            Self::Overflow => f.write_str("proto: integer overflow"),
            Self::WrongType(wire_type) => write!(f, "proto: wrong wireType = {wire_type}"),
            Self::IllegalTag(tag) => write!(f, "proto: illegal tag {} (wire type {})", tag >> 3, tag & 7),
        }
    }
}

/// A field's value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Varint(u64),
    Fixed64(u64),
    Bytes(Range<usize>),
    Fixed32,
}

impl Value {
    fn wire_type(&self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Fixed32 => 5,
        }
    }

    pub(super) fn varint(self) -> Result<u64, WireError> {
        match self {
            Self::Varint(value) => Ok(value),
            other => Err(WireError::WrongType(other.wire_type())),
        }
    }

    pub(super) fn double(self) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            other => Err(WireError::WrongType(other.wire_type())),
        }
    }

    pub(super) fn bytes(self) -> Result<Range<usize>, WireError> {
        match self {
            Self::Bytes(range) => Ok(range),
            other => Err(WireError::WrongType(other.wire_type())),
        }
    }
}

/// Undoes the coding of signed numbers that keeps small ones short.
pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Walks over the fields of a message.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    page: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Fields<'a> {
    /// The fields of the message at this place.
    pub(super) fn new(page: &'a [u8], message: Range<usize>) -> Self {
        Self { page, at: message.start, end: message.end.min(page.len()) }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    /// The next field's number and value.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value)>, WireError> {
        if self.is_at_end() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        let value = match tag & 7 {
            _ if number == 0 || number > i32::MAX as u32 => return Err(WireError::IllegalTag(tag)),
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.fixed64()?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => {
                self.take(4)?;
                Value::Fixed32
            }
            _ => return Err(WireError::IllegalTag(tag)),
        };
        Ok(Some((number, value)))
    }

    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let place = self.take(1)?;
            let byte = self.page[place.start];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Overflow)
    }

    pub(super) fn fixed64(&mut self) -> Result<u64, WireError> {
        let place = self.take(8)?;
        let bytes = self.page[place].first_chunk().ok_or(WireError::UnexpectedEnd)?;
        Ok(u64::from_le_bytes(*bytes))
    }

    fn take(&mut self, length: usize) -> Result<Range<usize>, WireError> {
        if length > self.end - self.at {
            return Err(WireError::UnexpectedEnd);
        }
        let start = self.at;
        self.at += length;
        Ok(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_all_types_are_read() {
        let page = b"\x08\x96\x01\x11\0\0\0\0\0\0\xf0\x3f\x1a\x02hi\x25\x01\x02\x03\x04";
        let mut fields = Fields::new(page, 0..page.len());
        let mut found = Vec::new();
        while let Some((number, value)) = fields.next().unwrap() {
            found.push(format!("{number} {value:?}"));
        }
        assert_eq!(found, ["1 Varint(150)", "2 Fixed64(4607182418800017408)", "3 Bytes(14..16)", "4 Fixed32"]);
        for end in 1..page.len() {
            let mut fields = Fields::new(page, 0..end);
            while let Ok(Some(_)) = fields.next() {}
        }
        assert_eq!([0, 1, 2, 3, u64::MAX].map(zigzag), [0, -1, 1, -2, i64::MIN]);
    }

    #[test]
    fn what_is_no_field_is_refused() {
        let read = |page: &[u8]| Fields::new(page, 0..page.len()).next().map(|_| ()).unwrap_err().to_string();
        assert_eq!(read(b"\x0a\x05hi"), "unexpected EOF");
        assert_eq!(read(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "proto: integer overflow");
        assert_eq!(read(b"\x0c"), "proto: illegal tag 1 (wire type 4)");
        assert_eq!(read(b"\x00"), "proto: illegal tag 0 (wire type 0)");
    }
}
