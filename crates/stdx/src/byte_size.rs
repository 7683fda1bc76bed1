//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, written `512MB`: units are powers of 1024, as in Prometheus' configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u32); 7] = [("EB", 60), ("PB", 50), ("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10), ("B", 0)];

impl ByteSize {
    /// `n` times 1024 bytes.
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// `n` times 1024² bytes.
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// `n` times 1024³ bytes.
    pub const fn gib(n: u64) -> Self {
        Self(n << 30)
    }

    /// The bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseByteSizeError {
    /// The unit is missing or none of ours.
    #[error("{0:?} is no size: give a number and one of B, KB, MB, GB, TB, PB, EB, such as 512MB")]
    Unit(String),
    /// What stands before the unit is no number.
    #[error("{0:?} is no size: {1:?} is no number")]
    Number(String, String),
    /// More than 2⁶⁴ − 1 bytes.
    #[error("{0:?} is too large a size")]
    TooLarge(String),
}

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    /// Reads `<number>[unit]`, where the number may have decimals (`1.5GB`), `KiB` means `KB`, and `0` needs no unit.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" {
            return Ok(Self(0));
        }
        let upper = text.to_ascii_uppercase().replace("IB", "B");
        let (number, shift) = UNITS
            .iter()
            .find_map(|(unit, shift)| upper.strip_suffix(unit).map(|number| (number.trim().to_owned(), *shift)))
            .ok_or_else(|| ParseByteSizeError::Unit(text.to_owned()))?;
        if let Ok(whole) = number.parse::<u64>() {
            let bytes = whole.checked_mul(1 << shift).ok_or_else(|| ParseByteSizeError::TooLarge(text.to_owned()))?;
            return Ok(Self(bytes));
        }
        match number.parse::<f64>() {
            Ok(value) if value >= 0.0 && number.starts_with(|c: char| c.is_ascii_digit()) => {
                let bytes = value * (1u64 << shift) as f64;
                if bytes >= u64::MAX as f64 {
                    return Err(ParseByteSizeError::TooLarge(text.to_owned()));
                }
                Ok(Self(bytes as u64))
            }
            _ => Err(ParseByteSizeError::Number(text.to_owned(), number)),
        }
    }
}

impl fmt::Display for ByteSize {
    /// Writes the largest unit that keeps the number whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, shift) =
            UNITS.iter().find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift).unwrap_or(&("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_sizes() {
        for (text, bytes, printed) in [
            ("0", 0, "0B"),
            ("1B", 1, "1B"),
            ("512MB", 512 << 20, "512MB"),
            ("1024KB", 1 << 20, "1MB"),
            ("1.5GiB", 3 << 29, "1536MB"),
            ("7EB", 7 << 60, "7EB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, printed), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_size() {
        for text in ["", "12", "MB", "-1MB", "1XB", "infGB", "NaNB", "16EB", "1e3KB x"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
