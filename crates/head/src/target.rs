//! A scraped target, or a part of one.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use model::{Histogram, LayoutHash, Metadata, TargetId, TimeRange};

use crate::bits::Bits;
use crate::group::{Group, range_of};
use crate::members::{Members, NONE};
use crate::piece;
use crate::row::{Row, States, encode_frame};
use crate::starts::Starts;
use crate::ticks::Ticks;

/// Rows of a frame. Fewer take less memory while they are raw, more compress better.
pub(crate) const FRAME_ROWS: usize = 32;
/// Rows of a group.
pub(crate) const GROUP_ROWS: u32 = 128;
/// Layouts that a target remembers: those of two scrapers that both have it, and of a page that goes to and fro.
const LAYOUTS: usize = 4;
/// Reference rows that a layout remembers.
const REFERENCES: usize = 2;

/// One part of a scraped target.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) id: TargetId,
    pub(crate) part: u32,
    /// How many parts the target has, as far as is known here.
    pub(crate) parts: u32,
    /// The tick from which on all were stored in so many parts, and will be; `None`: not known.
    pub(crate) parts_since: Option<i64>,
    /// The newest version of the scrapers' membership by which anybody owned it.
    pub(crate) owner_epoch: u64,
    pub(crate) interval_ms: i64,
    /// Whether it left discovery.
    pub(crate) ended: bool,
    pub(crate) ticks: Ticks,
    pub(crate) members: Arc<Members>,
    /// The member that each float column of the rows belongs to.
    pub(crate) columns: Vec<u32>,
    /// Rises whenever `columns` changes otherwise than by growing.
    pub(crate) generation: u64,
    /// The least recently used one first.
    pub(crate) layouts: Vec<Arc<Layout>>,
    /// The columns that had a value in the newest row.
    pub(crate) alive: Bits,
    /// The members that had a histogram in the newest row.
    pub(crate) alive_histograms: BTreeSet<u32>,
    /// The members with their own times in the newest row, if those get markers too.
    pub(crate) alive_timed: BTreeSet<u32>,
    /// When the counters of its series began, as far as is known, ...
    pub(crate) starts: Starts,
    /// ... and the tick that said so.
    pub(crate) starts_tick: Option<i64>,
    /// The time of the newest row that is in order.
    pub(crate) last_time: Option<i64>,
    /// Rows that are not encoded yet, ascending, all of one window.
    pub(crate) rows: Vec<Arc<Row>>,
    /// Encoded rows before those, of the same window.
    pub(crate) frames: Vec<Frame>,
    /// Rows that came too late to stand among the others: frames of one row each.
    pub(crate) late: Vec<Frame>,
    pub(crate) groups: Vec<Arc<Group>>,
    /// The bytes of rows and frames.
    pub(crate) sample_bytes: usize,
}

/// The ordered series of a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) hash: LayoutHash,
    /// The member of each slot; `NONE` for series that were refused.
    pub(crate) slots: Arc<[u32]>,
    pub(crate) families: Families,
    /// The newest one last.
    pub(crate) references: Vec<Arc<Reference>>,
    /// The generation of the columns in which slot i is column i, for every i, and there are no more columns.
    pub(crate) identity: Option<u64>,
    /// Whether there are series that were refused, ...
    pub(crate) lacks_series: bool,
    /// ... and the last tick that tried to have them taken up.
    pub(crate) refused_tick: Option<i64>,
}

/// What a page says about its metric families. Shared by all pages that say the same.
pub(crate) type Families = Arc<[(Box<str>, Metadata)]>;

/// A row that later ones lean on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) hash: u64,
    pub(crate) values: Box<[f64]>,
}

/// A few encoded rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    pub(crate) rows: u32,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Frame {
    pub(crate) fn range(&self) -> TimeRange {
        range_of(self.first, self.last)
    }
}

/// A row, sorted into columns and members.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) values: Vec<f64>,
    pub(crate) present: Bits,
    /// Whether every column is present.
    pub(crate) is_whole: bool,
    pub(crate) histograms: Vec<(u32, Arc<Histogram>)>,
}

impl Target {
    pub(crate) fn new(id: TargetId, part: u32, parts: u32) -> Self {
        Self {
            id,
            part,
            parts,
            parts_since: None,
            owner_epoch: 0,
            interval_ms: 0,
            ended: false,
            ticks: Ticks::default(),
            members: Arc::default(),
            columns: Vec::new(),
            generation: 0,
            layouts: Vec::new(),
            alive: Bits::default(),
            alive_histograms: BTreeSet::new(),
            alive_timed: BTreeSet::new(),
            starts: Starts::default(),
            starts_tick: None,
            last_time: None,
            rows: Vec::new(),
            frames: Vec::new(),
            late: Vec::new(),
            groups: Vec::new(),
            sample_bytes: 0,
        }
    }

    /// The layout of this name, which counts as used now.
    pub(crate) fn layout(&mut self, hash: LayoutHash) -> Option<Arc<Layout>> {
        let at = self.layouts.iter().position(|layout| layout.hash == hash)?;
        let layout = self.layouts.remove(at);
        self.layouts.push(layout.clone());
        Some(layout)
    }

    /// Remembers a layout as the one used last, in place of one of the same name.
    pub(crate) fn put_layout(&mut self, layout: Arc<Layout>) {
        self.layouts.retain(|other| other.hash != layout.hash);
        if self.layouts.len() == LAYOUTS {
            self.layouts.remove(0);
        }
        self.layouts.push(layout);
    }

    /// Takes note of what a tick says about when counters began, unless a newer one has said it.
    pub(crate) fn put_starts(&mut self, starts: Starts, tick: i64) {
        if self.starts_tick.is_some_and(|newest| tick < newest) {
            return;
        }
        self.starts_tick = Some(tick);
        if starts != self.starts {
            self.starts = starts;
        }
    }

    /// Remembers a row as a reference of its layout.
    pub(crate) fn put_reference(&mut self, layout: LayoutHash, values: &[f64]) {
        let Some(place) = self.layouts.iter_mut().find(|other| other.hash == layout) else { return };
        let layout = Arc::make_mut(place);
        let reference = Reference { hash: reference_hash(values), values: values.into() };
        layout.references.retain(|other| other.hash != reference.hash);
        if layout.references.len() == REFERENCES {
            layout.references.remove(0);
        }
        layout.references.push(Arc::new(reference));
    }

    /// The column of a member, which gets one if it has none.
    pub(crate) fn column_of(&mut self, member: u32) -> u32 {
        let column = self.members.columns[member as usize];
        if column != NONE {
            return column;
        }
        let column = self.columns.len() as u32;
        self.columns.push(member);
        let members = Arc::make_mut(&mut self.members);
        members.columns[member as usize] = column;
        members.dormant.remove(&member);
        column
    }

    /// Appends a row that is later than all others, with markers for what ends with it. `is_mine` says of a member whether it
    /// still belongs to this part. Returns how many markers there are.
    pub(crate) fn append(&mut self, time: i64, sorted: Sorted, is_mine: impl Fn(u32) -> bool) {
        let Sorted { values, present, is_whole, mut histograms } = sorted;
        let now: BTreeSet<u32> = histograms.iter().map(|(member, _)| *member).collect();
        let mut stale = Bits::default();
        for column in self.alive.without(&present).iter() {
            let member = self.columns[column];
            if !now.contains(&member) && is_mine(member) {
                stale.insert(column);
            }
        }
        let is_float = |member: u32| {
            let column = self.members.columns[member as usize];
            column != NONE && present.contains(column as usize)
        };
        for member in self.alive_histograms.difference(&now).copied() {
            if !is_float(member) && is_mine(member) {
                histograms.push((member, Arc::new(Histogram::stale())));
            }
        }
        histograms.sort_unstable_by_key(|(member, _)| *member);
        let states = if is_whole && stale.is_empty() {
            None
        } else {
            Some(Box::new(States { present: present.clone(), stale }))
        };
        let starts = self.starts.clone();
        let row = Row { time, values: values.into(), states, histograms: histograms.into(), starts };
        self.alive = present;
        self.alive_histograms = now;
        self.last_time = Some(time);
        self.sample_bytes += row.size_bytes();
        self.rows.push(Arc::new(row));
    }

    /// Keeps a row that came too late, as a frame of its own. `floats` are (series, value), ascending.
    pub(crate) fn append_late(&mut self, frame: Frame) {
        self.sample_bytes += frame.bytes.len();
        self.late.push(frame);
    }

    /// Whether a row at `time` may join the open ones, which are all of one window.
    pub(crate) fn is_of_open_window(&self, time: i64, window_ms: i64) -> bool {
        self.open_start().is_none_or(|start| start.div_euclid(window_ms) == time.div_euclid(window_ms))
    }

    /// The time of the first row that is here in any form.
    pub(crate) fn first_time(&self) -> Option<i64> {
        let groups = self.groups.iter().map(|group| group.bounds().0);
        let frames = self.frames.iter().chain(&self.late).map(|frame| frame.first);
        groups.chain(frames).chain(self.rows.first().map(|row| row.time)).min()
    }

    /// The time of the first row that is not in a group.
    pub(crate) fn open_start(&self) -> Option<i64> {
        self.frames.first().map(|frame| frame.first).or_else(|| self.rows.first().map(|row| row.time))
    }

    /// Encodes what is due: a frame, and a group when there are frames enough.
    pub(crate) fn encode_due(&mut self) -> Option<Arc<Group>> {
        if self.rows.len() < FRAME_ROWS {
            return None;
        }
        self.close_frame();
        let rows: u32 = self.frames.iter().map(|frame| frame.rows).sum();
        if rows < GROUP_ROWS { None } else { self.close_group() }
    }

    /// Makes a group of all open rows. Series that are not on the page any more lose their columns.
    pub(crate) fn close_group(&mut self) -> Option<Arc<Group>> {
        if !self.rows.is_empty() {
            self.close_frame();
        }
        let frames = std::mem::take(&mut self.frames);
        self.sample_bytes -= frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
        let group = group_of(&frames)?;
        self.groups.push(group.clone());
        self.drop_columns();
        Some(group)
    }

    /// Makes a group of the late rows before `end`, if there are any.
    pub(crate) fn close_late(&mut self, end: i64) -> Option<Arc<Group>> {
        let mut frames = std::mem::take(&mut self.late);
        frames.sort_by_key(|frame| frame.first);
        self.late = frames.split_off(frames.partition_point(|frame| frame.first < end));
        self.sample_bytes -= frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
        let group = group_of(&frames)?;
        self.groups.push(group.clone());
        Some(group)
    }

    /// Lets all series rest: the target has been silent for so long that it may never come back.
    pub(crate) fn rest(&mut self) {
        debug_assert!(self.rows.is_empty() && self.frames.is_empty());
        self.alive = Bits::default();
        self.alive_histograms.clear();
        self.alive_timed.clear();
        self.drop_columns();
    }

    fn close_frame(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
        let series = |member: u32| self.members.series[member as usize];
        let mut floats: Vec<(u32, u32)> =
            (0..).zip(&self.columns).map(|(column, member)| (series(*member), column)).collect();
        floats.sort_unstable();
        let members: BTreeSet<u32> =
            rows.iter().flat_map(|row| row.histograms.iter().map(|(member, _)| *member)).collect();
        let mut histograms: Vec<(u32, u32)> = members.into_iter().map(|member| (series(member), member)).collect();
        histograms.sort_unstable();
        let bytes = encode_frame(&rows, &floats, &histograms);
        self.sample_bytes -= rows.iter().map(|row| row.size_bytes()).sum::<usize>();
        self.sample_bytes += bytes.len();
        self.frames.push(Frame { bytes, rows: rows.len() as u32, first: first.time, last: last.time });
    }

    /// Takes the columns of series that had no value in the newest row. There are no raw rows.
    fn drop_columns(&mut self) {
        let resting = self.members.dormant.len() + self.members.timed.len();
        if self.alive.len() == self.columns.len() && self.members.len() <= self.columns.len() + resting {
            return;
        }
        let members = Arc::make_mut(&mut self.members);
        let columns = std::mem::take(&mut self.columns);
        for (column, member) in columns.into_iter().enumerate() {
            let place = &mut members.columns[member as usize];
            if self.alive.contains(column) {
                *place = self.columns.len() as u32;
                self.columns.push(member);
            } else {
                *place = NONE;
            }
        }
        self.alive = Bits::below(self.columns.len());
        self.generation += 1;
        let last = self.last_time.unwrap_or(i64::MIN);
        for member in 0..members.len() as u32 {
            let at = member as usize;
            let is_active = members.columns[at] != NONE
                || self.alive_histograms.contains(&member)
                || members.timed.contains_key(&member)
                || members.series[at] == NONE;
            if !is_active {
                members.dormant.entry(member).or_insert(last);
            }
        }
    }

    /// The bytes of everything but samples.
    pub(crate) fn meta_bytes(&self) -> usize {
        let layouts: usize = self
            .layouts
            .iter()
            .map(|layout| {
                let references: usize = layout.references.iter().map(|reference| reference.values.len() * 8 + 32).sum();
                layout.slots.len() * 4 + references + size_of::<Layout>() + 32
            })
            .sum();
        let columns = self.columns.len() * 4 + self.alive.size_bytes();
        size_of::<Self>() + self.members.size_bytes() + columns + layouts + self.starts_bytes()
    }

    /// The bytes of all starts that are held, those that rows share counted once.
    fn starts_bytes(&self) -> usize {
        let mut last = &self.starts;
        let mut bytes = last.size_bytes();
        for row in self.rows.iter().rev().filter(|row| row.starts != Starts::default()) {
            if !row.starts.is_same(last) {
                last = &row.starts;
                bytes += last.size_bytes();
            }
        }
        bytes
    }
}

impl Layout {
    pub(crate) fn new(hash: LayoutHash, slots: Vec<u32>, families: Families) -> Self {
        let lacks_series = slots.contains(&NONE);
        let slots = slots.into();
        Self { hash, slots, families, references: Vec::new(), identity: None, lacks_series, refused_tick: None }
    }

    pub(crate) fn reference(&self, hash: u64) -> Option<&Arc<Reference>> {
        self.references.iter().find(|reference| reference.hash == hash)
    }
}

/// The name of a reference row: a hash of its values' bits, never 0.
pub fn reference_hash(values: &[f64]) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    values.iter().for_each(|value| hash.update(&value.to_bits().to_le_bytes()));
    hash.digest().max(1)
}

/// Makes a group of frames, ascending in time and with different times; `None` of none.
pub(crate) fn group_of(frames: &[Frame]) -> Option<Arc<Group>> {
    let (first, last) = (frames.first()?, frames.last()?);
    let bytes = match frames {
        [only] => only.bytes.clone(),
        _ => {
            let pieces: Vec<Bytes> = frames.iter().map(|frame| frame.bytes.clone()).collect();
            piece::merge(&pieces).expect("frames were encoded by this process, or verified when they were loaded")
        }
    };
    let parsed = piece::Piece::parse(&bytes).expect("it was encoded just now");
    let series = (parsed.floats.iter().count() + parsed.histograms.iter().count()) as u32;
    let rows = frames.iter().map(|frame| frame.rows).sum();
    Some(Group::new(bytes, range_of(first.first, last.last), rows, series))
}
