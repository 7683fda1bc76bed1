//! The index page of a group: who its series are, and where their chunks lie.
//!
//! ```text
//! series   varint
//! chunks   varint
//! pages    varint             how many data pages there are
//! names    varint             how many label names there are
//! values   varint each        for each name, how many values it has
//! texts    texts              the names, ascending, then the values of each name, ascending
//! ids      columns            for each name, of each series: 0 if it lacks the label, else 1 + the place of its value
//! counts   column             of each series: how many chunks it has
//! times    column             of each chunk: its column of timestamps, numbered through the block
//! lengths  column             of each chunk: its bytes
//! late     column             of each chunk: ms from its first timestamp to its first sample
//! early    column             of each chunk: ms from its last sample to its last timestamp
//! held     column             of each data page: how many chunks it holds
//! sums     column             of each data page: its checksum
//! ```
//!
//! Chunks are listed series by series and lie in this order, without gaps, in the data pages, which lie so in the group.
//! There are no postings: with the ids of a label beside each other, a group is searched as fast as they would be read.

mod builder;

use std::ops::Range;

use bytes::Bytes;
use chunk::wire::Reader;
use model::{Labels, METRIC_NAME, Matcher};

use crate::column::Column;
use crate::error::{Damage, ensure};
use crate::texts::Texts;

pub(crate) use builder::GroupBuilder;

/// The most series that a group has.
pub(crate) const MAX_SERIES: usize = 4096;
/// The most chunks, label names and label values that a reader accepts in a group: what corrupt bytes can ask for.
const MAX_LISTED: usize = 1 << 22;

const WHAT: &str = "index page";

/// A decoded index page.
#[derive(Debug)]
pub(crate) struct Group {
    texts: Texts,
    labels: Vec<LabelColumn>,
    // Where the chunks of each series end in the list of all chunks.
    chunk_ends: Box<[u32]>,
    // Where each chunk ends in the data.
    data_ends: Box<[u32]>,
    times: Column,
    late: Column,
    early: Column,
    data_pages: Box<[DataPage]>,
}

/// A data page of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataPage {
    /// Its bytes in the data of the group.
    pub(crate) range: Range<u64>,
    pub(crate) checksum: u64,
}

/// The values of one label.
#[derive(Debug)]
struct LabelColumn {
    // Which text is its name, and which is the first of its values.
    name: usize,
    first_value: usize,
    values: usize,
    // Invariant: at most `values`.
    ids: Column,
}

/// A chunk of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkEntry {
    /// Its column of timestamps. Not checked.
    pub(crate) times: u64,
    /// Its bytes in the data of the group.
    pub(crate) range: Range<u64>,
    /// From its first timestamp to its first sample, from its last sample to its last timestamp, in ms. Not checked.
    pub(crate) late: u64,
    pub(crate) early: u64,
}

impl Group {
    /// Reads a decompressed index page of a group of so many series whose data takes `data_bytes` bytes.
    pub(crate) fn decode(page: &Bytes, held: u64, data_bytes: u64) -> Result<Self, Damage> {
        let mut reader = Reader::new(WHAT, page);
        let series = reader.count("a group's number of series", MAX_SERIES)?;
        let chunks = reader.count("a group's number of chunks", MAX_LISTED)?;
        let pages = reader.count("a group's number of data pages", MAX_LISTED)?;
        let names = reader.count("a group's number of label names", MAX_LISTED)?;
        let mut labels = Vec::new();
        let mut text_count = names;
        for name in 0..names {
            let values = reader.count("a label's number of values", MAX_SERIES)?;
            labels.push((name, text_count, values));
            text_count += values;
        }
        if text_count > MAX_LISTED {
            return Err(Damage::Structure("it lists more texts than any group has"));
        }
        let texts = Texts::take(page, &mut reader, text_count)?;
        let mut column = |count| Column::take(page, &mut reader, count);
        let ids = |(name, first_value, values)| Ok(LabelColumn { name, first_value, values, ids: column(series)? });
        let labels = labels.into_iter().map(ids).collect::<Result<_, Damage>>()?;
        let [counts, times, lengths] = [column(series)?, column(chunks)?, column(chunks)?];
        let [late, early] = [column(chunks)?, column(chunks)?];
        let [held_chunks, sums] = [column(pages)?, column(pages)?];
        reader.end()?;
        ensure(series as u64 == held, "it has other series than the footer says")?;
        ensure(lengths.iter().all(|length| length > 0), "it lists a chunk without bytes")?;
        let data_ends = ends(&lengths, data_bytes, "its chunks are longer or shorter than its data")?;
        let chunk_ends = ends(&counts, chunks as u64, "its series have other chunks than it lists")?;
        let page_ends = ends(&held_chunks, chunks as u64, "its data pages have other chunks than it lists")?;
        let data_pages = data_pages(&page_ends, &data_ends, &sums);
        let group = Self { texts, labels, chunk_ends, data_ends, times, late, early, data_pages };
        group.check_labels()?;
        Ok(group)
    }

    /// Says whether the labels are what the rest of this file relies on.
    fn check_labels(&self) -> Result<(), Damage> {
        let names = self.labels.iter().map(|label| self.texts.get(label.name));
        ensure(names.is_sorted_by(|a, b| a < b), "its label names do not ascend")?;
        for label in &self.labels {
            ensure(label.ids.max() <= label.values as u64, "it refers to a label value that it does not list")?;
            let values = label.first_value..label.first_value + label.values;
            ensure(values.into_iter().all(|value| !self.texts.get(value).is_empty()), "it lists an empty label value")?;
        }
        Ok(())
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.chunk_ends.len()
    }

    /// How many chunks there are.
    pub(crate) fn chunk_count(&self) -> usize {
        self.data_ends.len()
    }

    /// The labels of a series.
    pub(crate) fn labels(&self, series: usize) -> Labels {
        Labels::from_sorted(self.labels.iter().filter_map(|label| {
            let id = label.ids.get(series) as usize;
            (id > 0).then(|| (self.texts.get(label.name), self.texts.get(label.first_value + id - 1)))
        }))
    }

    /// The series that pass all matchers, ascending.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.len()).collect();
        // The metric decides most: whoever comes later has fewer series to look at.
        let (first, rest): (Vec<_>, Vec<_>) = matchers.iter().partition(|matcher| matcher.name() == METRIC_NAME);
        for matcher in first.into_iter().chain(rest) {
            let Some(label) = self.label(matcher.name()) else {
                if !matcher.matches_empty() {
                    return Vec::new();
                }
                continue;
            };
            // Each value is tried once, and only if a series that is still there has it.
            let mut verdicts: Vec<Option<bool>> = vec![None; label.values + 1];
            found.retain(|series| {
                let id = label.ids.get(*series) as usize;
                let value = || if id == 0 { "" } else { self.texts.get(label.first_value + id - 1) };
                *verdicts[id].get_or_insert_with(|| matcher.matches(value()))
            });
        }
        found
    }

    /// The names of the labels that some of these series have, ascending.
    pub(crate) fn names_of<'a>(&'a self, series: &'a [usize]) -> impl Iterator<Item = &'a str> {
        let has = |label: &&LabelColumn| series.iter().any(|series| label.ids.get(*series) > 0);
        self.labels.iter().filter(has).map(|label| self.texts.get(label.name))
    }

    /// The values that some of these series have for a label, in order of the values.
    pub(crate) fn values_of<'a>(&'a self, name: &str, series: &[usize]) -> impl Iterator<Item = &'a str> {
        let label = self.label(name);
        let mut has = vec![false; label.map_or(0, |label| label.values)];
        for id in series.iter().filter_map(|series| (label?.ids.get(*series) as usize).checked_sub(1)) {
            has[id] = true;
        }
        let first_value = label.map_or(0, |label| label.first_value);
        let held = has.into_iter().enumerate().filter(|(_, has)| *has);
        held.map(move |(value, _)| self.texts.get(first_value + value))
    }

    /// The label names with all their values, both in the order in which they are listed.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.labels.iter().map(|label| {
            let values = label.first_value..label.first_value + label.values;
            (self.texts.get(label.name), values.map(|value| self.texts.get(value)))
        })
    }

    /// The chunks of a series, in the order in which they win over each other.
    pub(crate) fn chunks(&self, series: usize) -> impl Iterator<Item = ChunkEntry> {
        place(&self.chunk_ends, series).map(|chunk| {
            let data = place(&self.data_ends, chunk);
            ChunkEntry {
                times: self.times.get(chunk),
                range: data.start as u64..data.end as u64,
                late: self.late.get(chunk),
                early: self.early.get(chunk),
            }
        })
    }

    /// The data pages, in order. Each chunk is within one.
    pub(crate) fn data_pages(&self) -> &[DataPage] {
        &self.data_pages
    }

    /// The place of the data page that a chunk is in.
    pub(crate) fn page_of(&self, chunk: &ChunkEntry) -> usize {
        self.data_pages.partition_point(|page| page.range.end <= chunk.range.start)
    }

    fn label(&self, name: &str) -> Option<&LabelColumn> {
        let found = self.labels.binary_search_by(|label| self.texts.get(label.name).cmp(name));
        found.ok().map(|at| &self.labels[at])
    }

    /// About how many bytes it takes in memory beside those of its page.
    pub(crate) fn size_bytes(&self) -> usize {
        self.texts.size_bytes()
            + self.labels.len() * size_of::<LabelColumn>()
            + (self.chunk_ends.len() + self.data_ends.len()) * size_of::<u32>()
            + self.data_pages.len() * size_of::<DataPage>()
    }
}

/// Where each of the things of these lengths ends. Together they must be `total` long.
fn ends(lengths: &Column, total: u64, otherwise: &'static str) -> Result<Box<[u32]>, Damage> {
    ensure(lengths.sum() == Some(total) && u32::try_from(total).is_ok(), otherwise)?;
    let mut end = 0;
    let ends = lengths.iter().map(|length| {
        end += length as u32;
        end
    });
    Ok(ends.collect())
}

/// From the end of the one before to the end of the one at `at`.
fn place(ends: &[u32], at: usize) -> Range<usize> {
    let start = at.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[at] as usize
}

/// The pages whose chunks end there.
fn data_pages(page_ends: &[u32], data_ends: &[u32], sums: &Column) -> Box<[DataPage]> {
    let data_end = |chunk: u32| chunk.checked_sub(1).map_or(0, |last| u64::from(data_ends[last as usize]));
    let mut start = 0;
    let pages = page_ends.iter().zip(sums.iter()).map(|(end, checksum)| {
        let range = start..data_end(*end);
        start = range.end;
        DataPage { range, checksum }
    });
    pages.collect()
}
