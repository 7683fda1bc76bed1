//! How a scrape is appended.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use index::{Index, PairId};
use model::{Histogram, Labels};

use super::{Owned, Owner, TenantHead};
use crate::bits::Bits;
use crate::head::Rules;
use crate::loose::Timed;
use crate::members::{Members, NONE};
use crate::record::{
    Answer, Layout as LayoutName, LayoutChange, LayoutDefinition, Outcome, PARTS_ARE_KEPT, REFUSED_ARE_ASKED_FOR,
    ScrapeRow, TimedValue,
};
use crate::starts::Starts;
use crate::target::{Families, Frame, Layout, Sorted, Target};
use crate::{piece, row};

/// The definition of a layout whose series were refused is asked for once more after so long, or after so many intervals if
/// that is longer: a page that finds no room costs little then.
const ASK_AGAIN_MS: i64 = 60_000;
const ASK_AGAIN_INTERVALS: i64 = 4;

/// A scrape being appended.
pub(super) struct Scrape<'a, 'r> {
    pub(super) tenant: &'a mut TenantHead,
    pub(super) target: &'a mut Target,
    /// The target's place.
    pub(super) at: u32,
    pub(super) row: &'a ScrapeRow<'r>,
    pub(super) rules: &'a Rules,
    pub(super) closed: &'a mut Vec<Owned>,
}

impl Scrape<'_, '_> {
    /// Ends all series of a target that left discovery.
    pub(super) fn end(&mut self) -> Answer {
        let (row, target) = (self.row, &mut *self.target);
        if row.owner_epoch < target.owner_epoch {
            return Answer::of(Outcome::Superseded);
        }
        if target.ended || target.last_time.is_none_or(|last| row.timestamp_ms <= last) {
            target.ended = true;
            return Answer::of(Outcome::Duplicate);
        }
        target.owner_epoch = row.owner_epoch;
        target.ended = true;
        self.make_room(row.timestamp_ms);
        let nothing = Sorted { values: vec![0.0; self.target.columns.len()], ..Sorted::default() };
        self.target.append(row.timestamp_ms, nothing, |_| true);
        self.end_timed(BTreeSet::new(), &Mine::default());
        self.encode_due();
        Answer::default()
    }

    /// Appends a row. An `Err` is an answer too: that of a record which was not stored.
    pub(super) fn append(&mut self) -> Result<Answer, Answer> {
        self.check_tick()?;
        self.check_parts()?;
        let mut answer = Answer::default();
        let layout = self.layout(&mut answer)?;
        let count = layout.slots.len();
        let reference = match self.row.reference {
            0 => None,
            hash => Some(layout.reference(hash).cloned().ok_or(Answer::of(Outcome::UnknownReference))?),
        };
        let mut values = vec![0.0; count];
        let leaning = reference.as_ref().map(|reference| &*reference.values);
        let decoded = chunk::row::decode(self.row.row, leaning, &mut values);
        let (present, rest) = decoded.map_err(|error| Answer::malformed(format!("the row: {error}")))?;
        if !rest.is_empty() {
            return Err(Answer::malformed("the row is followed by bytes that are not its own"));
        }
        let present = present.map_or_else(|| Bits::below(count), |words| Bits::from_words(&words));
        self.check_slots(count)?;
        self.claim_tick();
        if self.row.becomes_reference {
            self.target.put_reference(layout.hash, &values);
        }
        let starts = self.starts(&layout);
        let timed = self.timed_samples(&layout, &values, &present, &starts);
        self.store(&layout, values, &present, &starts, timed, &mut answer);
        Ok(answer)
    }

    /// When the counters of the row's series began: what it says itself, or what was said before.
    fn starts(&mut self, layout: &Layout) -> Starts {
        let says_all = !self.row.starts.is_empty() || !matches!(self.row.change, LayoutChange::Known);
        if !says_all {
            return self.target.starts.clone();
        }
        let members = &self.target.members;
        let known = self.row.starts.iter().map(|(slot, start)| (layout.slots[*slot as usize], *start));
        let known = known.filter(|(member, _)| *member != NONE);
        let starts = Starts::new(known.map(|(member, start)| (members.series[member as usize], start)));
        self.target.put_starts(starts.clone(), self.row.tick_ms);
        starts
    }

    fn check_tick(&self) -> Result<(), Answer> {
        let ticks = &self.target.ticks;
        let is_before = |tick: i64| stdx::makes_mistake("mistake a tick for the one before") && ticks.contains(tick);
        if ticks.contains(self.row.tick_ms) && !stdx::makes_mistake("take a tick twice")
            || is_before(self.row.tick_ms - self.row.interval_ms)
        {
            return Err(Answer::of(Outcome::Duplicate));
        }
        let oldest = ticks.newest().map(|newest| newest - self.rules.tick_window_ms);
        if oldest.is_some_and(|oldest| self.row.tick_ms < oldest) || self.row.timestamp_ms < self.rules.oldest_ms {
            return Err(Answer::of(Outcome::TooOld));
        }
        Ok(())
    }

    /// A series would be stored here and in another part, too, if ticks came in fewer parts than their target has. That holds for
    /// late ones, too: some of their parts may be stored already, and to split what is left is always right.
    fn check_parts(&self) -> Result<(), Answer> {
        let is_kept = self.row.feature_level >= PARTS_ARE_KEPT;
        if is_kept && self.row.parts < self.target.parts { Err(Answer::of(Outcome::Split)) } else { Ok(()) }
    }

    fn claim_tick(&mut self) {
        let (row, target) = (self.row, &mut *self.target);
        target.ticks.insert(row.tick_ms);
        let newest = target.ticks.newest().unwrap_or(row.tick_ms);
        target.ticks.forget_before(newest - self.rules.tick_window_ms);
        target.owner_epoch = target.owner_epoch.max(row.owner_epoch);
        target.interval_ms = row.interval_ms;
        if newest == row.tick_ms {
            target.ended = false;
        }
    }

    /// Refuses lists of slots that no honest sender makes.
    fn check_slots(&self, count: usize) -> Result<(), Answer> {
        let in_order = |slots: Vec<u32>| {
            slots.is_sorted_by(|a, b| a < b) && slots.last().is_none_or(|last| (*last as usize) < count)
        };
        let timed = in_order(self.row.timed.iter().map(|(slot, _)| *slot).collect());
        let histograms = in_order(self.row.histograms.iter().map(|(slot, _)| *slot).collect());
        let starts = in_order(self.row.starts.iter().map(|(slot, _)| *slot).collect());
        if !timed || !histograms || !starts {
            return Err(Answer::malformed("slots are out of order or out of range"));
        }
        match self.row.histograms.iter().find_map(|(_, histogram)| row::refusal(histogram)) {
            Some(why) => Err(Answer::malformed(why)),
            None => Ok(()),
        }
    }

    /// The layout of the row: known, or made known now.
    fn layout(&mut self, answer: &mut Answer) -> Result<Arc<Layout>, Answer> {
        let unknown = || Answer::of(Outcome::UnknownLayout);
        let asks_again = self.row.feature_level >= REFUSED_ARE_ASKED_FOR;
        let known = self.target.layout(self.row.layout);
        if let Some(known) = &known {
            match self.row.change {
                // What it says may be taken up now.
                LayoutChange::Defined(_) if known.lacks_series && asks_again => {}
                _ if self.may_have_more(known) => return Err(unknown()),
                _ => return Ok(known.clone()),
            }
        }
        let mut refused_tick = None;
        let (kept, definition, hash) = match &self.row.change {
            LayoutChange::Known => return Err(unknown()),
            LayoutChange::Defined(definition) => (Vec::new(), definition, definition.hash()),
            LayoutChange::Delta { base, removed, appended } => {
                let base_layout = self.target.layout(*base).ok_or_else(unknown)?;
                if self.may_have_more(&base_layout) {
                    return Err(unknown());
                }
                refused_tick = base_layout.refused_tick;
                let removed_slots: BTreeSet<u32> = removed.iter().copied().collect();
                let kept = (0u32..).zip(base_layout.slots.iter()).filter(|(slot, _)| !removed_slots.contains(slot));
                let hash = LayoutName::delta_hash(*base, removed, appended);
                (kept.map(|(_, member)| *member).collect(), appended, hash)
            }
        };
        if hash != self.row.layout {
            return Err(Answer::malformed("the layout is not the one that its name says"));
        }
        let families = match (&self.row.change, definition.families.is_empty()) {
            (LayoutChange::Delta { base, .. }, true) => {
                self.target.layout(*base).map_or_else(Families::default, |base| base.families.clone())
            }
            _ => self.tenant.families(&definition.families),
        };
        let slots = self.members_of(kept, definition, answer)?;
        if answer.refused_series > 0 {
            refused_tick = Some(self.row.tick_ms);
        }
        // A layout that is said once more has the rows that lean on it already.
        let references = known.map_or_else(Vec::new, |known| known.references.clone());
        let mut layout = Layout { references, ..Layout::new(hash, slots, families) };
        if layout.lacks_series && asks_again {
            layout.refused_tick = refused_tick;
        }
        let layout = Arc::new(layout);
        self.target.put_layout(layout.clone());
        Ok(layout)
    }

    /// Whether there may be room by now for series that were refused when the layout was said: it is to be said once more then.
    fn may_have_more(&self, layout: &Layout) -> bool {
        let pause = ASK_AGAIN_MS.max(self.row.interval_ms.saturating_mul(ASK_AGAIN_INTERVALS));
        let is_due = |refused: i64| self.row.tick_ms >= refused.saturating_add(pause);
        layout.lacks_series
            && self.row.feature_level >= REFUSED_ARE_ASKED_FOR
            && self.row.refuse_new_series.is_none()
            && layout.refused_tick.is_none_or(is_due)
    }

    /// The members of a layout's slots: those that are kept, and those of a definition, which are made members if need be.
    fn members_of(
        &mut self,
        kept: Vec<u32>,
        definition: &LayoutDefinition,
        answer: &mut Answer,
    ) -> Result<Vec<u32>, Answer> {
        let distinct: HashSet<&Labels> = definition.series.iter().collect();
        if distinct.len() != definition.series.len() {
            return Err(Answer::malformed("a layout has a series twice"));
        }
        let overlap = |labels: &Labels| labels.iter().any(|(name, _)| definition.common.get(name).is_some());
        if definition.series.iter().any(overlap) {
            return Err(Answer::malformed("a series of a layout has a label that all of them share"));
        }
        let members = self.target.members.clone();
        let by_labels = members.by_labels();
        let index = &self.tenant.index;
        let find = |labels: &Labels| -> Option<Vec<PairId>> {
            labels.iter().map(|(name, value)| index.find(name, value)).collect()
        };
        let common = find(&definition.common);
        let found: Vec<Option<u32>> = definition
            .series
            .iter()
            .map(|labels| {
                let pairs: Vec<PairId> = common.iter().flatten().copied().chain(find(labels)?).collect();
                common.is_some().then(|| by_labels.find(&pairs)).flatten()
            })
            .collect();
        let mut slots = kept;
        let taken: HashSet<u32> = slots.iter().copied().filter(|member| *member != NONE).collect();
        if found.iter().flatten().any(|member| taken.contains(member)) {
            return Err(Answer::malformed("a layout has a series twice"));
        }
        for (labels, found) in definition.series.iter().zip(found) {
            slots.push(match (found, &self.row.refuse_new_series) {
                (Some(member), _) => member,
                (None, None) => {
                    answer.new_series += 1;
                    self.tenant.new_member(self.target, self.at, &definition.common, labels)
                }
                (None, Some(why)) => {
                    answer.refused_series += 1;
                    answer.reason = Some(why.clone());
                    NONE
                }
            });
        }
        Ok(slots)
    }

    fn store(
        &mut self,
        layout: &Arc<Layout>,
        values: Vec<f64>,
        present: &Bits,
        starts: &Starts,
        timed: Vec<(u32, Timed)>,
        answer: &mut Answer,
    ) {
        let time = self.row.timestamp_ms;
        if self.target.last_time.is_some_and(|last| time <= last) {
            self.store_late(layout, &values, present, starts, answer);
            self.store_timed(timed, answer);
            return;
        }
        self.make_room(time);
        let sorted = self.sort(layout, values, present);
        answer.stored += (sorted.present.len() + sorted.histograms.len()) as u32;
        let mine = self.take_parts(layout);
        let index = &self.tenant.index;
        self.target.append(time, sorted, |member| mine.has(member, index));
        self.tenant.newest = self.tenant.newest.max(Some(time));
        let timed = self.store_timed(timed, answer);
        self.end_timed(timed, &mine);
        self.encode_due();
    }

    /// Takes note of how many parts the target has. Returns which members belong to this one.
    fn take_parts(&mut self, layout: &Layout) -> Mine {
        let is_kept = self.row.feature_level >= PARTS_ARE_KEPT;
        let old_parts = self.target.parts;
        let parts = self.row.parts.max(old_parts);
        self.target.parts = parts;
        if is_kept && parts > 1 && (parts > old_parts || self.target.parts_since.is_none()) {
            // Ticks that are newer than this one may have been stored in fewer parts.
            let newer = self.target.ticks.newest().filter(|newest| *newest > self.row.tick_ms);
            self.target.parts_since = Some(newer.map_or(self.row.tick_ms, |newest| newest + 1));
        }
        let are_all = parts == 1 || (!is_kept && parts == old_parts);
        let named = if is_kept { layout.slots.clone() } else { Arc::default() };
        Mine { split: (!are_all).then(|| (self.row.part, parts, self.target.members.clone())), named }
    }

    /// Sorts the values of a layout's slots into the columns and members of the target.
    fn sort(&mut self, layout: &Arc<Layout>, values: Vec<f64>, present: &Bits) -> Sorted {
        let plain = self.row.timed.is_empty() && self.row.histograms.is_empty();
        let is_whole = present.len() == values.len();
        if plain && layout.identity == Some(self.target.generation) && values.len() == self.target.columns.len() {
            return Sorted { values, present: present.clone(), is_whole, histograms: Vec::new() };
        }
        let elsewhere = self.slots_elsewhere();
        let mut sorted = Sorted { values: vec![0.0; self.target.columns.len()], ..Sorted::default() };
        let mut is_identity = plain;
        for (slot, member) in (0u32..).zip(layout.slots.iter().copied()) {
            if member == NONE || elsewhere.contains(slot as usize) {
                is_identity = false;
                continue;
            }
            // A slot of a layout keeps its column even while the series is absent, as long as it has one.
            let has_value = present.contains(slot as usize);
            if !has_value && self.target.members.columns[member as usize] == NONE {
                is_identity = false;
                continue;
            }
            let column = self.target.column_of(member) as usize;
            is_identity &= column == slot as usize;
            if has_value {
                if sorted.values.len() <= column {
                    sorted.values.resize(column + 1, 0.0);
                }
                sorted.values[column] = values[slot as usize];
                sorted.present.insert(column);
            }
        }
        sorted.values.resize(self.target.columns.len(), 0.0);
        sorted.is_whole = sorted.present.len() == sorted.values.len();
        if is_identity && layout.slots.len() == self.target.columns.len() {
            let identity = Layout { identity: Some(self.target.generation), ..Layout::clone(layout) };
            // References may have been added since the layout was looked up.
            let references = self.target.layout(layout.hash).map_or_else(Vec::new, |known| known.references.clone());
            self.target.put_layout(Arc::new(Layout { references, ..identity }));
        }
        let is_timed: Bits = self.row.timed.iter().map(|(slot, _)| *slot as usize).collect();
        let histograms = self
            .row
            .histograms
            .iter()
            .filter(|(slot, _)| present.contains(*slot as usize) && !is_timed.contains(*slot as usize));
        let histograms = histograms.map(|(slot, histogram)| (layout.slots[*slot as usize], histogram.clone()));
        sorted.histograms = histograms.filter(|(member, _)| *member != NONE).collect();
        let members = Arc::make_mut(&mut self.target.members);
        sorted.histograms.iter().for_each(|(member, _)| {
            members.dormant.remove(member);
        });
        sorted
    }

    /// Slots whose values don't stand in a float column.
    fn slots_elsewhere(&self) -> Bits {
        let timed = self.row.timed.iter().map(|(slot, _)| *slot as usize);
        timed.chain(self.row.histograms.iter().map(|(slot, _)| *slot as usize)).collect()
    }

    /// Stores a row that is older than the newest one. It ends nothing.
    fn store_late(&mut self, layout: &Layout, values: &[f64], present: &Bits, starts: &Starts, answer: &mut Answer) {
        let time = self.row.timestamp_ms;
        let members = &self.target.members;
        let series_of = |slot: u32| {
            let member = layout.slots[slot as usize];
            (member != NONE && present.contains(slot as usize)).then(|| members.series[member as usize])
        };
        let elsewhere = self.slots_elsewhere();
        let floats = (0u32..).zip(values).filter(|(slot, _)| !elsewhere.contains(*slot as usize));
        let floats: BTreeMap<u32, f64> = floats.filter_map(|(slot, value)| Some((series_of(slot)?, *value))).collect();
        let is_timed: Bits = self.row.timed.iter().map(|(slot, _)| *slot as usize).collect();
        let histograms = self.row.histograms.iter().filter(|(slot, _)| !is_timed.contains(*slot as usize));
        let histograms: BTreeMap<u32, _> =
            histograms.filter_map(|(slot, histogram)| Some((series_of(*slot)?, histogram.clone()))).collect();
        let count = (floats.len() + histograms.len()) as u32;
        if self.target.last_time == Some(time) || self.target.late.iter().any(|frame| frame.first == time) {
            answer.duplicate_timestamp += count;
            return;
        }
        if count > 0 {
            self.target.append_late(one_row(time, &floats, &histograms, starts.until(time)));
            // Whoever rested has a sample again, and must not be forgotten before it is gone.
            let members = Arc::make_mut(&mut self.target.members);
            for member in layout.slots.iter().filter(|member| **member != NONE) {
                members.dormant.entry(*member).and_modify(|last| *last = time.max(*last));
            }
        }
        answer.stored += count;
    }

    /// The samples of a row that bear their own time, by member.
    fn timed_samples(&self, layout: &Layout, values: &[f64], present: &Bits, starts: &Starts) -> Vec<(u32, Timed)> {
        if self.row.timed.is_empty() {
            return Vec::new();
        }
        let histograms: BTreeMap<u32, _> = self.row.histograms.iter().map(|(slot, value)| (*slot, value)).collect();
        let here = self.row.timed.iter().filter(|(slot, _)| present.contains(*slot as usize));
        let members = &self.target.members;
        let here = here.map(|(slot, offset)| (slot, offset, layout.slots[*slot as usize]));
        let samples = here.filter(|(_, _, member)| *member != NONE).map(|(slot, offset, member)| {
            let value = match histograms.get(slot) {
                Some(histogram) => TimedValue::Histogram((*histogram).clone()),
                None => TimedValue::Float(values[*slot as usize]),
            };
            let time = self.row.timestamp_ms.saturating_add(*offset);
            let start = starts.of(members.series[member as usize]);
            (member, Timed { time, value, start: if start <= time { start } else { 0 } })
        });
        samples.collect()
    }

    /// Stores samples that bear their own time, and returns the members that have some.
    fn store_timed(&mut self, samples: Vec<(u32, Timed)>, answer: &mut Answer) -> BTreeSet<u32> {
        let mut members = BTreeSet::new();
        for (member, sample) in samples {
            members.insert(member);
            let at = self.tenant.timed_place(self.target, member);
            self.tenant.append_timed(at, sample, self.rules, self.closed, answer);
        }
        members
    }

    /// Ends members with their own times that are gone, where those are ended at all.
    fn end_timed(&mut self, timed: BTreeSet<u32>, mine: &Mine) {
        let tracks = self.row.track_timestamps_staleness;
        let was_alive = std::mem::replace(&mut self.target.alive_timed, if tracks { timed } else { BTreeSet::new() });
        let gone = was_alive.difference(&self.target.alive_timed).copied();
        let gone: Vec<u32> = gone.filter(|member| mine.has(*member, &self.tenant.index)).collect();
        for member in gone {
            let at = self.target.members.timed[&member];
            let loose = self.tenant.loose[at as usize].as_ref().expect("a timed member has samples");
            let is_histogram = matches!(&loose.last, Some(Timed { value: TimedValue::Histogram(_), .. }));
            let value = if is_histogram {
                TimedValue::Histogram(Arc::new(Histogram::stale()))
            } else {
                TimedValue::Float(model::STALE_NAN)
            };
            let sample = Timed { time: self.row.timestamp_ms, value, start: 0 };
            self.tenant.append_timed(at, sample, self.rules, self.closed, &mut Answer::default());
        }
    }

    /// Closes the open rows if the row at `time` is of another window.
    fn make_room(&mut self, time: i64) {
        if !self.target.is_of_open_window(time, self.rules.window_ms) {
            let group = self.target.close_group();
            self.closed.extend(group.map(|group| Owned { owner: Owner::Target(self.at), group }));
        }
    }

    fn encode_due(&mut self) {
        let group = self.target.encode_due();
        self.closed.extend(group.map(|group| Owned { owner: Owner::Target(self.at), group }));
    }
}

/// Which members of a target belong to one of its parts. Default: all.
#[derive(Default)]
struct Mine {
    /// The part, how many there are, and who the members are; `None`: there is one only, or as many as there were.
    split: Option<(u32, u32, Arc<Members>)>,
    /// Members that the row names: what has moved to another part is not named here any more, and what is named and has no
    /// value is gone from the page.
    named: Arc<[u32]>,
}

impl Mine {
    fn has(&self, member: u32, index: &Index) -> bool {
        self.split.as_ref().is_none_or(|(part, parts, members)| {
            ring::part_of(&members.labels(member, index), *parts) == *part || self.named.contains(&member)
        })
    }
}

/// A frame of one row, by series.
fn one_row(
    time: i64,
    floats: &BTreeMap<u32, f64>,
    histograms: &BTreeMap<u32, Arc<model::Histogram>>,
    starts: Starts,
) -> Frame {
    let row = row::Row {
        time,
        values: floats.values().copied().collect(),
        states: None,
        histograms: (0..).zip(histograms.values().cloned()).collect(),
        starts,
    };
    let float_series: Vec<(u32, u32)> = floats.keys().copied().zip(0..).collect();
    let histogram_series: Vec<(u32, u32)> = histograms.keys().copied().zip(0..).collect();
    let bytes = row::encode_frame(&[Arc::new(row)], &float_series, &histogram_series);
    debug_assert!(piece::Piece::parse(&bytes).is_ok());
    Frame { bytes, rows: 1, first: time, last: time }
}
