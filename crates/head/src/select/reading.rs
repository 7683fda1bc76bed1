//! From series to the chunks that they have in a range.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chunk::State;
use foldhash::fast::FixedState;
use model::{STALE_NAN, Sample, TimeRange, Timestamp, Value};
use series::{Chunk, Samples, Times};

use super::SelectedChunk;
use crate::loose::encode;
use crate::members::NONE;
use crate::piece::OpenPiece;
use crate::row::{Row, encode_column, encode_histograms};
use crate::segment::SegmentError;
use crate::starts::StartsOf;
use crate::target::Target;
use crate::tenant::{Place, TenantHead};

/// Reads series of a view one after another, opening each piece once.
pub(super) struct Reading {
    head: Arc<TenantHead>,
    range: TimeRange,
    /// The parts of each target that have rows in the range.
    targets: HashMap<u32, Arc<[Part]>, FixedState>,
    next_times_id: u64,
    /// Whether the newest sample of each series is enough.
    newest_only: bool,
    /// The column of times that is a single raw row, by target and row.
    row_times: HashMap<(u32, usize), Column, FixedState>,
}

/// A column of times, and the number by which an answer names it.
#[derive(Clone, Debug)]
pub(super) struct Column {
    id: u64,
    times: Arc<Times>,
}

/// Some rows of a target.
enum Part {
    /// Encoded: its bytes are at hand, and its series are found once for all that are asked for.
    Piece(Column, OpenPiece),
    /// Raw.
    Rows(Column, Vec<Arc<Row>>),
}

impl Part {
    /// Adds what it has of a series, which has this column in rows, and is this member of its target.
    fn push<C: Form>(&self, (series, column, member): (u32, u32, u32), chunks: &mut Vec<C>) {
        let (times, rows) = match self {
            Self::Piece(times, OpenPiece { floats, histograms, .. }) => {
                let found = [floats, histograms].into_iter().filter_map(|section| section.find(series));
                chunks.extend(found.map(|chunk| C::encoded(times, chunk)));
                return;
            }
            Self::Rows(times, rows) => (times, rows),
        };
        if column != NONE {
            chunks.extend(C::of_rows(times, rows, (series, column)));
        }
        if rows.iter().any(|row| !row.histograms.is_empty()) {
            let mut chunk = Vec::new();
            let encoded = encode_histograms(rows, (series, member), &mut chunk);
            if encoded.expect("an accepted histogram is valid") {
                chunks.push(C::encoded(times, chunk.into()));
            }
        }
    }
}

/// What a series' samples are handed over as.
pub(super) trait Form: Sized {
    /// A chunk that is encoded already.
    fn encoded(column: &Column, chunk: Bytes) -> Self;

    /// One float column of raw rows, that of a series; `None` if no row has anything to say about it.
    fn of_rows(times: &Column, rows: &[Arc<Row>], column: (u32, u32)) -> Option<Self>;
}

/// As it is sent: raw rows are encoded.
impl Form for SelectedChunk {
    fn encoded(column: &Column, chunk: Bytes) -> Self {
        Self { times_id: column.id, times: column.times.encoded().clone(), chunk }
    }

    fn of_rows(times: &Column, rows: &[Arc<Row>], column: (u32, u32)) -> Option<Self> {
        let mut chunk = Vec::new();
        encode_column(rows, column, &mut Vec::new(), &mut chunk).then(|| Self::encoded(times, chunk.into()))
    }
}

/// For whoever reads it in this process: raw rows need not be encoded.
impl Form for Chunk {
    fn encoded(column: &Column, chunk: Bytes) -> Self {
        Self::Encoded { times: column.times.clone(), bytes: chunk }
    }

    fn of_rows(_: &Column, rows: &[Arc<Row>], (series, column): (u32, u32)) -> Option<Self> {
        let mut samples = Samples::new();
        let mut starts_of = StartsOf::new(series);
        for row in rows {
            let (value, start_ms) = match row.state(column as usize) {
                State::Absent => continue,
                State::Stale => (STALE_NAN, 0),
                State::Present => (row.values[column as usize], starts_of.in_row(row)),
            };
            samples.push(&Sample { timestamp: Timestamp(row.time), value: Value::Float(value) }, start_ms);
        }
        (!samples.is_empty()).then(|| Self::Samples(Arc::new(samples)))
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("range", &self.range).finish_non_exhaustive()
    }
}

impl Reading {
    pub(super) fn new(head: Arc<TenantHead>, range: TimeRange) -> Self {
        Self {
            head,
            range,
            targets: HashMap::default(),
            next_times_id: 0,
            newest_only: false,
            row_times: HashMap::default(),
        }
    }

    /// Reads the newest sample in the range of each series, and others only where that is not dearer.
    pub(super) fn newest_only(self) -> Self {
        Self { newest_only: true, ..self }
    }

    /// Adds the chunks that a series has in the range.
    ///
    /// # Errors
    /// If data is damaged.
    pub(super) fn read<C: Form>(&mut self, series: u32, chunks: &mut Vec<C>) -> Result<(), SegmentError> {
        let head = self.head.clone();
        match head.series.get(series as usize) {
            Some(Place::Member { target: at, member }) => {
                let Some(target) = head.targets[*at as usize].as_ref() else { return Ok(()) };
                if self.newest_only
                    && let Some(newest) = self.newest(*at, target, series, *member)
                {
                    chunks.push(newest);
                    return Ok(());
                }
                self.read_target(*at, target, series, *member, chunks)?;
                if let Some(at) = target.members.timed.get(member) {
                    self.read_loose(*at, series, chunks)?;
                }
            }
            Some(Place::Loose(at)) => self.read_loose(*at, series, chunks)?,
            Some(Place::Free) | None => {}
        }
        Ok(())
    }

    /// Nothing but the newest sample in the range, if the raw rows have it and nothing else may be newer.
    fn newest<C: Form>(&mut self, at: u32, target: &Target, series: u32, member: u32) -> Option<C> {
        let column = target.members.columns[member as usize];
        if column == NONE || !target.late.is_empty() || target.members.timed.contains_key(&member) {
            return None;
        }
        let rows = target.rows.iter().enumerate().rev();
        let mut in_range = rows.filter(|(_, row)| self.range.contains(Timestamp(row.time)));
        let says = |row: &Row| !row.histograms.is_empty() || row.state(column as usize) != State::Absent;
        let (position, row) = in_range.find(|(_, row)| says(row)).filter(|(_, row)| row.histograms.is_empty())?;
        let times = self.times_of_row(at, position, row.time);
        C::of_rows(&times, &target.rows[position..=position], (series, column))
    }

    fn times_of_row(&mut self, target: u32, position: usize, time: i64) -> Column {
        if let Some(column) = self.row_times.get(&(target, position)) {
            return column.clone();
        }
        let column = self.encode_times(&[time]);
        self.row_times.insert((target, position), column.clone());
        column
    }

    fn read_target<C: Form>(
        &mut self,
        at: u32,
        target: &Target,
        series: u32,
        member: u32,
        chunks: &mut Vec<C>,
    ) -> Result<(), SegmentError> {
        let parts = match self.targets.get(&at) {
            Some(parts) => parts.clone(),
            None => {
                let parts = self.open_target(target)?;
                self.targets.insert(at, parts.clone());
                parts
            }
        };
        let column = target.members.columns[member as usize];
        chunks.reserve(parts.len());
        for part in parts.iter() {
            part.push((series, column, member), chunks);
        }
        Ok(())
    }

    fn open_target(&mut self, target: &Target) -> Result<Arc<[Part]>, SegmentError> {
        let range = self.range;
        let mut parts = Vec::new();
        for group in target.groups.iter().filter(|group| group.range().overlaps(range)) {
            parts.push(self.open(&group.bytes()?)?);
        }
        for frame in target.frames.iter().filter(|frame| frame.range().overlaps(range)) {
            parts.push(self.open(&frame.bytes)?);
        }
        // No more of them than were asked for: something is done with them for each series.
        let rows: Vec<_> = target.rows.iter().filter(|row| range.contains(Timestamp(row.time))).cloned().collect();
        if !rows.is_empty() {
            let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
            parts.push(Part::Rows(self.encode_times(&times), rows));
        }
        for frame in target.late.iter().filter(|frame| frame.range().overlaps(range)) {
            parts.push(self.open(&frame.bytes)?);
        }
        Ok(parts.into())
    }

    fn open(&mut self, bytes: &Bytes) -> Result<Part, SegmentError> {
        let piece = OpenPiece::open(bytes).map_err(|error| SegmentError::Damaged(error.to_string()))?;
        Ok(Part::Piece(self.column(piece.times.clone()), piece))
    }

    fn read_loose<C: Form>(&mut self, at: u32, series: u32, chunks: &mut Vec<C>) -> Result<(), SegmentError> {
        let (range, head) = (self.range, self.head.clone());
        let Some(loose) = head.loose[at as usize].as_ref() else { return Ok(()) };
        let mut push = |bytes: &Bytes| {
            self.open(bytes)?.push((series, NONE, NONE), chunks);
            Ok::<_, SegmentError>(())
        };
        for group in loose.groups.iter().filter(|group| group.range().overlaps(range)) {
            push(&group.bytes()?)?;
        }
        for frame in loose.frames.iter().filter(|frame| frame.range().overlaps(range)) {
            push(&frame.bytes)?;
        }
        let mut late = loose.late.clone();
        late.sort_by_key(|sample| sample.time);
        for samples in [&loose.open, &late] {
            let here = samples.iter().any(|sample| range.contains(Timestamp(sample.time)));
            if let Some(frame) = here.then(|| encode(series, samples)).flatten() {
                push(&frame.bytes)?;
            }
        }
        Ok(())
    }

    fn encode_times(&mut self, times: &[i64]) -> Column {
        let mut encoded = Vec::new();
        chunk::times::encode(times, &mut encoded);
        self.column(encoded.into())
    }

    fn column(&mut self, encoded: Bytes) -> Column {
        self.next_times_id += 1;
        Column { id: self.next_times_id, times: Arc::new(Times::new(encoded)) }
    }
}
