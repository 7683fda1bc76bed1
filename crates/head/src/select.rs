//! Reading a view.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use bytes::Bytes;
use index::RoaringBitmap;
use model::{Labels, Matcher, TenantId, TimeRange};

use crate::loose::{Loose, encode};
use crate::piece::Piece;
use crate::row::{encode_column, encode_histograms};
use crate::segment::SegmentError;
use crate::target::Target;
use crate::tenant::{Owned, Place, TenantHead, labels_of};
use crate::view::HeadView;

/// A series with chunks that hold all its samples that were asked for, and perhaps others.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Who it is.
    pub labels: Labels,
    /// Its chunks, in the order in which they win over each other.
    pub chunks: Vec<SelectedChunk>,
}

/// An encoded chunk (docs/formats/chunk.md) and the encoded times of its rows.
///
/// Series of one target share columns of times: equal `times_id`s mean the same column, within one call.
#[derive(Clone, Debug)]
pub struct SelectedChunk {
    /// Names the column of times.
    pub times_id: u64,
    /// The column of times.
    pub times: Bytes,
    /// The chunk.
    pub chunk: Bytes,
}

impl HeadView {
    /// The series of a tenant that pass all matchers and have samples in the range, sorted by labels.
    ///
    /// # Errors
    /// If data is damaged.
    pub fn select(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<Selected>, SegmentError> {
        let Some(head) = self.0.tenants.get(tenant) else { return Ok(Vec::new()) };
        let mut reading = Reading::new(head, range);
        let mut selected = Vec::new();
        for series in head.matching(matchers).iter() {
            let chunks = reading.chunks(series)?;
            if !chunks.is_empty() {
                selected.push(Selected { labels: head.labels(series), chunks });
            }
        }
        selected.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Ok(selected)
    }

    /// The label sets of a tenant that pass all matchers and have samples in the range, sorted.
    pub fn select_labels(&self, tenant: &TenantId, matchers: &[Matcher], range: TimeRange) -> Vec<Labels> {
        let Some(head) = self.0.tenants.get(tenant) else { return Vec::new() };
        let mut labels: Vec<_> = head.present(matchers, range).iter().map(|series| head.labels(series)).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// The names of the labels of series that pass all matchers and have samples in the range, ascending.
    pub fn label_names(&self, tenant: &TenantId, matchers: &[Matcher], range: TimeRange) -> Vec<Arc<str>> {
        let Some(head) = self.0.tenants.get(tenant) else { return Vec::new() };
        head.index.names(head.wanted(matchers, range).as_ref())
    }

    /// The values of a label of series that pass all matchers and have samples in the range, ascending.
    pub fn label_values(&self, tenant: &TenantId, name: &str, matchers: &[Matcher], range: TimeRange) -> Vec<Arc<str>> {
        let Some(head) = self.0.tenants.get(tenant) else { return Vec::new() };
        head.index.values(name, head.wanted(matchers, range).as_ref()).collect()
    }
}

impl TenantHead {
    fn matching(&self, matchers: &[Matcher]) -> RoaringBitmap {
        self.index.select(matchers, |series, name| self.label_value(series, name))
    }

    /// The series that pass all matchers and have, as far as times tell, samples in the range.
    fn present(&self, matchers: &[Matcher], range: TimeRange) -> RoaringBitmap {
        let matching = self.matching(matchers);
        matching.iter().filter(|series| self.may_have_samples(*series, range)).collect()
    }

    /// As [`Self::present`]; `None` if that is all series.
    fn wanted(&self, matchers: &[Matcher], range: TimeRange) -> Option<RoaringBitmap> {
        let present = self.present(matchers, range);
        (present.len() < self.index.len()).then_some(present)
    }

    /// Whether a series' target, or it by itself, has rows in the range. Rows in which it is absent count: an answer of
    /// labels alone may have a few too many at the edges.
    fn may_have_samples(&self, series: u32, range: TimeRange) -> bool {
        match self.series.get(series as usize) {
            Some(Place::Member { target, member }) => {
                let Some(target) = self.targets[*target as usize].as_ref() else { return false };
                let timed = target.members.timed.get(member).and_then(|at| self.loose[*at as usize].as_ref());
                let rested = target.members.dormant.get(member);
                let in_rows = match rested {
                    Some(last) => *last >= range.start().as_ms() && target.has_rows_in(range),
                    None => target.has_rows_in(range),
                };
                in_rows || timed.is_some_and(|loose| loose.has_samples_in(range))
            }
            Some(Place::Loose(at)) => {
                self.loose[*at as usize].as_ref().is_some_and(|loose| loose.has_samples_in(range))
            }
            Some(Place::Free) | None => false,
        }
    }

    /// The labels of a series.
    pub(crate) fn labels(&self, series: u32) -> Labels {
        match self.series.get(series as usize) {
            Some(Place::Member { target, member }) => match &self.targets[*target as usize] {
                Some(target) => target.members.labels(*member, &self.index),
                None => Labels::empty(),
            },
            Some(Place::Loose(at)) => match &self.loose[*at as usize] {
                Some(loose) => labels_of(&self.index, loose.pairs.iter().copied()),
                None => Labels::empty(),
            },
            Some(Place::Free) | None => Labels::empty(),
        }
    }

    fn label_value(&self, series: u32, name: &str) -> Option<&str> {
        let find = |pairs: &mut dyn Iterator<Item = index::PairId>| {
            pairs.map(|id| self.index.pair(id)).find(|pair| *pair.name == *name).map(|pair| &*pair.value)
        };
        match self.series.get(series as usize)? {
            Place::Member { target, member } => {
                find(&mut self.targets[*target as usize].as_ref()?.members.pairs(*member))
            }
            Place::Loose(at) => find(&mut self.loose[*at as usize].as_ref()?.pairs.iter().copied()),
            Place::Free => None,
        }
    }
}

impl Target {
    fn has_rows_in(&self, range: TimeRange) -> bool {
        self.groups.iter().any(|group| group.range().overlaps(range))
            || self.frames.iter().chain(&self.late).any(|frame| frame.range().overlaps(range))
            || self.rows.iter().any(|row| range.contains(model::Timestamp(row.time)))
    }
}

impl Loose {
    fn has_samples_in(&self, range: TimeRange) -> bool {
        self.groups.iter().any(|group| group.range().overlaps(range))
            || self.frames.iter().any(|frame| frame.range().overlaps(range))
            || self.open.iter().chain(&self.late).any(|sample| range.contains(model::Timestamp(sample.time)))
    }
}

/// Lookups only: their order decides nothing.
type Fixed = BuildHasherDefault<DefaultHasher>;

/// Reads series of a view one after another, opening each piece once.
struct Reading<'a> {
    head: &'a TenantHead,
    range: TimeRange,
    /// The pieces of each target that have rows in the range.
    targets: HashMap<u32, Arc<[OpenPiece]>, Fixed>,
    next_times_id: u64,
}

/// A piece whose bytes are at hand.
struct OpenPiece {
    bytes: Bytes,
    times_id: u64,
    times: Bytes,
    /// Raw rows are encoded for each series that is asked for.
    rows: Vec<Arc<crate::row::Row>>,
}

impl<'a> Reading<'a> {
    fn new(head: &'a TenantHead, range: TimeRange) -> Self {
        Self { head, range, targets: HashMap::default(), next_times_id: 0 }
    }

    fn chunks(&mut self, series: u32) -> Result<Vec<SelectedChunk>, SegmentError> {
        let mut chunks = Vec::new();
        match self.head.series.get(series as usize) {
            Some(Place::Member { target: at, member }) => {
                let Some(target) = self.head.targets[*at as usize].as_ref() else { return Ok(chunks) };
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
                push_chunks(piece, series, chunks)?;
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
        let bounds = target.rows.first().zip(target.rows.last());
        let open = bounds.map(|(first, last)| crate::group::range_of(first.time, last.time));
        if open.is_some_and(|open| open.overlaps(range)) {
            let times: Vec<i64> = target.rows.iter().map(|row| row.time).collect();
            let mut encoded = Vec::new();
            chunk::times::encode(&times, &mut encoded);
            let times_id = self.new_times_id();
            pieces.push(OpenPiece { bytes: Bytes::new(), times_id, times: encoded.into(), rows: target.rows.clone() });
        }
        for frame in target.late.iter().filter(|frame| frame.range().overlaps(range)) {
            pieces.push(self.open(frame.bytes.clone())?);
        }
        Ok(pieces.into())
    }

    fn open(&mut self, bytes: Bytes) -> Result<OpenPiece, SegmentError> {
        let piece = parse(&bytes)?;
        let times = bytes.slice_ref(piece.times);
        Ok(OpenPiece { times_id: self.new_times_id(), times, bytes, rows: Vec::new() })
    }

    fn loose_chunks(&mut self, at: u32, series: u32, chunks: &mut Vec<SelectedChunk>) -> Result<(), SegmentError> {
        let range = self.range;
        let Some(loose) = self.head.loose[at as usize].as_ref() else { return Ok(()) };
        for group in loose.groups.iter().filter(|group| group.range().overlaps(range)) {
            push_chunks(&self.open(group.bytes()?)?, series, chunks)?;
        }
        for frame in loose.frames.iter().filter(|frame| frame.range().overlaps(range)) {
            push_chunks(&self.open(frame.bytes.clone())?, series, chunks)?;
        }
        let mut late = loose.late.clone();
        late.sort_by_key(|sample| sample.time);
        for samples in [&loose.open, &late] {
            let here = samples.iter().any(|sample| range.contains(model::Timestamp(sample.time)));
            if let Some(frame) = here.then(|| encode(series, samples)).flatten() {
                push_chunks(&self.open(frame.bytes)?, series, chunks)?;
            }
        }
        Ok(())
    }

    fn new_times_id(&mut self) -> u64 {
        self.next_times_id += 1;
        self.next_times_id
    }
}

fn parse(bytes: &Bytes) -> Result<Piece<'_>, SegmentError> {
    Piece::parse(bytes).map_err(|error| SegmentError::Damaged(error.to_string()))
}

/// Adds the chunks that an encoded piece has of a series.
fn push_chunks(piece: &OpenPiece, series: u32, chunks: &mut Vec<SelectedChunk>) -> Result<(), SegmentError> {
    let parsed = parse(&piece.bytes)?;
    for section in [&parsed.floats, &parsed.histograms] {
        if let Some(chunk) = section.find(series) {
            let chunk = piece.bytes.slice_ref(chunk);
            chunks.push(SelectedChunk { times_id: piece.times_id, times: piece.times.clone(), chunk });
        }
    }
    Ok(())
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

/// The series that some groups have, by metric and then by labels, with all their chunks in these groups.
pub(crate) fn series_of_groups<'a>(
    head: &TenantHead,
    groups: impl Iterator<Item = &'a Owned>,
) -> Result<Vec<Selected>, SegmentError> {
    let mut found: BTreeMap<u32, Vec<SelectedChunk>> = BTreeMap::new();
    for (times_id, Owned { group, .. }) in (0..).zip(groups) {
        let bytes = group.bytes()?;
        let piece = parse(&bytes)?;
        let times = bytes.slice_ref(piece.times);
        for (series, chunk) in piece.floats.iter().chain(piece.histograms.iter()) {
            let chunk = SelectedChunk { times_id, times: times.clone(), chunk: bytes.slice_ref(chunk) };
            found.entry(series).or_default().push(chunk);
        }
    }
    let mut series: Vec<_> =
        found.into_iter().map(|(series, chunks)| Selected { labels: head.labels(series), chunks }).collect();
    series.sort_by(|a, b| (a.labels.metric(), &a.labels).cmp(&(b.labels.metric(), &b.labels)));
    // Two targets may have series of the same labels: the block has them once, with the chunks of both.
    series.dedup_by(|later, earlier| {
        let same = later.labels == earlier.labels;
        if same {
            earlier.chunks.append(&mut later.chunks);
        }
        same
    });
    Ok(series)
}
