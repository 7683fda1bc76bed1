//! Pages: the ranges of a block that are read whole, each with a checksum.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::WriteError;
use crate::error::Damage;

/// The most bytes that a page may have once it is decompressed: a bound to what corrupt bytes can ask for.
pub(crate) const MAX_PAGE: usize = 64 << 20;

/// Higher levels save a tenth of what is hardly a fiftieth of a block, at several times the cost.
const COMPRESSION_LEVEL: i32 = 3;

/// Which page it is, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageName {
    Data { group: usize, page: usize },
    Times(usize),
    Values { label: String, page: usize },
    Index(usize),
    Directory,
    Footer,
}

impl fmt::Display for PageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { group, page } => write!(f, "data page {page} of group {group}"),
            Self::Times(page) => write!(f, "times page {page}"),
            Self::Values { label, page } => write!(f, "values page {page} of label {label:?}"),
            Self::Index(group) => write!(f, "index page of group {group}"),
            Self::Directory => f.write_str("times directory"),
            Self::Footer => f.write_str("footer"),
        }
    }
}

/// Where a page is and what its bytes hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) name: PageName,
    /// Its bytes within the block.
    pub(crate) range: Range<u64>,
    /// xxh3, 64 bits, of these bytes.
    pub(crate) checksum: u64,
}

impl Page {
    /// Says whether `bytes` are what was written.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), Damage> {
        let found = xxh3_64(bytes);
        if found != self.checksum {
            return Err(Damage::Checksum { found, expected: self.checksum });
        }
        Ok(())
    }
}

/// The bytes of a page that is compressed, called `what` in the message that says that it is too large.
pub(crate) fn compress(what: &'static str, raw: &[u8]) -> Result<Vec<u8>, WriteError> {
    if raw.len() > MAX_PAGE {
        return Err(WriteError::TooLarge { what, size: raw.len(), limit: MAX_PAGE });
    }
    Ok(zstd::bulk::compress(raw, COMPRESSION_LEVEL)?)
}

/// What was compressed to `bytes`: `raw_length` bytes.
pub(crate) fn decompress(bytes: &[u8], raw_length: usize) -> Result<Bytes, Damage> {
    if raw_length > MAX_PAGE {
        return Err(Damage::Structure("it claims to be larger than any page"));
    }
    match zstd::bulk::decompress(bytes, raw_length) {
        Ok(raw) if raw.len() == raw_length => Ok(raw.into()),
        _ => Err(Damage::Compression(raw_length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_decompress_to_what_they_claim() {
        let raw = b"abcabcabcabcabcabcabcabcabcabcabcabcabcabcabc";
        let bytes = compress("test", raw).unwrap();
        assert_eq!(decompress(&bytes, raw.len()).unwrap(), &raw[..]);
        for (bytes, length) in [(&bytes[..], 44), (&bytes, 46), (&bytes[1..], 45), (&bytes, MAX_PAGE + 1), (&[], 1)] {
            assert!(decompress(bytes, length).is_err());
        }
    }

    #[test]
    fn other_bytes_are_noticed() {
        let page = Page { name: PageName::Times(2), range: 8..11, checksum: xxh3_64(b"abc") };
        assert!(page.check(b"abc").is_ok());
        let message = "the checksum is 6b4467b443c76228, not 78af5f94892f3950";
        assert_eq!(page.check(b"abd").unwrap_err().to_string(), message);
    }
}
