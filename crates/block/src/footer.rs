//! The end of a block, which says where everything else is.
//!
//! ```text
//! footer page, compressed:
//!   flags     u8              bit 0: series lie in the order of their labels
//!   groups    varint
//!   times     varint          how many times pages
//!   names     varint          how many label names
//!   values    varint each     for each label name, how many values pages
//!   base      signed          the time of the first sample
//!   metrics   texts           for each group, its first and its last metric name
//!   labels    texts           the label names, ascending
//!   samples   column          of each group
//!   data      column          of each group: bytes of its data pages
//!   starts    column          of each group: the time of its first sample, less base
//!   spans     column          of each group: ms from its first to its last sample
//!   index     pages           one for each group; held: series
//!   times     pages           held: columns of timestamps; not compressed
//!   directory pages           one; held: columns of timestamps
//!   values    pages           held: label values
//!
//! pages       four columns: held, bytes, raw (bytes once decompressed, 0 if it is not compressed), checksums
//!
//! trailer:
//!   bytes     u32             of the footer page
//!   raw       u32             of the footer, decompressed
//!   version   u32
//!   checksum  u64             xxh3 of the footer page and the three numbers after it
//!   magic     8 bytes
//! ```
//!
//! The block begins with the same magic. Then come, without gaps, the data of the groups, times pages, values pages (label
//! by label), index pages, the directory of the columns of timestamps, the footer page, the trailer.

use bytes::Bytes;
use chunk::wire::{Reader, put_signed, put_varint};
use model::{TimeRange, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::column::{self, Column};
use crate::error::{Damage, WriteError};
use crate::page::{self, MAX_PAGE, Page, PageName};
use crate::texts::{self, Texts};
use crate::times::MAX_COLUMNS;

/// What a block begins and ends with.
pub(crate) const MAGIC: [u8; 8] = *b"RWBLOCK\n";
/// The version that is written. Readers know it and all before it.
pub(crate) const VERSION: u32 = 1;
/// How long the trailer is.
pub(crate) const TRAILER_BYTES: usize = 28;
/// The most groups, pages of a kind and label names that a reader accepts: what corrupt bytes can ask for.
const MAX_LISTED: usize = 1 << 20;

const IN_LABEL_ORDER: u8 = 1;

/// What a reader knows of a block before it reads any page.
#[derive(Debug, Default)]
pub(crate) struct Footer {
    /// Where it begins.
    pub(crate) start: u64,
    /// Whether series lie in the order of their labels, not only in that of their metric names.
    pub(crate) in_label_order: bool,
    pub(crate) groups: Vec<GroupEntry>,
    /// Held: columns of timestamps.
    pub(crate) times: Vec<PageEntry>,
    /// Held: all columns of timestamps, at most [`MAX_COLUMNS`].
    pub(crate) directory: PageEntry,
    /// Ascending by name.
    pub(crate) labels: Vec<LabelEntry>,
}

/// A group, as the footer knows it.
#[derive(Clone, Debug)]
pub(crate) struct GroupEntry {
    pub(crate) first_metric: Box<str>,
    pub(crate) last_metric: Box<str>,
    pub(crate) samples: u64,
    /// The times of its first and its last sample, in ms.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Where its data pages begin, and how long they are together.
    pub(crate) data_start: u64,
    pub(crate) data_bytes: u64,
    pub(crate) index: PageEntry,
}

/// A label name, and the pages of its values.
#[derive(Clone, Debug)]
pub(crate) struct LabelEntry {
    pub(crate) name: Box<str>,
    pub(crate) pages: Vec<PageEntry>,
}

/// A page, as the footer knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageEntry {
    pub(crate) start: u64,
    pub(crate) bytes: u64,
    /// Bytes once decompressed; 0 if it is not compressed.
    pub(crate) raw: u64,
    /// How many things are in it.
    pub(crate) held: u64,
    pub(crate) checksum: u64,
}

impl PageEntry {
    pub(crate) fn page(&self, name: PageName) -> Page {
        Page { name, range: self.start..self.start + self.bytes, checksum: self.checksum }
    }

    /// What is in the bytes of a compressed page.
    pub(crate) fn decompress(&self, bytes: &[u8]) -> Result<Bytes, Damage> {
        page::decompress(bytes, usize::try_from(self.raw).unwrap_or(usize::MAX))
    }
}

impl Footer {
    /// The footer page and the trailer.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, WriteError> {
        let values = self.labels.iter().map(|label| label.pages.len()).sum();
        for (what, size) in [
            ("number of groups", self.groups.len()),
            ("number of times pages", self.times.len()),
            ("number of label names", self.labels.len()),
            ("number of values pages", values),
        ] {
            if size > MAX_LISTED {
                return Err(WriteError::TooLarge { what, size, limit: MAX_LISTED });
            }
        }
        seal(&self.encode_raw())
    }

    pub(crate) fn encode_raw(&self) -> Vec<u8> {
        let mut raw = vec![if self.in_label_order { IN_LABEL_ORDER } else { 0 }];
        for count in [self.groups.len(), self.times.len(), self.labels.len()] {
            put_varint(count as u64, &mut raw);
        }
        for label in &self.labels {
            put_varint(label.pages.len() as u64, &mut raw);
        }
        let base = self.groups.iter().map(|group| group.first).min().unwrap_or_default();
        put_signed(base, &mut raw);
        let metrics: Vec<&str> =
            self.groups.iter().flat_map(|group| [&*group.first_metric, &*group.last_metric]).collect();
        texts::encode(metrics.into_iter(), &mut raw);
        texts::encode(self.labels.iter().map(|label| &*label.name), &mut raw);
        column::encode(self.groups.iter().map(|group| group.samples), &mut raw);
        column::encode(self.groups.iter().map(|group| group.data_bytes), &mut raw);
        column::encode(self.groups.iter().map(|group| group.first.abs_diff(base)), &mut raw);
        column::encode(self.groups.iter().map(|group| group.last.abs_diff(group.first)), &mut raw);
        encode_pages(&self.groups.iter().map(|group| group.index).collect::<Vec<_>>(), &mut raw);
        encode_pages(&self.times, &mut raw);
        encode_pages(&[self.directory], &mut raw);
        encode_pages(&self.labels.iter().flat_map(|label| label.pages.iter().copied()).collect::<Vec<_>>(), &mut raw);
        raw
    }

    fn decode(raw: &Bytes, footer_start: u64) -> Result<Self, Damage> {
        let mut reader = Reader::new("footer", raw);
        let flags = reader.byte()?;
        let groups = reader.count("a number of groups", MAX_LISTED)?;
        let times = reader.count("a number of times pages", MAX_LISTED)?;
        let names = reader.count("a number of label names", MAX_LISTED)?;
        let mut values = Vec::new();
        let mut values_sum = 0;
        for _ in 0..names {
            let pages = reader.count("a number of values pages", MAX_LISTED - values_sum)?;
            values_sum += pages;
            values.push(pages);
        }
        let base = reader.signed()?;
        let metrics = Texts::take(raw, &mut reader, 2 * groups)?;
        let names = Texts::take(raw, &mut reader, names)?;
        let mut column = || Column::take(raw, &mut reader, groups);
        let [samples, data, starts, spans] = [column()?, column()?, column()?, column()?];
        let mut lists = [groups, times, 1, values_sum].into_iter();
        let mut pages = || PageList::take(raw, &mut reader, lists.next().unwrap_or_default());
        let [index, times, directory, values_pages] = [pages()?, pages()?, pages()?, pages()?];
        reader.end()?;

        // Everything lies side by side, so that sizes say where.
        let mut at = MAGIC.len() as u64;
        let data_starts = data.iter().map(|bytes| advance(&mut at, bytes)).collect::<Result<Vec<_>, _>>()?;
        let times = times.place(&mut at)?;
        let mut values_pages = values_pages.place(&mut at)?.into_iter();
        let index = index.place(&mut at)?;
        let directory = directory.place(&mut at)?[0];
        if at != footer_start {
            return Err(Damage::Structure("its pages do not fill the block"));
        }
        let columns = times.iter().try_fold(0u64, |sum, page| sum.checked_add(page.held));
        if columns != Some(directory.held) || directory.held > MAX_COLUMNS as u64 {
            return Err(Damage::Structure("its times pages have other columns than its directory"));
        }
        let labels = names.iter().zip(values);
        let labels = labels
            .map(|(name, pages)| LabelEntry { name: name.into(), pages: values_pages.by_ref().take(pages).collect() });
        let group = |at: usize| {
            let first = base.wrapping_add_unsigned(starts.get(at));
            GroupEntry {
                first_metric: metrics.get(2 * at).into(),
                last_metric: metrics.get(2 * at + 1).into(),
                samples: samples.get(at),
                first,
                last: first.wrapping_add_unsigned(spans.get(at)),
                data_start: data_starts[at],
                data_bytes: data.get(at),
                index: index[at],
            }
        };
        let groups = (0..groups).map(group).collect();
        let in_label_order = flags & IN_LABEL_ORDER != 0;
        Ok(Self { start: footer_start, in_label_order, groups, times, directory, labels: labels.collect() })
    }

    /// A label name.
    pub(crate) fn label(&self, name: &str) -> Option<&LabelEntry> {
        let found = self.labels.binary_search_by(|label| (*label.name).cmp(name));
        found.ok().map(|at| &self.labels[at])
    }

    /// How many series there are.
    pub(crate) fn series_count(&self) -> u64 {
        self.groups.iter().fold(0, |sum, group| sum.wrapping_add(group.index.held))
    }

    /// How many samples there are.
    pub(crate) fn sample_count(&self) -> u64 {
        self.groups.iter().fold(0, |sum, group| sum.wrapping_add(group.samples))
    }

    /// From the first sample to just after the last.
    pub(crate) fn range(&self) -> TimeRange {
        let first = self.groups.iter().map(|group| group.first).min();
        let last = self.groups.iter().map(|group| group.last).max();
        match first.zip(last) {
            Some((first, last)) => TimeRange::inclusive(Timestamp(first), Timestamp(last)),
            None => TimeRange::new(Timestamp(0), Timestamp(0)),
        }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        let groups = self.groups.iter().map(|group| group.first_metric.len() + group.last_metric.len());
        let labels = self.labels.iter().map(|label| label.name.len() + label.pages.len() * size_of::<PageEntry>());
        groups.sum::<usize>()
            + labels.sum::<usize>()
            + self.groups.len() * size_of::<GroupEntry>()
            + self.labels.len() * size_of::<LabelEntry>()
            + self.times.len() * size_of::<PageEntry>()
    }
}

/// The footer page and the trailer of a footer that is not compressed yet.
pub(crate) fn seal(raw: &[u8]) -> Result<Vec<u8>, WriteError> {
    let mut out = page::compress("footer", raw)?;
    for number in [out.len(), raw.len(), VERSION as usize] {
        out.extend_from_slice(&(number as u32).to_le_bytes());
    }
    out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
    out.extend_from_slice(&MAGIC);
    Ok(out)
}

/// The place of `bytes` bytes after those before.
fn advance(at: &mut u64, bytes: u64) -> Result<u64, Damage> {
    let start = *at;
    *at = start.checked_add(bytes).ok_or(Damage::Structure("its pages are longer than any block"))?;
    Ok(start)
}

fn encode_pages(pages: &[PageEntry], out: &mut Vec<u8>) {
    column::encode(pages.iter().map(|page| page.held), out);
    column::encode(pages.iter().map(|page| page.bytes), out);
    column::encode(pages.iter().map(|page| page.raw), out);
    column::encode(pages.iter().map(|page| page.checksum), out);
}

struct PageList {
    held: Column,
    bytes: Column,
    raw: Column,
    checksums: Column,
}

impl PageList {
    fn take(raw: &Bytes, reader: &mut Reader<'_>, count: usize) -> Result<Self, Damage> {
        let mut column = || Column::take(raw, reader, count);
        Ok(Self { held: column()?, bytes: column()?, raw: column()?, checksums: column()? })
    }

    /// The pages, which begin at `at`; moves it behind them.
    fn place(&self, at: &mut u64) -> Result<Vec<PageEntry>, Damage> {
        let page = |page: usize| {
            Ok(PageEntry {
                start: advance(at, self.bytes.get(page))?,
                bytes: self.bytes.get(page),
                raw: self.raw.get(page),
                held: self.held.get(page),
                checksum: self.checksums.get(page),
            })
        };
        (0..self.bytes.len()).map(page).collect()
    }
}

/// The trailer of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trailer {
    /// How long the footer page and the trailer are.
    pub(crate) length: u64,
    raw_length: usize,
}

impl Trailer {
    /// Reads the last bytes of a block of `block_length` bytes, as many as there are, [`TRAILER_BYTES`] at least.
    pub(crate) fn decode(tail: &[u8], block_length: u64) -> Result<Self, Damage> {
        let start = tail.len().checked_sub(TRAILER_BYTES).ok_or(Damage::Structure("it is too short to be a block"))?;
        let (numbers, magic) = tail[start..].split_at(TRAILER_BYTES - MAGIC.len());
        if magic != MAGIC {
            return Err(Damage::Structure("it does not end like a block"));
        }
        let number = |at: usize| numbers[4 * at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if number(2) != VERSION {
            return Err(Damage::Version(number(2)));
        }
        let [bytes, raw_length] = [0, 1].map(|at| number(at) as usize);
        let length = (bytes + TRAILER_BYTES) as u64;
        if bytes > MAX_PAGE || length + MAGIC.len() as u64 > block_length {
            return Err(Damage::Structure("it is longer than the block"));
        }
        Ok(Self { length, raw_length })
    }

    /// Reads the footer from the last [`Trailer::length`] bytes of a block of `block_length` bytes.
    pub(crate) fn decode_footer(self, tail: &[u8], block_length: u64) -> Result<Footer, Damage> {
        let (checked, sum) = tail.split_at(tail.len() - MAGIC.len() - size_of::<u64>());
        let expected = sum.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let found = xxh3_64(checked);
        if found != expected {
            return Err(Damage::Checksum { found, expected });
        }
        let page = &tail[..tail.len() - TRAILER_BYTES];
        Footer::decode(&page::decompress(page, self.raw_length)?, block_length - self.length)
    }
}
