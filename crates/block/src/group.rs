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

use bytes::Bytes;
use chunk::wire::Reader;
use model::{Labels, METRIC_NAME, Matcher};

use crate::column::Column;
use crate::error::Damage;
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
    counts: Column,
    times: Column,
    lengths: Column,
    late: Column,
    early: Column,
    held: Column,
    sums: Column,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkEntry {
    /// Its column of timestamps. Not checked.
    pub(crate) times: u64,
    /// Where it begins in the data of the group, and how long it is.
    pub(crate) start: u64,
    pub(crate) length: u64,
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
        let group = Self {
            texts,
            labels: labels.into_iter().map(ids).collect::<Result<_, Damage>>()?,
            counts: column(series)?,
            times: column(chunks)?,
            lengths: column(chunks)?,
            late: column(chunks)?,
            early: column(chunks)?,
            held: column(pages)?,
            sums: column(pages)?,
        };
        reader.end()?;
        group.check(held, data_bytes)?;
        Ok(group)
    }

    /// Says whether what the rest of this file relies on is true.
    fn check(&self, held: u64, data_bytes: u64) -> Result<(), Damage> {
        let ensure = |holds: bool, otherwise| if holds { Ok(()) } else { Err(Damage::Structure(otherwise)) };
        let names = self.labels.iter().map(|label| self.texts.get(label.name));
        ensure(names.is_sorted_by(|a, b| a < b), "its label names do not ascend")?;
        for label in &self.labels {
            ensure(label.ids.max() <= label.values as u64, "it refers to a label value that it does not list")?;
            let values = label.first_value..label.first_value + label.values;
            ensure(values.into_iter().all(|value| !self.texts.get(value).is_empty()), "it lists an empty label value")?;
        }
        let chunks = Some(self.lengths.len() as u64);
        ensure(self.counts.len() as u64 == held, "it has other series than the footer says")?;
        ensure(self.lengths.iter().all(|length| length > 0), "it lists a chunk without bytes")?;
        ensure(self.counts.sum() == chunks, "its series have other chunks than it lists")?;
        ensure(self.held.sum() == chunks, "its data pages have other chunks than it lists")?;
        ensure(self.lengths.sum() == Some(data_bytes), "its chunks are longer or shorter than its data")
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// How many chunks there are.
    pub(crate) fn chunk_count(&self) -> usize {
        self.lengths.len()
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

    /// Goes over the chunks of these series, which must ascend: `visit` gets the place of the series in the list.
    pub(crate) fn visit_chunks<E>(
        &self,
        series: &[usize],
        mut visit: impl FnMut(usize, ChunkEntry) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut wanted = series.iter().copied().enumerate().peekable();
        let (mut chunk, mut start) = (0, 0);
        for (at, count) in self.counts.iter().enumerate() {
            let Some((place, next)) = wanted.peek().copied() else { break };
            for chunk in chunk..chunk + count as usize {
                let length = self.lengths.get(chunk);
                if next == at {
                    let [times, late, early] = [&self.times, &self.late, &self.early].map(|column| column.get(chunk));
                    visit(place, ChunkEntry { times, start, length, late, early })?;
                }
                start += length;
            }
            chunk += count as usize;
            if next == at {
                wanted.next();
            }
        }
        Ok(())
    }

    /// Where the data pages begin and end in the data of the group, and their checksums.
    pub(crate) fn data_pages(&self) -> Vec<(std::ops::Range<u64>, u64)> {
        let mut lengths = self.lengths.iter();
        let mut end = 0;
        let pages = self.held.iter().zip(self.sums.iter()).map(|(chunks, checksum)| {
            let start = end;
            end += lengths.by_ref().take(chunks as usize).sum::<u64>();
            (start..end, checksum)
        });
        pages.collect()
    }

    fn label(&self, name: &str) -> Option<&LabelColumn> {
        let found = self.labels.binary_search_by(|label| self.texts.get(label.name).cmp(name));
        found.ok().map(|at| &self.labels[at])
    }

    /// About how many bytes it takes in memory beside those of its page.
    pub(crate) fn size_bytes(&self) -> usize {
        self.texts.size_bytes() + self.labels.len() * size_of::<LabelColumn>()
    }
}
