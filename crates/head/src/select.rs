//! Reading a view.

mod ranked;
mod reading;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;
use index::{PairId, Postings, RoaringBitmap};
use model::{Labels, Matcher, TenantId, TimeRange};
use series::{Series, Texts};

use self::ranked::Ranked;
use self::reading::{Form, Reading};
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
    series: Ranked,
    /// `None`: the tenant has nothing here.
    reading: Option<Reading>,
}

impl Selection {
    /// Reads the newest sample in the range of each series, and others only where that is not dearer.
    pub fn newest_only(mut self) -> Self {
        self.reading = self.reading.map(Reading::newest_only);
        self
    }

    /// The next series, for whoever reads it in this process: what was not encoded yet comes as samples. Else as
    /// [`Self::next`].
    pub fn next_series(&mut self) -> Option<Result<Series, SegmentError>> {
        let next = self.next_as()?;
        Some(next.map(|(labels, chunks)| Series { labels, chunks }))
    }

    /// Whether no series are left.
    pub fn is_over(&self) -> bool {
        self.series.is_over()
    }

    /// The next series that has samples in the range, with these.
    fn next_as<C: Form>(&mut self) -> Option<Result<(Labels, Vec<C>), SegmentError>> {
        let reading = self.reading.as_mut()?;
        let mut chunks = Vec::new();
        while let Some((series, labels)) = self.series.next() {
            if let Err(error) = reading.read(series, &mut chunks) {
                return Some(Err(error));
            }
            // Two targets may have series of the same labels: they are one, with the chunks of both.
            while let Some(other) = self.series.next_if_same(&labels) {
                if let Err(error) = reading.read(other, &mut chunks) {
                    return Some(Err(error));
                }
            }
            if !chunks.is_empty() {
                return Some(Ok((self.series.labels(&labels), chunks)));
            }
        }
        None
    }
}

impl Iterator for Selection {
    type Item = Result<Selected, SegmentError>;

    /// The next series that has samples in the range; no labels come twice. Fails if data is damaged.
    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_as()?;
        Some(next.map(|(labels, chunks)| Selected { labels, chunks }))
    }
}

impl HeadView {
    /// The series of a tenant that pass all matchers and have samples in the range, sorted by labels.
    ///
    /// Finds them and their labels; their samples are read one series after the other, as the [`Selection`] is iterated.
    pub fn select(&self, tenant: &TenantId, matchers: &[Matcher], range: TimeRange) -> Selection {
        let selected = self.select_while(tenant, matchers, range, &|| true);
        selected.expect("nobody gives up")
    }

    /// [`Self::select`] for as long as it is wanted, which is asked every few milliseconds. `None` once it is not.
    pub fn select_while(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
        is_wanted: IsWanted<'_>,
    ) -> Option<Selection> {
        let Some(head) = self.0.tenants.get(tenant) else {
            return Some(Selection { series: Ranked::none(), reading: None });
        };
        let series = head.ranked(&head.matching(matchers), is_wanted)?;
        Some(Selection { series, reading: Some(Reading::new(head.clone(), range)) })
    }

    /// The label sets of a tenant that pass all matchers and have samples in the range, sorted. `None` once it is not wanted
    /// any more, which is asked every few milliseconds.
    pub fn select_labels(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
        is_wanted: IsWanted<'_>,
    ) -> Option<Vec<Labels>> {
        let Some(head) = self.0.tenants.get(tenant) else { return Some(Vec::new()) };
        let mut series = head.ranked(&head.present(matchers, range, is_wanted)?, is_wanted)?;
        let labels = std::iter::from_fn(|| {
            let (_, place) = series.next()?;
            while series.next_if_same(&place).is_some() {}
            Some(series.labels(&place))
        });
        collect_while(labels, is_wanted)
    }

    /// The names of the labels of series that pass all matchers and have samples in the range, ascending. `None` as in
    /// [`Self::select_labels`].
    pub fn label_names(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
        is_wanted: IsWanted<'_>,
    ) -> Option<Texts> {
        let Some(head) = self.0.tenants.get(tenant) else { return Some(Texts::default()) };
        let mut wanted = head.wanted(matchers, range, is_wanted)?;
        collect_while(head.index.names(|series| wanted.has_some_of(series)), is_wanted)
    }

    /// The values of a label of series that pass all matchers and have samples in the range, ascending. `None` as in
    /// [`Self::select_labels`].
    pub fn label_values(
        &self,
        tenant: &TenantId,
        name: &str,
        (matchers, range): (&[Matcher], TimeRange),
        is_wanted: IsWanted<'_>,
    ) -> Option<Texts> {
        let Some(head) = self.0.tenants.get(tenant) else { return Some(Texts::default()) };
        let mut wanted = head.wanted(matchers, range, is_wanted)?;
        collect_while(head.index.values(name, |series| wanted.has_some_of(series)), is_wanted)
    }
}

/// Whether an answer is still wanted: cheap, and asked often.
pub type IsWanted<'a> = &'a dyn Fn() -> bool;

/// So many items are looked at between two questions whether they are wanted: a millisecond or so.
const BETWEEN_QUESTIONS: usize = 4096;

/// Collects items for as long as they are wanted.
fn collect_while<T, C: Default + Extend<T>>(mut items: impl Iterator<Item = T>, is_wanted: IsWanted<'_>) -> Option<C> {
    let mut collected = C::default();
    while is_wanted() {
        let mut count = 0;
        collected.extend(items.by_ref().take(BETWEEN_QUESTIONS).inspect(|_| count += 1));
        if count < BETWEEN_QUESTIONS {
            return Some(collected);
        }
    }
    None
}

/// Sorts items for as long as they are wanted. Equal ones must be the same.
fn sort_while<T>(mut items: Vec<T>, order: impl Fn(&T, &T) -> Ordering, is_wanted: IsWanted<'_>) -> Option<Vec<T>> {
    for run in items.chunks_mut(BETWEEN_QUESTIONS) {
        if !is_wanted() {
            return None;
        }
        run.sort_unstable_by(&order);
    }
    // It takes up the runs that it finds.
    items.sort_by(&order);
    is_wanted().then_some(items)
}

impl TenantHead {
    fn matching(&self, matchers: &[Matcher]) -> RoaringBitmap {
        self.index.select(matchers, |series, name| self.label_value(series, name))
    }

    /// The series that pass all matchers and have, as far as times tell, samples in the range.
    /// `None` once they are not wanted any more.
    fn present(&self, matchers: &[Matcher], range: TimeRange, is_wanted: IsWanted<'_>) -> Option<RoaringBitmap> {
        let mut present = RoaringBitmap::new();
        let matching = self.matching(matchers);
        let mut matching = matching.iter();
        let mut presence = Presence::new(self, range);
        while is_wanted() {
            let some = matching.by_ref().take(BETWEEN_QUESTIONS);
            let mut count = 0;
            let some = some.inspect(|_| count += 1).filter(|series| presence.may_have_samples(*series));
            present.append(some).expect("series ascend");
            if count < BETWEEN_QUESTIONS {
                return Some(present);
            }
        }
        None
    }

    /// As [`Self::present`], without looking at series that nobody asks about.
    fn wanted(&self, matchers: &[Matcher], range: TimeRange, is_wanted: IsWanted<'_>) -> Option<Wanted<'_>> {
        if !matchers.is_empty() {
            return self.present(matchers, range, is_wanted).map(Wanted::These);
        }
        let mut presence = Presence::new(self, range);
        Some(if presence.is_of_all() { Wanted::All } else { Wanted::Present(presence) })
    }

    /// Some series in the order of their labels. `None` once they are not wanted any more.
    fn ranked(&self, series: &RoaringBitmap, is_wanted: IsWanted<'_>) -> Option<Ranked> {
        let pairs_of = |series, pairs: &mut Vec<PairId>| match self.series.get(series as usize) {
            Some(Place::Member { target, member }) => {
                let target = self.targets[*target as usize].as_ref();
                pairs.extend(target.into_iter().flat_map(|target| target.members.pairs(*member)));
            }
            Some(Place::Loose(at)) => {
                let loose = self.loose[*at as usize].as_ref();
                pairs.extend(loose.into_iter().flat_map(|loose| loose.pairs.iter().copied()));
            }
            Some(Place::Free) | None => {}
        };
        Ranked::new(series.iter(), pairs_of, &self.index, is_wanted)
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

/// Series whose labels are wanted.
enum Wanted<'a> {
    All,
    These(RoaringBitmap),
    Present(Presence<'a>),
}

impl Wanted<'_> {
    fn has_some_of(&mut self, series: &Postings) -> bool {
        match self {
            Self::All => true,
            Self::These(wanted) => series.meets(wanted),
            Self::Present(presence) => series.any(|series| presence.may_have_samples(series)),
        }
    }
}

/// Tells which series have samples in a range. What is known of a target is known of all its series.
struct Presence<'a> {
    head: &'a TenantHead,
    range: TimeRange,
    /// What is known of each target, as far as that was asked.
    targets: Vec<Option<Rows>>,
}

/// Which members of a target have rows in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// None, but for those that have times of their own.
    None,
    /// Those that are not dormant since before.
    OfSome,
    OfAll,
}

impl<'a> Presence<'a> {
    fn new(head: &'a TenantHead, range: TimeRange) -> Self {
        Self { head, range, targets: vec![None; head.targets.len()] }
    }

    /// Whether all series there are have samples in the range. Looks at no series but those that are by themselves.
    fn is_of_all(&mut self) -> bool {
        let head = self.head;
        let mut targets = (0u32..).zip(head.targets.iter());
        targets.all(|(at, target)| target.as_ref().is_none_or(|target| self.rows(at, target) == Rows::OfAll))
            && head.loose.iter().flatten().all(|loose| loose.has_samples_in(self.range))
    }

    fn rows(&mut self, at: u32, target: &Target) -> Rows {
        let range = self.range;
        *self.targets[at as usize].get_or_insert_with(|| {
            let is_past = |last: &i64| *last < range.start().as_ms();
            match target.has_rows_in(range) {
                false => Rows::None,
                true if target.members.dormant.values().any(is_past) => Rows::OfSome,
                true => Rows::OfAll,
            }
        })
    }

    /// Whether a series' target, or it by itself, has rows in the range. Rows in which it is absent count: an answer of
    /// labels alone may have a few too many at the edges.
    fn may_have_samples(&mut self, series: u32) -> bool {
        let (head, range) = (self.head, self.range);
        let is_loose = |at: u32| head.loose[at as usize].as_ref().is_some_and(|loose| loose.has_samples_in(range));
        match head.series.get(series as usize) {
            Some(Place::Member { target: at, member }) => {
                if self.targets[*at as usize] == Some(Rows::OfAll) {
                    return true;
                }
                let Some(target) = head.targets[*at as usize].as_ref() else { return false };
                let is_past = || target.members.dormant.get(member).is_some_and(|last| *last < range.start().as_ms());
                let has_rows = match self.rows(*at, target) {
                    Rows::None => false,
                    Rows::OfSome => !is_past(),
                    Rows::OfAll => true,
                };
                has_rows || target.members.timed.get(member).is_some_and(|at| is_loose(*at))
            }
            Some(Place::Loose(at)) => is_loose(*at),
            Some(Place::Free) | None => false,
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn work_ends_once_it_is_not_wanted() {
        let (asked, looked_at) = (Cell::new(0), Cell::new(0));
        let is_wanted = || {
            asked.set(asked.get() + 1);
            asked.get() <= 3
        };
        let items = (0..1_000_000).inspect(|_| looked_at.set(looked_at.get() + 1));
        assert_eq!(collect_while::<_, Vec<i32>>(items, &is_wanted), None);
        assert_eq!(looked_at.get(), 3 * BETWEEN_QUESTIONS);
        asked.set(0);
        assert_eq!(sort_while(vec![0; 4 * BETWEEN_QUESTIONS], Ord::cmp, &is_wanted), None);
    }

    #[test]
    fn what_is_wanted_is_whole_and_sorted() {
        for count in [0, 1, BETWEEN_QUESTIONS, BETWEEN_QUESTIONS + 1, 3 * BETWEEN_QUESTIONS] {
            let collected: Vec<_> = collect_while((0..count).rev(), &|| true).unwrap();
            assert_eq!(sort_while(collected, Ord::cmp, &|| true), Some((0..count).collect()));
        }
    }
}
