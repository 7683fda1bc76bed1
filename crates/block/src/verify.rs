//! Looking at all of a block.

mod pages;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chunk::presence::State;
use chunk::{Chunk, Kind};
use model::{Histogram, Labels};
use series::QueryError;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Damage, ensure};
use crate::footer::MAGIC;
use crate::group::ChunkEntry;
use crate::index::Index;
use crate::labels::{decode_values, values_page_name};
use crate::page::PageName;
use crate::{BlockReader, BlockSummary, times};

pub use pages::{PageFault, damaged_pages};

/// How much is read at once to hash it.
const STEP_BYTES: u64 = 4 << 20;

/// Reads all of a block, decodes everything, and checks every checksum, order, reference, count and bound.
///
/// Reads it twice: as one sequence of bytes, for the hash, and page by page. Holds a group at a time, columns of timestamps
/// and label texts. Takes about 2 ns per sample of CPU time, which a caller keeps away from what must answer quickly.
///
/// # Errors
/// [`QueryError::Corrupt`] names the first page that is damaged.
pub async fn verify(reader: &BlockReader) -> Result<BlockSummary, QueryError> {
    let index = reader.index();
    let hash = hash(index).await?;
    let columns = columns(index).await?;
    let mut check =
        Check { index, columns, previous: None, in_label_order: true, texts: BTreeMap::new(), chunk_count: 0 };
    for at in 0..index.footer.groups.len() {
        check.group(at).await?;
    }
    if index.footer.in_label_order && !check.in_label_order {
        return Err(footer_is_wrong(index, "its series are not in the order of their labels"));
    }
    check.values().await?;
    Ok(BlockSummary {
        range: reader.range(),
        series_count: reader.series_count(),
        sample_count: reader.sample_count(),
        chunk_count: check.chunk_count,
        size_bytes: index.pages.source().len(),
        hash,
    })
}

fn footer_is_wrong(index: &Index, message: &'static str) -> QueryError {
    index.corrupt(&PageName::Footer, index.footer.start, &Damage::Structure(message))
}

/// The hash of all bytes, which must begin like a block.
async fn hash(index: &Index) -> Result<u128, QueryError> {
    let length = index.pages.source().len();
    let mut hash = Xxh3::new();
    for start in (0..length).step_by(STEP_BYTES as usize) {
        let bytes = index.pages.read_range(start..length.min(start + STEP_BYTES)).await?;
        if start == 0 && !bytes.starts_with(&MAGIC) {
            return Err(footer_is_wrong(index, "the block does not begin like one"));
        }
        hash.update(&bytes);
    }
    Ok(hash.digest128())
}

/// All columns of timestamps, encoded.
async fn columns(index: &Index) -> Result<Vec<Bytes>, QueryError> {
    index.load_all_of(&[]).await?;
    let directory = index.directory();
    let names = 0..index.footer.times.len();
    let pages = index.pages.read(&names.map(|at| index.times_page(at)).collect::<Vec<_>>()).await?;
    let mut columns = Vec::with_capacity(directory.len());
    for (page, column, range) in index.locate_columns(0..directory.len())? {
        let bytes = pages[page].slice(range);
        let checked = check_column(&bytes, directory.bounds(column));
        checked.map_err(|damage| index.corrupt(&PageName::Times(page), index.footer.times[page].start, &damage))?;
        columns.push(bytes);
    }
    Ok(columns)
}

fn check_column(bytes: &[u8], bounds: (i64, i64)) -> Result<(), Damage> {
    let times = times::decode(bytes)?;
    ensure(times.is_sorted_by(|a, b| a < b), "a column of timestamps does not ascend")?;
    let found = times.first().copied().zip(times.last().copied());
    ensure(found == Some(bounds), "a column of timestamps is not what the directory says")
}

struct Check<'a> {
    index: &'a Index,
    columns: Vec<Bytes>,
    previous: Option<Labels>,
    in_label_order: bool,
    // The values of each label.
    texts: BTreeMap<String, BTreeSet<String>>,
    chunk_count: u64,
}

/// What the chunks of a group have.
#[derive(Default)]
struct Found {
    samples: u64,
    bounds: Option<(i64, i64)>,
}

impl Found {
    fn add(&mut self, samples: u64, first: i64, last: i64) {
        self.samples += samples;
        let bounds = self.bounds.unwrap_or((first, last));
        self.bounds = Some((bounds.0.min(first), bounds.1.max(last)));
    }
}

impl Check<'_> {
    async fn group(&mut self, at: usize) -> Result<(), QueryError> {
        self.index.load_groups(&[at]).await?;
        self.labels(at).map_err(|damage| self.index.corrupt_index(at, &damage))?;
        let group = self.index.group(at);
        let start = self.index.footer.groups[at].data_start;
        let pages = pages::data_pages(self.index, at);
        let data = self.index.pages.read(&pages).await?;
        let mut found = Found::default();
        for chunk in (0..group.len()).flat_map(|series| group.chunks(series)) {
            let page = group.page_of(&chunk);
            let page_start = group.data_pages()[page].range.start;
            let bytes = (chunk.range.start - page_start) as usize..(chunk.range.end - page_start) as usize;
            let checked = self.chunk(&data[page][bytes], &chunk, &mut found);
            checked.map_err(|damage| self.index.corrupt(&pages[page].name, start + chunk.range.start, &damage))?;
        }
        self.chunk_count += group.chunk_count() as u64;
        let entry = &self.index.footer.groups[at];
        if found.samples != entry.samples || found.bounds != Some((entry.first, entry.last)) {
            return Err(footer_is_wrong(self.index, "a group has other samples than it says"));
        }
        Ok(())
    }

    fn labels(&mut self, at: usize) -> Result<(), Damage> {
        let group = self.index.group(at);
        let entry = &self.index.footer.groups[at];
        ensure(group.len() > 0, "it has no series")?;
        for series in 0..group.len() {
            let labels = group.labels(series);
            ensure(series > 0 || labels.metric() == &*entry.first_metric, "it begins with another metric")?;
            if let Some(previous) = &self.previous {
                let ascends = (previous.metric(), previous) < (labels.metric(), &labels);
                ensure(ascends, "its series do not ascend")?;
                self.in_label_order &= *previous < labels;
            }
            self.previous = Some(labels);
        }
        let last = self.previous.as_ref().map(Labels::metric);
        ensure(last == Some(&*entry.last_metric), "it ends with another metric")?;
        for (name, values) in group.texts() {
            self.texts.entry(name.to_owned()).or_default().extend(values.map(str::to_owned));
        }
        Ok(())
    }

    fn chunk(&self, bytes: &[u8], entry: &ChunkEntry, found: &mut Found) -> Result<(), Damage> {
        let column = usize::try_from(entry.times).ok().and_then(|column| self.columns.get(column));
        let column = column.ok_or(Damage::Structure("a chunk refers to timestamps that the block does not have"))?;
        let times = times::decode(column)?;
        let chunk = Chunk::parse(bytes)?;
        match chunk.kind() {
            Kind::Floats => chunk.values(&mut Vec::<f64>::new())?,
            Kind::Histograms => chunk.values(&mut Vec::<Histogram>::new())?,
        }
        ensure(chunk.presence().rows() == times.len(), "a chunk has other rows than timestamps")?;
        let held = chunk.presence().runs().filter(|(state, _)| *state != State::Absent);
        let rows: Vec<usize> = held.flat_map(|(_, rows)| rows).collect();
        let ends = rows.first().zip(rows.last()).map(|(first, last)| (times[*first], times[*last]));
        let (first, last) = ends.ok_or(Damage::Structure("a chunk has no samples"))?;
        let [start, end] = [0, times.len() - 1].map(|row| times[row]);
        let said = (start.wrapping_add_unsigned(entry.late), end.wrapping_sub_unsigned(entry.early));
        ensure(said == (first, last), "a chunk has samples at other times than the index says")?;
        found.add(rows.len() as u64, first, last);
        Ok(())
    }

    /// Whether the footer and the pages of values list the labels of the series.
    async fn values(&self) -> Result<(), QueryError> {
        let names = self.index.footer.labels.iter().map(|label| &*label.name);
        if !names.eq(self.texts.keys().map(String::as_str)) {
            return Err(footer_is_wrong(self.index, "its label names are not those of its series"));
        }
        for (label, expected) in self.index.footer.labels.iter().zip(self.texts.values()) {
            let pages = label.pages.iter().enumerate();
            let pages = pages.map(|(at, page)| page.page(values_page_name(&label.name, at)));
            let read = self.index.pages.read(&pages.collect::<Vec<_>>()).await?;
            let mut expected = expected.iter();
            for (at, (page, bytes)) in label.pages.iter().zip(read).enumerate() {
                let name = values_page_name(&label.name, at);
                let corrupt = |damage| self.index.corrupt(&name, page.start, &damage);
                let values = decode_values(page, &bytes).map_err(corrupt)?;
                let same = values.iter().eq(expected.by_ref().take(values.len()));
                ensure(same, "its values are not those of its series").map_err(corrupt)?;
            }
            if expected.next().is_some() {
                return Err(footer_is_wrong(self.index, "it does not list all label values"));
            }
        }
        Ok(())
    }
}
