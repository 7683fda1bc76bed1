//! Lists of texts.
//!
//! ```text
//! lengths  column of numbers   in bytes
//! texts                        one after another, UTF-8
//! ```

use bytes::Bytes;
use chunk::wire::Reader;

use crate::column::{self, Column};
use crate::error::Damage;

/// Appends a list.
pub(crate) fn encode<'a>(texts: impl ExactSizeIterator<Item = &'a str> + Clone, out: &mut Vec<u8>) {
    column::encode(texts.clone().map(|text| text.len() as u64), out);
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Reads a list of `count` texts, which is all of `page`.
pub(crate) fn decode(what: &'static str, page: &Bytes, count: u64) -> Result<Texts, Damage> {
    let mut reader = Reader::new(what, page);
    let texts = Texts::take(page, &mut reader, usize::try_from(count).unwrap_or(usize::MAX))?;
    reader.end()?;
    Ok(texts)
}

/// A decoded list: one text, and where its parts end.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl Texts {
    /// Takes a list of `count` texts from a reader of `page`.
    pub(crate) fn take(page: &Bytes, reader: &mut Reader<'_>, count: usize) -> Result<Self, Damage> {
        let lengths = Column::take(page, reader, count)?;
        // Pages are smaller than 2^32 bytes, and so are all sums below if the whole is within the page.
        let total = lengths.sum().and_then(|total| usize::try_from(total).ok()).unwrap_or(usize::MAX);
        let text = std::str::from_utf8(reader.take(total)?).map_err(|_| Damage::Structure("a text is not UTF-8"))?;
        let mut end = 0;
        let mut ends = Vec::with_capacity(count);
        for length in lengths.iter() {
            end += length as u32;
            if !text.is_char_boundary(end as usize) {
                return Err(Damage::Structure("a text ends inside a character"));
            }
            ends.push(end);
        }
        Ok(Self { text: text.into(), ends: ends.into() })
    }

    /// The text at `at`.
    ///
    /// # Panics
    /// If there are not that many.
    pub(crate) fn get(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[at] as usize]
    }

    /// All texts, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|at| self.get(at))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// About how many bytes they take in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &Bytes, count: usize) -> Result<Vec<String>, Damage> {
        let texts = super::decode("test", bytes, count as u64)?;
        Ok(texts.iter().map(str::to_owned).collect())
    }

    #[test]
    fn what_are_no_texts_is_refused() {
        for (bytes, message) in [
            (&[1, 1, 1, 0xc3, 0xa4][..], "a text ends inside a character"),
            (&[1, 1, 1, 0xc3, 0xc3], "a text is not UTF-8"),
            (&[1, 1, 9, 0x61, 0x61], "test ends early"),
            (&[8, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0], "test ends early"),
        ] {
            assert_eq!(decode(&Bytes::from_static(bytes), 2).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_texts_read_back(texts in prop::collection::vec(".{0,6}", 0..20)) {
            let mut bytes = Vec::new();
            encode(texts.iter().map(String::as_str), &mut bytes);
            let bytes = Bytes::from(bytes);
            prop_assert_eq!(decode(&bytes, texts.len()).unwrap(), texts.clone());
            for length in 0..bytes.len() {
                prop_assert!(decode(&bytes.slice(..length), texts.len()).is_err());
            }
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..40), count in 0usize..9) {
            let _ = decode(&bytes.into(), count);
        }
    }
}
