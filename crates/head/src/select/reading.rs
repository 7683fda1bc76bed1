//! From series to the chunks that they have in a range.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use bytes::Bytes;
use chunk::State;
use model::{TimeRange, Timestamp};

use super::{SelectedChunk, parse};
use crate::loose::encode;
use crate::piece::Lookup;
use crate::row::{Row, encode_column, encode_histograms};
use crate::segment::SegmentError;
use crate::target::Target;
use crate::tenant::{Place, TenantHead};

/// Lookups only: their order decides nothing.
type Fixed = BuildHasherDefault<DefaultHasher>;

/// Reads series of a view one after another, opening each piece once.
pub(super) struct Reading {
    head: Arc<TenantHead>,
    range: TimeRange,
    /// The pieces of each target that have rows in the range.
    targets: HashMap<u32, Arc<[OpenPiece]>, Fixed>,
    next_times_id: u64,
    /// Whether the newest sample of each series is enough.
    newest_only: bool,
    /// The column of times that is a single raw row, by target and row.
    row_times: HashMap<(u32, usize), (u64, Bytes), Fixed>,
}

/// A piece whose bytes are at hand.
///
/// Its series are found once for all that are asked for: a target has hundreds of them in each piece, and finding them takes
/// a step for each.
struct OpenPiece {
    times_id: u64,
    times: Bytes,
    floats: Lookup,
    histograms: Lookup,
    /// Raw rows are encoded for each series that is asked for.
    rows: Vec<Arc<Row>>,
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

    /// The chunks that a series has in the range.
    ///
    /// # Errors
    /// If data is damaged.
    pub(super) fn chunks(&mut self, series: u32) -> Result<Vec<SelectedChunk>, SegmentError> {
        let mut chunks = Vec::new();
        let head = self.head.clone();
        match head.series.get(series as usize) {
            Some(Place::Member { target: at, member }) => {
                let Some(target) = head.targets[*at as usize].as_ref() else { return Ok(chunks) };
                if self.newest_only
                    && let Some(newest) = self.newest(*at, target, series, *member)
                {
                    return Ok(vec![newest]);
                }
                self.target_chunks(*at, target, series, *member, &mut chunks)?;
                if let Some(at) = target.members.timed.get(member) {
                    self.loose_chunks(*at, series, &mut chunks)?;
                }
            }
            Some(Place::Loose(at)) => self.loose_chunks(*at, series, &mut chunks)?,
            Some(Place::Free) | None => {}
        }
        Ok(chunks)
    }

    /// The chunk with nothing but the newest sample in the range, if the raw rows have it and nothing else may be newer.
    fn newest(&mut self, at: u32, target: &Target, series: u32, member: u32) -> Option<SelectedChunk> {
        let column = target.members.columns[member as usize];
        let may_be_elsewhere =
            column == crate::members::NONE || !target.late.is_empty() || target.members.timed.contains_key(&member);
        if may_be_elsewhere {
            return None;
        }
        let rows = target.rows.iter().enumerate().rev();
        let mut in_range = rows.filter(|(_, row)| self.range.contains(Timestamp(row.time)));
        let says = |row: &Row| !row.histograms.is_empty() || row.state(column as usize) != State::Absent;
        let (position, row) = in_range.find(|(_, row)| says(row)).filter(|(_, row)| row.histograms.is_empty())?;
        let mut chunk = Vec::new();
        let row_alone = &target.rows[position..=position];
        encode_column(row_alone, (series, column), &mut Vec::new(), &mut chunk).then(|| {
            let (times_id, times) = self.times_of_row(at, position, row.time);
            SelectedChunk { times_id, times, chunk: chunk.into() }
        })
    }

    fn times_of_row(&mut self, target: u32, position: usize, time: i64) -> (u64, Bytes) {
        if let Some(times) = self.row_times.get(&(target, position)) {
            return times.clone();
        }
        let mut encoded = Vec::new();
        chunk::times::encode(&[time], &mut encoded);
        let times = (self.new_times_id(), Bytes::from(encoded));
        self.row_times.insert((target, position), times.clone());
        times
    }

    fn target_chunks(
        &mut self,
        at: u32,
        target: &Target,
        series: u32,
        member: u32,
        chunks: &mut Vec<SelectedChunk>,
    ) -> Result<(), SegmentError> {
        let pieces = match self.targets.get(&at) {
            Some(pieces) => pieces.clone(),
            None => {
                let pieces = self.open_target(target)?;
                self.targets.insert(at, pieces.clone());
                pieces
            }
        };
        let column = target.members.columns[member as usize];
        for piece in pieces.iter() {
            if piece.rows.is_empty() {
                push_chunks(piece, series, chunks);
            } else {
                push_row_chunks(piece, series, column, member, chunks);
            }
        }
        Ok(())
    }

    fn open_target(&mut self, target: &Target) -> Result<Arc<[OpenPiece]>, SegmentError> {
        let range = self.range;
        let mut pieces = Vec::new();
        for group in target.groups.iter().filter(|group| group.range().overlaps(range)) {
            pieces.push(self.open(group.bytes()?)?);
        }
        for frame in target.frames.iter().filter(|frame| frame.range().overlaps(range)) {
            pieces.push(self.open(frame.bytes.clone())?);
        }
        // They are encoded for each series: no more of them than were asked for.
        let rows: Vec<_> = target.rows.iter().filter(|row| range.contains(Timestamp(row.time))).cloned().collect();
        if !rows.is_empty() {
            let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
            let mut encoded = Vec::new();
            chunk::times::encode(&times, &mut encoded);
            let times_id = self.new_times_id();
            let [floats, histograms] = [Lookup::default(), Lookup::default()];
            pieces.push(OpenPiece { times_id, times: encoded.into(), floats, histograms, rows });
        }
        for frame in target.late.iter().filter(|frame| frame.range().overlaps(range)) {
            pieces.push(self.open(frame.bytes.clone())?);
        }
        Ok(pieces.into())
    }

    fn open(&mut self, bytes: Bytes) -> Result<OpenPiece, SegmentError> {
        let piece = parse(&bytes)?;
        let times = bytes.slice_ref(piece.times);
        let (floats, histograms) = (piece.floats.lookup(&bytes), piece.histograms.lookup(&bytes));
        Ok(OpenPiece { times_id: self.new_times_id(), times, floats, histograms, rows: Vec::new() })
    }

    fn loose_chunks(&mut self, at: u32, series: u32, chunks: &mut Vec<SelectedChunk>) -> Result<(), SegmentError> {
        let (range, head) = (self.range, self.head.clone());
        let Some(loose) = head.loose[at as usize].as_ref() else { return Ok(()) };
        for group in loose.groups.iter().filter(|group| group.range().overlaps(range)) {
            push_chunks(&self.open(group.bytes()?)?, series, chunks);
        }
        for frame in loose.frames.iter().filter(|frame| frame.range().overlaps(range)) {
            push_chunks(&self.open(frame.bytes.clone())?, series, chunks);
        }
        let mut late = loose.late.clone();
        late.sort_by_key(|sample| sample.time);
        for samples in [&loose.open, &late] {
            let here = samples.iter().any(|sample| range.contains(Timestamp(sample.time)));
            if let Some(frame) = here.then(|| encode(series, samples)).flatten() {
                push_chunks(&self.open(frame.bytes)?, series, chunks);
            }
        }
        Ok(())
    }

    fn new_times_id(&mut self) -> u64 {
        self.next_times_id += 1;
        self.next_times_id
    }
}

/// Adds the chunks that an encoded piece has of a series.
fn push_chunks(piece: &OpenPiece, series: u32, chunks: &mut Vec<SelectedChunk>) {
    let found = [&piece.floats, &piece.histograms].into_iter().filter_map(|section| section.find(series));
    chunks.extend(found.map(|chunk| SelectedChunk { times_id: piece.times_id, times: piece.times.clone(), chunk }));
}

/// Adds what raw rows have of a series.
fn push_row_chunks(piece: &OpenPiece, series: u32, column: u32, member: u32, chunks: &mut Vec<SelectedChunk>) {
    let mut push = |chunk: Vec<u8>| {
        let times = piece.times.clone();
        chunks.push(SelectedChunk { times_id: piece.times_id, times, chunk: chunk.into() });
    };
    let mut chunk = Vec::new();
    if column != crate::members::NONE && encode_column(&piece.rows, (series, column), &mut Vec::new(), &mut chunk) {
        push(chunk);
    }
    let mut chunk = Vec::new();
    let has_histograms = piece.rows.iter().any(|row| !row.histograms.is_empty());
    let mut encoded = || encode_histograms(&piece.rows, (series, member), &mut chunk);
    if has_histograms && encoded().expect("an accepted histogram is valid") {
        push(chunk);
    }
}
