//! What a shard has of one tenant.

mod scrape;

use std::sync::Arc;

use imbl::OrdMap;
use index::{Index, PairId};
use model::{Labels, TargetId};
use stdx::PagedVec;

use crate::group::Group;
use crate::head::Rules;
use crate::loose::{Appended, Loose, Timed};
use crate::members::NONE;
use crate::record::{Answer, PARTS_ARE_KEPT, PushedSeries, ScrapeKind, ScrapeRow, TimedValue};
use crate::row;
use crate::target::{Families, Target};
use scrape::Scrape;

/// The series, targets and samples of one tenant in one shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct TenantHead {
    pub(crate) index: Index,
    /// Where each series is, by id.
    pub(crate) series: PagedVec<Place>,
    pub(crate) free_series: imbl::Vector<u32>,
    pub(crate) targets: PagedVec<Option<Arc<Target>>>,
    pub(crate) free_targets: imbl::Vector<u32>,
    pub(crate) by_target: OrdMap<(TargetId, u32), u32>,
    pub(crate) loose: PagedVec<Option<Arc<Loose>>>,
    pub(crate) free_loose: imbl::Vector<u32>,
    /// Pushed series by the hash of their labels.
    pub(crate) pushed: OrdMap<u64, Arc<[u32]>>,
    /// What pages say about families, each text once, by hash.
    pub(crate) families: OrdMap<u64, Families>,
    /// The newest time of any sample, in ms.
    pub(crate) newest: Option<i64>,
    /// Groups that are in no cut yet, in the order in which they were closed.
    pub(crate) uncut: imbl::Vector<Owned>,
}

/// Where a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: the id is free.
    Free,
    /// A member of a target.
    Member { target: u32, member: u32 },
    /// By itself.
    Loose(u32),
}

/// Who a group belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Target(u32),
    Loose(u32),
}

impl Owner {
    /// The owner as files have it.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Target(at) => u64::from(at) * 2,
            Self::Loose(at) => u64::from(at) * 2 + 1,
        }
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        let at = u32::try_from(number / 2).ok()?;
        Some(if number.is_multiple_of(2) { Self::Target(at) } else { Self::Loose(at) })
    }
}

/// A group and who it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(crate) owner: Owner,
    pub(crate) group: Arc<Group>,
}

impl TenantHead {
    /// Appends a scrape. Groups that are closed on the way are added to `closed`.
    pub(crate) fn scrape(&mut self, row: &ScrapeRow<'_>, rules: &Rules, closed: &mut Vec<Owned>) -> Answer {
        let known = self.by_target.get(&(row.target, row.part)).copied();
        let taken = known.and_then(|at| self.targets.get_mut(at as usize)).and_then(Option::take);
        let is_new = taken.is_none();
        let mut target = taken.unwrap_or_else(|| Arc::new(Target::new(row.target, row.part, row.parts)));
        let at = known.unwrap_or_else(|| self.target_place());
        let mut scrape = Scrape { tenant: self, target: Arc::make_mut(&mut target), at, row, rules, closed };
        let mut answer = match row.kind {
            ScrapeKind::Final => scrape.end(),
            ScrapeKind::Row => scrape.append().unwrap_or_else(|answer| answer),
        };
        if row.feature_level >= PARTS_ARE_KEPT {
            (answer.parts, answer.parts_since_ms) = (target.parts, target.parts_since);
        }
        // A record that was refused leaves no trace, unless its series are in the index already.
        let keep = !is_new || target.members.len() > 0 || !target.ticks.runs().is_empty();
        if keep {
            self.by_target.insert((row.target, row.part), at);
            *self.targets.get_mut(at as usize).expect("the place exists") = Some(target);
        } else {
            self.free_targets.push_front(at);
        }
        answer
    }

    /// Appends pushed samples of one series.
    pub(crate) fn push(
        &mut self,
        pushed: &PushedSeries,
        refuse_new: Option<&Arc<str>>,
        rules: &Rules,
        closed: &mut Vec<Owned>,
        answer: &mut Answer,
    ) {
        let at = match self.find_pushed(&pushed.labels) {
            Some(at) => at,
            None if let Some(why) = refuse_new => {
                answer.refused_series += 1;
                answer.reason = Some(why.clone());
                return;
            }
            None => {
                answer.new_series += 1;
                self.add_pushed(&pushed.labels)
            }
        };
        let starts = pushed.starts.iter().copied().chain(std::iter::repeat(0));
        for ((time, value), start) in pushed.samples.iter().zip(starts) {
            if let TimedValue::Histogram(histogram) = value
                && let Some(why) = row::refusal(histogram)
            {
                answer.refused_series += 1;
                answer.reason = Some(why.into());
                continue;
            }
            self.append_timed(at, Timed { time: *time, value: value.clone(), start }, rules, closed, answer);
        }
    }

    pub(crate) fn has_pushed(&self, labels: &Labels) -> bool {
        self.find_pushed(labels).is_some()
    }

    /// The labels of a slot of a row that was stored; `None` if there is no such slot, or its series was refused.
    pub(crate) fn labels_of_slot(&self, row: &ScrapeRow<'_>, slot: u32) -> Option<Labels> {
        let at = self.by_target.get(&(row.target, row.part))?;
        let target = self.targets[*at as usize].as_ref()?;
        let layout = target.layouts.iter().find(|layout| layout.hash == row.layout)?;
        let member = layout.slots.get(slot as usize).copied().filter(|member| *member != NONE)?;
        Some(target.members.labels(member, &self.index))
    }

    pub(crate) fn find_pushed(&self, labels: &Labels) -> Option<u32> {
        let candidates = self.pushed.get(&labels.series_hash().0)?;
        candidates.iter().copied().find(|at| {
            let loose = self.loose[*at as usize].as_ref();
            loose.is_some_and(|loose| labels_of(&self.index, loose.pairs.iter().copied()) == *labels)
        })
    }

    pub(crate) fn add_pushed(&mut self, labels: &Labels) -> u32 {
        let pairs: Arc<[PairId]> = labels.iter().map(|(name, value)| self.index.intern(name, value)).collect();
        let at = self.loose_place();
        let series = self.new_series(Place::Loose(at));
        self.index.add(series, pairs.iter().copied());
        *self.loose.get_mut(at as usize).expect("the place exists") = Some(Arc::new(Loose::new(series, pairs)));
        let hash = labels.series_hash().0;
        let others = self.pushed.get(&hash).into_iter().flat_map(|others| others.iter().copied());
        let all: Arc<[u32]> = others.chain([at]).collect();
        self.pushed.insert(hash, all);
        at
    }

    /// Appends a sample with its own time to a series by itself, and counts what became of it.
    fn append_timed(&mut self, at: u32, sample: Timed, rules: &Rules, closed: &mut Vec<Owned>, answer: &mut Answer) {
        let bounds = rules.bounds(self.newest);
        let time = sample.time;
        let place = self.loose.get_mut(at as usize).and_then(Option::as_mut).expect("a series by itself is there");
        let (appended, group) = Arc::make_mut(place).append(sample, &bounds);
        closed.extend(group.map(|group| Owned { owner: Owner::Loose(at), group }));
        match appended {
            Appended::Stored => {
                answer.stored += 1;
                self.newest = self.newest.max(Some(time));
            }
            Appended::Known => {}
            Appended::OutOfOrder => answer.out_of_order += 1,
            Appended::DuplicateTimestamp => answer.duplicate_timestamp += 1,
            Appended::TooOld => answer.too_old += 1,
        }
    }

    pub(crate) fn new_series(&mut self, place: Place) -> u32 {
        match self.free_series.pop_front() {
            Some(series) => {
                *self.series.get_mut(series as usize).expect("a free id had a place") = place;
                series
            }
            None => {
                self.series.push(place);
                u32::try_from(self.series.len() - 1).expect("fewer than 2^32 series at once")
            }
        }
    }

    /// Makes a series with these labels a member of the target that is at `at`; `common` ones it shares with others of its page.
    pub(crate) fn new_member(&mut self, target: &mut Target, at: u32, common: &Labels, own: &Labels) -> u32 {
        let index = &mut self.index;
        let mut intern =
            |labels: &Labels| -> Vec<PairId> { labels.iter().map(|(name, value)| index.intern(name, value)).collect() };
        let (common, own) = (intern(common), intern(own));
        let member = target.members.len() as u32;
        let series = self.new_series(Place::Member { target: at, member });
        self.index.add(series, common.iter().chain(&own).copied());
        let members = Arc::make_mut(&mut target.members);
        members.push(series, &common, &own);
        members.dormant.insert(member, i64::MIN);
        member
    }

    /// Where the samples of a member with its own times are.
    pub(crate) fn timed_place(&mut self, target: &mut Target, member: u32) -> u32 {
        if let Some(at) = target.members.timed.get(&member) {
            return *at;
        }
        let at = self.loose_place();
        let loose = Loose::new(target.members.series[member as usize], Arc::default());
        *self.loose.get_mut(at as usize).expect("the place exists") = Some(Arc::new(loose));
        let members = Arc::make_mut(&mut target.members);
        members.timed.insert(member, at);
        members.dormant.remove(&member);
        at
    }

    pub(crate) fn target_place(&mut self) -> u32 {
        self.free_targets.pop_front().unwrap_or_else(|| {
            self.targets.push(None);
            self.targets.len() as u32 - 1
        })
    }

    fn loose_place(&mut self) -> u32 {
        self.free_loose.pop_front().unwrap_or_else(|| {
            self.loose.push(None);
            self.loose.len() as u32 - 1
        })
    }

    pub(crate) fn families(&mut self, said: &[(Box<str>, model::Metadata)]) -> Families {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for (name, metadata) in said {
            for field in [name, metadata.metric_type.as_str(), &metadata.help, &metadata.unit] {
                hash.update(&(field.len() as u64).to_le_bytes());
                hash.update(field.as_bytes());
            }
        }
        let hash = hash.digest();
        if let Some(known) = self.families.get(&hash).filter(|known| ***known == *said) {
            return known.clone();
        }
        let families: Families = said.into();
        self.families.insert(hash, families.clone());
        families
    }
}

/// The labels that these pairs are.
pub(crate) fn labels_of(index: &Index, pairs: impl Iterator<Item = PairId>) -> Labels {
    let mut pairs: Vec<_> = pairs.map(|id| index.pair(id)).map(|pair| (&*pair.name, &*pair.value)).collect();
    pairs.sort_unstable();
    Labels::from_sorted(pairs)
}
