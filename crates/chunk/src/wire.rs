//! Numbers as bytes: what the headers of columns, and of whatever holds columns, are made of.

use crate::DecodeError;

/// Appends seven bits a byte, lowest first; the high bit says that more follow.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// [`put_varint`] of a number with a sign.
pub fn put_signed(value: i64, out: &mut Vec<u8>) {
    put_varint(zigzag(value), out);
}

/// 0, −1, 1, −2, … as 0, 1, 2, 3, …
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// `bit` if it is to be set.
pub(crate) fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

/// How many bits `value` needs: 0 for 0, 64 at most.
pub(crate) fn bit_length(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Takes numbers from the front of bytes that may be anything.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    // What is being read, for messages.
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; `what` they are is named in errors.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    /// The bytes that were not taken yet.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Says that nothing may be left.
    ///
    /// # Errors
    /// If something is.
    pub fn end(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { what: self.what, count }),
        }
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated(self.what))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// If there is none.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated(self.what))?;
        self.rest = rest;
        Ok(*first)
    }

    /// Takes eight bytes, lowest first.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn word(&mut self) -> Result<u64, DecodeError> {
        let (word, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated(self.what))?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*word))
    }

    /// Takes what [`put_varint`] wrote.
    ///
    /// # Errors
    /// If the bytes end early, or the number does not.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        // Most have a byte or two.
        let (value, rest) = match self.rest {
            [low, rest @ ..] if *low < 0x80 => (u64::from(*low), rest),
            [low, high, rest @ ..] if *high < 0x80 => (u64::from(*low & 0x7f) | u64::from(*high) << 7, rest),
            _ => return self.long_varint(),
        };
        self.rest = rest;
        Ok(value)
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::TooLarge { what: "a number's length in bytes", value: 11, limit: 10 })
    }

    /// Takes what [`put_signed`] wrote.
    ///
    /// # Errors
    /// As [`Reader::varint`].
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        Ok(unzigzag(self.varint()?))
    }

    /// Takes a number of at most `limit`, called `what` in the message that says otherwise.
    ///
    /// # Errors
    /// If it is larger, or the bytes end early.
    pub fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, DecodeError> {
        let value = self.varint()?;
        match usize::try_from(value) {
            Ok(count) if count <= limit => Ok(count),
            _ => Err(DecodeError::TooLarge { what, value, limit: limit as u64 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_are_short() {
        for (value, length) in [(0, 1), (63, 1), (-64, 1), (64, 2), (i64::MAX, 10), (i64::MIN, 10)] {
            let mut bytes = Vec::new();
            put_signed(value, &mut bytes);
            assert_eq!(bytes.len(), length, "{value}");
            assert_eq!(Reader::new("test", &bytes).signed(), Ok(value));
        }
        assert!(Reader::new("test", &[0xff; 11]).varint().is_err());
    }

    proptest! {
        #[test]
        fn numbers_read_back(value: u64) {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            let mut reader = Reader::new("test", &bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.end(), Ok(()));
            for length in 0..bytes.len() {
                prop_assert_eq!(Reader::new("test", &bytes[..length]).varint(), Err(DecodeError::Truncated("test")));
            }
            prop_assert_eq!(zigzag(unzigzag(value)), value);
        }
    }
}
