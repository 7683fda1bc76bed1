//! Reading a view.

mod reading;

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use bytes::Bytes;
use index::RoaringBitmap;
use model::{Labels, Matcher, TenantId, TimeRange};

use self::reading::Reading;
use crate::loose::Loose;
use crate::piece::Piece;
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

/// The series that a question has found, sorted by labels. Their chunks are read when it is their turn, so that whoever has
/// enough, or leaves, costs no more than that.
#[derive(Debug)]
pub struct Selection {
    series: Peekable<std::vec::IntoIter<(Labels, u32)>>,
    /// `None`: the tenant has nothing here.
    reading: Option<Reading>,
}

impl Iterator for Selection {
    type Item = Result<Selected, SegmentError>;

    /// The next series that has samples in the range; no labels come twice. Fails if data is damaged.
    fn next(&mut self) -> Option<Self::Item> {
        let reading = self.reading.as_mut()?;
        while let Some((labels, series)) = self.series.next() {
            let mut chunks = match reading.chunks(series) {
                Ok(chunks) => chunks,
                Err(error) => return Some(Err(error)),
            };
            // Two targets may have series of the same labels: they are one, with the chunks of both.
            while let Some((_, other)) = self.series.next_if(|(next, _)| *next == labels) {
                match reading.chunks(other) {
                    Ok(more) => chunks.extend(more),
                    Err(error) => return Some(Err(error)),
                }
            }
            if !chunks.is_empty() {
                return Some(Ok(Selected { labels, chunks }));
            }
        }
        None
    }
}

impl HeadView {
    /// The series of a tenant that pass all matchers and have samples in the range, sorted by labels.
    ///
    /// Finds them and their labels; their samples are read one series after the other, as the [`Selection`] is iterated.
    pub fn select(&self, tenant: &TenantId, matchers: &[Matcher], range: TimeRange) -> Selection {
        let Some(head) = self.0.tenants.get(tenant) else {
            return Selection { series: Vec::new().into_iter().peekable(), reading: None };
        };
        let found = head.matching(matchers);
        let mut series: Vec<(Labels, u32)> = found.iter().map(|series| (head.labels(series), series)).collect();
        series.sort_unstable();
        Selection { series: series.into_iter().peekable(), reading: Some(Reading::new(head.clone(), range)) }
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

fn parse(bytes: &Bytes) -> Result<Piece<'_>, SegmentError> {
    Piece::parse(bytes).map_err(|error| SegmentError::Damaged(error.to_string()))
}
