//! Pages of one block, read and checked.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use series::QueryError;

use crate::ByteRanges;
use crate::error::Damage;
use crate::footer::{Footer, TRAILER_BYTES, Trailer};
use crate::page::{Page, PageName};

/// How much of its end is read when a block is opened: of nearly all blocks the footer, and of most all index pages.
const TAIL_BYTES: u64 = 64 << 10;

/// The bytes of a block, and what it is called.
pub(crate) struct Pages {
    name: Arc<str>,
    source: Arc<dyn ByteRanges>,
    /// The end of the block, which was read with the footer and need not be read again.
    tail: Bytes,
    tail_start: u64,
}

impl Pages {
    /// Reads the end of a block.
    pub(crate) async fn open(name: Arc<str>, source: Arc<dyn ByteRanges>) -> Result<(Self, Footer), QueryError> {
        let length = source.len();
        let tail_start = length.saturating_sub(TAIL_BYTES);
        let mut pages = Self { name, source, tail: Bytes::new(), tail_start: length };
        // The end cannot be checked before its own last bytes are read: a damaged one is read once more as any page is.
        let mut first_try = true;
        loop {
            let tail = pages.read_range(tail_start..length).await?;
            match pages.footer(&tail, tail_start).await {
                Ok(footer) => {
                    (pages.tail, pages.tail_start) = (tail, tail_start);
                    return Ok((pages, footer));
                }
                Err(QueryError::Corrupt(_)) if first_try => {
                    pages.source.discard(tail_start..length);
                    first_try = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn footer(&self, tail: &Bytes, tail_start: u64) -> Result<Footer, QueryError> {
        let length = self.source.len();
        let trailer_start = length.saturating_sub(TRAILER_BYTES as u64);
        let trailer = Trailer::decode(tail, length);
        let trailer = trailer.map_err(|damage| self.corrupt(&PageName::Footer, trailer_start, &damage))?;
        let start = length - trailer.length;
        let footer = match start.checked_sub(tail_start) {
            Some(at) => tail.slice(at as usize..),
            None => self.read_range(start..length).await?,
        };
        let footer = trailer.decode_footer(&footer, length);
        footer.map_err(|damage| {
            self.source.discard(start..length);
            self.corrupt(&PageName::Footer, start, &damage)
        })
    }

    /// The bytes of some pages, in this order. Those that are not at hand travel together.
    ///
    /// # Errors
    /// [`QueryError::Corrupt`] if a page is damaged and, read once more, still is.
    pub(crate) async fn read(&self, pages: &[Page]) -> Result<Vec<Bytes>, QueryError> {
        let far: Vec<_> = pages.iter().map(|page| page.range.clone()).filter(|range| !self.is_at_hand(range)).collect();
        let mut travelled = if far.is_empty() { Vec::new() } else { self.read_ranges(far).await? }.into_iter();
        let mut all = Vec::with_capacity(pages.len());
        for page in pages {
            let bytes = match self.at_hand(&page.range) {
                Some(bytes) => bytes,
                None => travelled.next().unwrap_or_default(),
            };
            all.push(if page.check(&bytes).is_ok() { bytes } else { self.read_again(page).await? });
        }
        Ok(all)
    }

    /// Damage on the way or in a cache is not damage of the block: one more look tells.
    async fn read_again(&self, page: &Page) -> Result<Bytes, QueryError> {
        self.source.discard(page.range.clone());
        let bytes = self.read_range(page.range.clone()).await?;
        page.check(&bytes).map_err(|damage| self.corrupt(&page.name, page.range.start, &damage))?;
        Ok(bytes)
    }

    /// Bytes that nothing is known about.
    pub(crate) async fn read_range(&self, range: Range<u64>) -> Result<Bytes, QueryError> {
        let mut bytes = self.read_ranges(vec![range]).await?;
        Ok(bytes.pop().unwrap_or_default())
    }

    async fn read_ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, QueryError> {
        let lengths: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
        let answers = self.source.read(ranges).await?;
        if !answers.iter().map(|bytes| bytes.len() as u64).eq(lengths.iter().copied()) {
            let answered: Vec<_> = answers.iter().map(Bytes::len).collect();
            let message = format!("block {}: reading {lengths:?} bytes gave {answered:?}", self.name);
            return Err(QueryError::Unavailable(message));
        }
        Ok(answers)
    }

    /// That a page is damaged, in the words of whoever looks for it.
    pub(crate) fn corrupt(&self, page: &PageName, offset: u64, damage: &Damage) -> QueryError {
        QueryError::Corrupt(format!("block {}: {page} at byte {offset}: {damage}", self.name))
    }

    pub(crate) fn source(&self) -> &dyn ByteRanges {
        &*self.source
    }

    /// About how many bytes are held in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        self.tail.len() + self.name.len()
    }

    fn is_at_hand(&self, range: &Range<u64>) -> bool {
        range.start >= self.tail_start && range.end <= self.tail_start + self.tail.len() as u64
    }

    fn at_hand(&self, range: &Range<u64>) -> Option<Bytes> {
        let within = |at: u64| (at - self.tail_start) as usize;
        self.is_at_hand(range).then(|| self.tail.slice(within(range.start)..within(range.end)))
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({}, {} bytes)", self.name, self.source.len())
    }
}
