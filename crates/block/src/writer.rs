//! How a block is written.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use chunk::Chunk;
use chunk::presence::State;
use foldhash::fast::FixedState;
use model::Labels;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::WriteError;
use crate::footer::{Footer, GroupEntry, LabelEntry, MAGIC, PageEntry};
use crate::group::GroupBuilder;
use crate::page::compress;
use crate::times::TimesBuilder;
use crate::{BlockSummary, TimesRef, texts};

/// How many bytes of label values share a page.
const VALUES_PAGE_BYTES: usize = 256 << 10;

/// A chunk of a series, encoded.
#[derive(Clone, Copy, Debug)]
pub struct ChunkRef<'a> {
    /// The timestamps of its rows.
    pub times: TimesRef,
    /// See `docs/formats/chunk.md`.
    pub bytes: &'a [u8],
}

/// Writes a block.
///
/// Takes memory for a group of series (a few MiB), all label texts, and the parts at the end of the block: index pages and
/// columns of timestamps, together a few bytes per series. The rest goes to `W` as it comes.
/// The same calls give the same bytes.
pub struct BlockWriter<W> {
    out: Output<W>,
    times: TimesBuilder,
    group: GroupBuilder,
    stats: GroupStats,
    groups: Vec<GroupEntry>,
    // The index pages of these groups.
    index: Vec<Vec<u8>>,
    values: BTreeMap<Box<str>, HashSet<Box<str>, FixedState>>,
    previous: Option<Labels>,
    in_label_order: bool,
    chunk_count: u64,
}

/// What the footer says of the group at hand.
#[derive(Default)]
struct GroupStats {
    first_metric: Box<str>,
    last_metric: Box<str>,
    samples: u64,
    // The times of the first and the last sample.
    bounds: Option<(i64, i64)>,
}

/// A chunk that has samples.
struct Checked<'a> {
    bytes: &'a [u8],
    times: TimesRef,
    samples: u64,
    // The times of its first and last sample, and how far they are from those of its timestamps.
    bounds: (i64, i64),
    late: u64,
    early: u64,
}

impl<W: Write> BlockWriter<W> {
    /// A block that goes to `out`, which should be buffered: it gets the data of a group at a time.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn new(out: W) -> Result<Self, WriteError> {
        let mut out = Output { to: out, hash: Xxh3::new(), written: 0 };
        out.write(&MAGIC)?;
        Ok(Self {
            out,
            times: TimesBuilder::default(),
            group: GroupBuilder::default(),
            stats: GroupStats::default(),
            groups: Vec::new(),
            index: Vec::new(),
            values: BTreeMap::new(),
            previous: None,
            in_label_order: true,
            chunk_count: 0,
        })
    }

    /// Makes a column of timestamps known, as `chunk::times` encoded it. One that was added before is not stored again.
    ///
    /// # Errors
    /// If it is no column, empty, or does not ascend.
    pub fn add_times(&mut self, encoded: &[u8]) -> Result<TimesRef, WriteError> {
        self.times.add(encoded)
    }

    /// Adds a series. They come in ascending order of (metric name, labels).
    ///
    /// Chunks without samples are left out, and so is a series without others. Values are not decoded.
    ///
    /// # Errors
    /// If it comes out of order, or a chunk does not fit its timestamps, or `W` fails.
    pub fn add_series(&mut self, labels: &Labels, chunks: &[ChunkRef<'_>]) -> Result<(), WriteError> {
        if let Some(previous) = &self.previous {
            if (previous.metric(), previous) >= (labels.metric(), labels) {
                return Err(WriteError::OutOfOrder { labels: labels.clone(), previous: previous.clone() });
            }
            self.in_label_order &= previous < labels;
        }
        self.previous = Some(labels.clone());
        let mut checked = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            checked.extend(self.check(labels, chunk)?);
        }
        if checked.is_empty() {
            return Ok(());
        }
        if self.group.is_full() {
            self.finish_group()?;
        }
        if self.group.is_empty() {
            self.stats.first_metric = labels.metric().into();
        }
        if *self.stats.last_metric != *labels.metric() {
            self.stats.last_metric = labels.metric().into();
        }
        self.group.add_series(labels);
        for chunk in checked {
            self.group.add_chunk(chunk.bytes, chunk.times.index(), chunk.late, chunk.early);
            self.stats.samples += chunk.samples;
            let (first, last) = self.stats.bounds.unwrap_or(chunk.bounds);
            self.stats.bounds = Some((first.min(chunk.bounds.0), last.max(chunk.bounds.1)));
            self.chunk_count += 1;
        }
        Ok(())
    }

    /// Writes what is left, and gives `W` back with the block's summary.
    ///
    /// # Errors
    /// If `W` fails, or a group has more labels than a reader would accept.
    pub fn finish(mut self) -> Result<(W, BlockSummary), WriteError> {
        if !self.group.is_empty() {
            self.finish_group()?;
        }
        let times = self.write_times()?;
        let labels = self.write_values()?;
        for (group, index) in self.groups.iter_mut().zip(&self.index) {
            group.index.start = self.out.write(index)?;
        }
        let directory = self.times.directory();
        let directory = self.out.write_compressed("times directory", &directory, self.times.len())?;
        let footer = Footer {
            start: self.out.written,
            in_label_order: self.in_label_order,
            groups: self.groups,
            times,
            directory,
            labels,
        };
        self.out.write(&footer.encode()?)?;
        let summary = BlockSummary {
            range: footer.range(),
            series_count: footer.series_count(),
            sample_count: footer.sample_count(),
            chunk_count: self.chunk_count,
            size_bytes: self.out.written,
            hash: self.out.hash.digest128(),
        };
        Ok((self.out.to, summary))
    }

    /// What must be known of a chunk; `None` if it has no samples.
    fn check<'a>(&self, labels: &Labels, chunk: &ChunkRef<'a>) -> Result<Option<Checked<'a>>, WriteError> {
        let ChunkRef { times, bytes } = *chunk;
        let Some(column) = self.times.get(times) else {
            return Err(WriteError::UnknownTimes { labels: labels.clone(), times });
        };
        let parsed = Chunk::parse(bytes).map_err(|source| WriteError::Chunk { labels: labels.clone(), source })?;
        let presence = parsed.presence();
        if presence.rows() != column.count {
            return Err(WriteError::Rows { labels: labels.clone(), rows: presence.rows(), times: column.count });
        }
        let mut held = presence.runs().filter(|(state, _)| *state != State::Absent).map(|(_, rows)| rows);
        let Some(first) = held.next() else { return Ok(None) };
        let (mut end, mut samples) = (first.end, first.len() as u64);
        for rows in held {
            end = rows.end;
            samples += rows.len() as u64;
        }
        let bounds = if first.start == 0 && end == column.count {
            (column.first, column.last)
        } else {
            let times = self.times.decoded(times);
            (times[first.start], times[end - 1])
        };
        let [late, early] = [bounds.0.abs_diff(column.first), column.last.abs_diff(bounds.1)];
        Ok(Some(Checked { bytes, times, samples, bounds, late, early }))
    }

    fn finish_group(&mut self) -> Result<(), WriteError> {
        for (name, values) in self.group.texts() {
            let known = self.values.entry(name.into()).or_default();
            for value in values.filter(|value| !known.contains(*value)).collect::<Vec<_>>() {
                known.insert(value.into());
            }
        }
        let series = self.group.len() as u64;
        let stats = std::mem::take(&mut self.stats);
        let (raw, data) = self.group.finish();
        let limit = u32::MAX as usize;
        if data.len() > limit {
            return Err(WriteError::TooLarge { what: "data of a group of series", size: data.len(), limit });
        }
        let index = compress("index page", &raw)?;
        let (first, last) = stats.bounds.expect("a group has a series, and a series a sample");
        self.groups.push(GroupEntry {
            first_metric: stats.first_metric,
            last_metric: stats.last_metric,
            samples: stats.samples,
            first,
            last,
            data_start: self.out.write(&data)?,
            data_bytes: data.len() as u64,
            index: PageEntry {
                start: 0, // It is not written yet.
                bytes: index.len() as u64,
                raw: raw.len() as u64,
                held: series,
                checksum: xxh3_64(&index),
            },
        });
        self.index.push(index);
        Ok(())
    }

    fn write_times(&mut self) -> Result<Vec<PageEntry>, WriteError> {
        let page = |(columns, bytes): (usize, &[u8])| {
            let (held, checksum) = (columns as u64, xxh3_64(bytes));
            Ok(PageEntry { start: self.out.write(bytes)?, bytes: bytes.len() as u64, raw: 0, held, checksum })
        };
        self.times.pages().into_iter().map(page).collect()
    }

    fn write_values(&mut self) -> Result<Vec<LabelEntry>, WriteError> {
        let mut labels = Vec::with_capacity(self.values.len());
        for (name, values) in std::mem::take(&mut self.values) {
            let mut values: Vec<&str> = values.iter().map(|value| &**value).collect();
            values.sort_unstable();
            let mut pages = Vec::new();
            let mut rest = &values[..];
            while !rest.is_empty() {
                let mut bytes = 0;
                let fits = rest.iter().take_while(|value| {
                    let fits = bytes < VALUES_PAGE_BYTES;
                    bytes += value.len();
                    fits
                });
                let (page, others) = rest.split_at(fits.count());
                let mut raw = Vec::new();
                texts::encode(page.iter().copied(), &mut raw);
                pages.push(self.out.write_compressed("page of label values", &raw, page.len())?);
                rest = others;
            }
            labels.push(LabelEntry { name, pages });
        }
        Ok(labels)
    }
}

/// Where a block goes, and what went there.
struct Output<W> {
    to: W,
    hash: Xxh3,
    written: u64,
}

impl<W: Write> Output<W> {
    /// Writes bytes, and returns where in the block they begin.
    fn write(&mut self, bytes: &[u8]) -> Result<u64, WriteError> {
        let start = self.written;
        self.to.write_all(bytes)?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(start)
    }

    fn write_compressed(&mut self, what: &'static str, raw: &[u8], held: usize) -> Result<PageEntry, WriteError> {
        let bytes = compress(what, raw)?;
        Ok(PageEntry {
            start: self.write(&bytes)?,
            bytes: bytes.len() as u64,
            raw: raw.len() as u64,
            held: held as u64,
            checksum: xxh3_64(&bytes),
        })
    }
}
