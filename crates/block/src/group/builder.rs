//! A group that is being written.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use chunk::wire::put_varint;
use foldhash::fast::FixedState;
use model::Labels;
use xxhash_rust::xxh3::xxh3_64;

use super::{ChunkEntry, MAX_SERIES};
use crate::{column, texts};

/// A group is full once it has so many bytes of chunks, or of label texts: then a reader holds no more than a few of these.
const FULL_BYTES: usize = 1 << 20;
/// How many bytes of chunks share a checksum: enough for a request over a network, few enough to read for one series.
const DATA_PAGE_BYTES: usize = 64 << 10;

/// Collects series until there are enough for a group.
#[derive(Default)]
pub(crate) struct GroupBuilder {
    labels: BTreeMap<Box<str>, LabelBuilder>,
    text_bytes: usize,
    counts: Vec<u64>,
    chunks: Vec<ChunkEntry>,
    data: Vec<u8>,
    // The end of each full data page, as a number of chunks and of bytes.
    pages: Vec<(usize, usize)>,
}

#[derive(Default)]
struct LabelBuilder {
    ids: HashMap<Box<str>, u64, FixedState>,
    // Of each series, in order of first use; series at the end may be missing: they lack the label.
    of_series: Vec<u64>,
}

impl GroupBuilder {
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.counts.len() == MAX_SERIES || self.data.len() >= FULL_BYTES || self.text_bytes >= FULL_BYTES
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Adds a series, whose chunks are those that [`add_chunk`](Self::add_chunk) adds until the next series comes.
    pub(crate) fn add_series(&mut self, labels: &Labels) {
        let series = self.counts.len();
        for (name, value) in labels {
            if !self.labels.contains_key(name) {
                self.labels.insert(name.into(), LabelBuilder::default());
                self.text_bytes += name.len();
            }
            let label = self.labels.get_mut(name).expect("it was just made sure");
            let next = label.ids.len() as u64 + 1;
            let id = match label.ids.get(value) {
                Some(id) => *id,
                None => {
                    self.text_bytes += value.len();
                    label.ids.insert(value.into(), next);
                    next
                }
            };
            label.of_series.resize(series, 0);
            label.of_series.push(id);
        }
        self.counts.push(0);
    }

    /// Adds a chunk to the last series.
    pub(crate) fn add_chunk(&mut self, bytes: &[u8], times: u64, late: u64, early: u64) {
        let page_start = self.pages.last().map_or(0, |(_, end)| *end);
        if self.data.len() > page_start && self.data.len() - page_start + bytes.len() > DATA_PAGE_BYTES {
            self.pages.push((self.chunks.len(), self.data.len()));
        }
        let start = self.data.len() as u64;
        self.data.extend_from_slice(bytes);
        self.chunks.push(ChunkEntry { times, range: start..self.data.len() as u64, late, early });
        *self.counts.last_mut().expect("a series was added") += 1;
    }

    /// The index page, not compressed, and the data. Leaves an empty group.
    pub(crate) fn finish(&mut self) -> (Vec<u8>, Vec<u8>) {
        if !self.chunks.is_empty() {
            self.pages.push((self.chunks.len(), self.data.len()));
        }
        let mut index = Vec::new();
        put_varint(self.counts.len() as u64, &mut index);
        put_varint(self.chunks.len() as u64, &mut index);
        put_varint(self.pages.len() as u64, &mut index);
        self.encode_labels(&mut index);
        column::encode(self.counts.iter().copied(), &mut index);
        column::encode(self.chunks.iter().map(|chunk| chunk.times), &mut index);
        column::encode(self.chunks.iter().map(|chunk| chunk.range.end - chunk.range.start), &mut index);
        column::encode(self.chunks.iter().map(|chunk| chunk.late), &mut index);
        column::encode(self.chunks.iter().map(|chunk| chunk.early), &mut index);
        self.encode_pages(&mut index);
        let data = mem::take(self).data;
        (index, data)
    }

    /// The label names, ascending, with their values in any order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.labels.iter().map(|(name, label)| (&**name, label.ids.keys().map(|value| &**value)))
    }

    fn encode_labels(&mut self, index: &mut Vec<u8>) {
        put_varint(self.labels.len() as u64, index);
        let mut texts: Vec<&str> = self.labels.keys().map(|name| &**name).collect();
        let mut columns = Vec::new();
        for label in self.labels.values() {
            put_varint(label.ids.len() as u64, index);
            let mut values: Vec<(&str, u64)> = label.ids.iter().map(|(value, id)| (&**value, *id)).collect();
            values.sort_unstable();
            // From the order of first use to that of the texts.
            let mut places = vec![0; values.len() + 1];
            for (place, (value, id)) in values.iter().enumerate() {
                places[*id as usize] = place as u64 + 1;
                texts.push(value);
            }
            let lacking = self.counts.len() - label.of_series.len();
            let ids = label.of_series.iter().chain(std::iter::repeat_n(&0, lacking));
            columns.push(ids.map(|id| places[*id as usize]).collect::<Vec<_>>());
        }
        texts::encode(texts.into_iter(), index);
        for ids in columns {
            column::encode(ids.into_iter(), index);
        }
    }

    fn encode_pages(&self, index: &mut Vec<u8>) {
        let starts = std::iter::once((0, 0)).chain(self.pages.iter().copied());
        let pages: Vec<_> = starts.zip(&self.pages).map(|(start, end)| (start.0..end.0, start.1..end.1)).collect();
        column::encode(pages.iter().map(|(chunks, _)| chunks.len() as u64), index);
        column::encode(pages.iter().map(|(_, bytes)| xxh3_64(&self.data[bytes.clone()])), index);
    }
}
