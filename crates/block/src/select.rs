//! Selecting series of a block.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::FixedState;
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::stream::{self, StreamExt, TryStreamExt};
use model::{Labels, TimeRange, Timestamp};
use series::{Budget, Charge, Chunk, QueryError, Select, Series, SeriesStream, Times};

use crate::error::Damage;
use crate::give_way::give_way;
use crate::group::{ChunkEntry, DataPage};
use crate::index::Index;
use crate::page::{Page, PageName};
use crate::times::Directory;

/// A batch is full once it has so many series, or the bytes that [`Reads`] allows.
const BATCH_SERIES: usize = 1024;
/// So many series of a batch are made at a time.
const PART_SERIES: usize = 32;
/// About what a column of timestamps takes once it is decoded: 120 rows and what holds them.
const COLUMN_BYTES: u64 = 1 << 10;

/// How much of a block is read at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reads {
    /// A batch is full once its data pages have so many bytes.
    batch_bytes: u64,
    /// How many batches are read at once.
    batches: usize,
}

impl Reads {
    /// All blocks of a query together hold about so much. One block reads more in a batch than it needs to hide how long the
    /// bucket takes; of many each has one batch that is taken and the next one on its way.
    const HELD_BYTES: u64 = 32 << 20;
    /// Less is not worth a request: with this a batch has one page.
    const FEWEST_BYTES: u64 = 32 << 10;
    /// More is not faster.
    const MOST_BYTES: u64 = 4 << 20;

    /// For one of so many blocks that are read beside each other.
    pub(crate) fn beside(blocks: usize) -> Self {
        let own_bytes = Self::HELD_BYTES / blocks.max(1) as u64;
        let batches = if own_bytes >= 4 * Self::MOST_BYTES { 4 } else { 2 };
        Self { batch_bytes: (own_bytes / batches as u64).clamp(Self::FEWEST_BYTES, Self::MOST_BYTES), batches }
    }
}

/// The series of a block that match. See [`series::Queryable::select`].
pub(crate) async fn select(
    index: Arc<Index>,
    select: Select,
    budget: Budget,
    reads: Reads,
) -> Result<SeriesStream, QueryError> {
    let groups = index.candidates(&select.matchers, select.range);
    if groups.is_empty() {
        return Ok(stream::empty().boxed());
    }
    index.load_all_of(&groups).await?;
    let mut plan = Plan::default();
    let what = what(&select);
    let mut charge = budget.charge(0, || what.to_string())?;
    for group in groups {
        let before = plan.size_bytes();
        plan.add_group(&index, group, &select)?;
        charge.grow(plan.size_bytes() - before, || what.to_string())?;
        give_way().await;
    }
    plan.put_in_order(&index);
    plan.picks.truncate(if select.hints.limit == 0 { usize::MAX } else { select.hints.limit });
    if select.hints.labels_only {
        return Ok(labels_only(index, plan, charge));
    }
    let times = Columns::read(index.clone(), plan.columns(), budget.clone(), what.clone()).boxed().shared();
    let batches = plan.batches(reads.batch_bytes);
    let reading = Arc::new(Reading { index, plan, times, budget, what, _charge: charge });
    let batches = stream::iter(batches).map(move |batch| reading.clone().read(batch)).buffered(reads.batches);
    // A batch is paid for until the next one is asked for: from then on it is whoever asked that holds it.
    Ok(batches.map_ok(|batch| stream::iter(batch.into_parts())).try_flatten().boxed())
}

/// What to say was too big.
fn what(select: &Select) -> Arc<str> {
    let matchers: Vec<_> = select.matchers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", matchers.join(",")).into()
}

/// What was selected, and where its chunks are.
#[derive(Default)]
struct Plan {
    picks: Vec<Pick>,
    chunks: Vec<PlannedChunk>,
    pages: Vec<Page>,
}

// A query over many blocks has millions of the following: their numbers are as short as they may be.

/// A series.
struct Pick {
    group: u32,
    series: u32,
    // Which of the chunks of the plan are its own.
    chunks: Range<u32>,
}

struct PlannedChunk {
    /// Its column of timestamps. Checked: there is such a column.
    column: u32,
    /// Which of the pages of the plan it is in, and where: pages are smaller than 2^32 bytes.
    page: u32,
    bytes: Range<u32>,
}

impl Pick {
    fn labels(&self, index: &Index) -> Labels {
        index.group(self.group as usize).labels(self.series as usize)
    }

    fn chunks<'a>(&self, plan: &'a Plan) -> &'a [PlannedChunk] {
        &plan.chunks[self.chunks.start as usize..self.chunks.end as usize]
    }
}

impl Plan {
    /// Adds the series of a group that match.
    fn add_group(&mut self, index: &Index, at: usize, select: &Select) -> Result<(), QueryError> {
        let group = index.group(at);
        let found = group.select(&select.matchers);
        if found.is_empty() {
            return Ok(());
        }
        let data_start = index.footer.groups[at].data_start;
        let first_page = self.pages.len() as u32;
        // Most have one chunk each. Grown as usual, the lists could take twice what is in them.
        self.picks.reserve(found.len());
        self.chunks.reserve(found.len());
        for (page, DataPage { range, checksum }) in group.data_pages().iter().cloned().enumerate() {
            let name = PageName::Data { group: at, page };
            self.pages.push(Page { name, range: data_start + range.start..data_start + range.end, checksum });
        }
        for series in found {
            let start = self.chunks.len() as u32;
            for chunk in group.chunks(series) {
                let (column, held) =
                    located(index.directory(), &chunk).map_err(|damage| index.corrupt_index(at, &damage))?;
                if held.overlaps(select.range) {
                    let page = group.page_of(&chunk);
                    let page_start = group.data_pages()[page].range.start;
                    let bytes = (chunk.range.start - page_start) as u32..(chunk.range.end - page_start) as u32;
                    self.chunks.push(PlannedChunk { column, page: first_page + page as u32, bytes });
                }
            }
            let chunks = start..self.chunks.len() as u32;
            if !chunks.is_empty() {
                self.picks.push(Pick { group: at as u32, series: series as u32, chunks });
            }
        }
        Ok(())
    }

    /// Sorts the series by labels. They lie in this order but for labels whose names sort before that of the metric.
    fn put_in_order(&mut self, index: &Index) {
        if !index.footer.in_label_order {
            self.picks.sort_by_cached_key(|pick| pick.labels(index));
        }
    }

    fn columns(&self) -> BTreeSet<usize> {
        let chunks = self.picks.iter().flat_map(|pick| pick.chunks(self));
        chunks.map(|chunk| chunk.column as usize).collect()
    }

    /// Ranges of series to read together: pages of about so many bytes.
    fn batches(&self, full_bytes: u64) -> Vec<Range<usize>> {
        let mut batches = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        let mut last_page = None;
        for (at, pick) in self.picks.iter().enumerate() {
            let first_page = self.chunks[pick.chunks.start as usize].page;
            // Series that share a page stay together, or the page would be read twice.
            let full = at - start >= BATCH_SERIES || bytes >= full_bytes;
            if full && last_page != Some(first_page) || at - start >= 4 * BATCH_SERIES {
                batches.push(start..at);
                (start, bytes, last_page) = (at, 0, None);
            }
            for chunk in pick.chunks(self) {
                if last_page != Some(chunk.page) {
                    let range = &self.pages[chunk.page as usize].range;
                    bytes += range.end - range.start;
                    last_page = Some(chunk.page);
                }
            }
        }
        if start < self.picks.len() {
            batches.push(start..self.picks.len());
        }
        batches
    }

    fn size_bytes(&self) -> u64 {
        let picks = self.picks.len() * size_of::<Pick>();
        let chunks = self.chunks.len() * size_of::<PlannedChunk>();
        (picks + chunks + self.pages.len() * size_of::<Page>()) as u64
    }
}

/// The column of timestamps of a chunk, and when its samples are.
fn located(directory: &Directory, chunk: &ChunkEntry) -> Result<(u32, TimeRange), Damage> {
    let column = u32::try_from(chunk.times).ok().filter(|column| (*column as usize) < directory.len());
    let column = column.ok_or(Damage::Structure("it refers to timestamps that the block does not have"))?;
    let (first, last) = directory.bounds(column as usize);
    let [first, last] = [first.wrapping_add_unsigned(chunk.late), last.wrapping_sub_unsigned(chunk.early)];
    Ok((column, TimeRange::inclusive(Timestamp(first), Timestamp(last))))
}

fn labels_only(index: Arc<Index>, plan: Plan, charge: Charge) -> SeriesStream {
    let count = plan.picks.len();
    let batches = (0..count).step_by(BATCH_SERIES).map(move |start| {
        let _held = &charge;
        let picks = &plan.picks[start..count.min(start + BATCH_SERIES)];
        let series = |pick: &Pick| Series { labels: pick.labels(&index), chunks: Vec::new() };
        Ok(picks.iter().map(series).collect())
    });
    stream::iter(batches).boxed()
}

/// A select that goes on.
struct Reading {
    index: Arc<Index>,
    plan: Plan,
    /// All batches share them: each is read and decoded once.
    times: Shared<BoxFuture<'static, Result<Arc<Columns>, QueryError>>>,
    budget: Budget,
    what: Arc<str>,
    _charge: Charge,
}

impl Reading {
    async fn read(self: Arc<Self>, picks: Range<usize>) -> Result<Batch, QueryError> {
        let chunks = self.plan.picks[picks.clone()].iter().flat_map(|pick| pick.chunks(&self.plan));
        let mut wanted: Vec<u32> = chunks.map(|chunk| chunk.page).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let pages: Vec<Page> = wanted.iter().map(|page| self.plan.pages[*page as usize].clone()).collect();
        let bytes = pages.iter().map(|page| page.range.end - page.range.start).sum();
        let charge = self.budget.charge(bytes, || self.what.to_string())?;
        let (read, times) = futures::try_join!(self.index.pages.read(&pages), self.times.clone())?;
        let pages = wanted.into_iter().zip(read).collect();
        Ok(Batch { reading: self, picks, pages, times, charge })
    }

    fn series(&self, pick: &Pick, pages: &HashMap<u32, Bytes, FixedState>, times: &Columns) -> Series {
        let chunk = |chunk: &PlannedChunk| Chunk::Encoded {
            times: times.0[&(chunk.column as usize)].clone(),
            bytes: pages[&chunk.page].slice(chunk.bytes.start as usize..chunk.bytes.end as usize),
        };
        Series { labels: pick.labels(&self.index), chunks: pick.chunks(&self.plan).iter().map(chunk).collect() }
    }
}

/// A batch whose bytes are at hand.
struct Batch {
    reading: Arc<Reading>,
    /// Which of the picks of the plan it has.
    picks: Range<usize>,
    pages: HashMap<u32, Bytes, FixedState>,
    times: Arc<Columns>,
    charge: Charge,
}

impl Batch {
    /// Its series, some at a time. They are made when it is their turn: a query over many blocks merges as many of these, and
    /// what it holds of each should be little.
    fn into_parts(self) -> impl Iterator<Item = Result<Vec<Series>, QueryError>> {
        let Self { reading, picks, pages, times, mut charge } = self;
        let (page_bytes, end) = (charge.bytes(), picks.end);
        picks.step_by(PART_SERIES).map(move |start| {
            let picks = &reading.plan.picks[start..end.min(start + PART_SERIES)];
            let series: Vec<_> = picks.iter().map(|pick| reading.series(pick, &pages, &times)).collect();
            // The chunks are in the pages.
            let size = |series: &Series| series.labels.size_bytes() + series.chunks.len() * size_of::<Chunk>();
            let bytes = page_bytes + series.iter().map(size).sum::<usize>() as u64;
            charge.resize(bytes, || reading.what.to_string())?;
            Ok(series)
        })
    }
}

/// Columns of timestamps by their numbers.
struct Columns(
    HashMap<usize, Arc<Times>, FixedState>,
    #[expect(dead_code, reason = "held as long as they are")] Charge,
);

impl Columns {
    async fn read(
        index: Arc<Index>,
        columns: BTreeSet<usize>,
        budget: Budget,
        what: Arc<str>,
    ) -> Result<Arc<Self>, QueryError> {
        let located = index.locate_columns(columns.into_iter())?;
        let mut pages: Vec<_> = located.iter().map(|(page, _, _)| *page).collect();
        pages.dedup();
        let wanted: Vec<Page> = pages.iter().map(|page| index.times_page(*page)).collect();
        let bytes: u64 = wanted.iter().map(|page| page.range.end - page.range.start).sum();
        let charge = budget.charge(bytes + COLUMN_BYTES * located.len() as u64, || what.to_string())?;
        let read = index.pages.read(&wanted).await?;
        let read: HashMap<usize, Bytes, FixedState> = pages.into_iter().zip(read).collect();
        let column = |(page, column, range)| (column, Arc::new(Times::new(read[&page].slice(range))));
        let found = located.into_iter().map(column).collect();
        Ok(Arc::new(Self(found, charge)))
    }
}
