//! One part of a target: its layout, and its rows.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use model::{Labels, LayoutHash, Metadata, Timestamp};
use proto::entry::Outcome;

use super::definition::{Definition, LayoutChange, delta, places};
use super::report::{Report, ReportSeries, Stamp};
use super::row::{Extras, RowStarts, Scratch, SentExemplars, all_present, is_set, set};
use super::{MAX_AHEAD_MS, Numbers};
use crate::shipment::Told;

pub(crate) use super::row::PartRow;

/// The source of a slot whose series is not on the page.
const ABSENT: u32 = u32::MAX;
/// After how many rows another one becomes the reference. On pages like those of a node, a sample takes 1.70 bytes in the log
/// with 1, 1.75 with 8 and 1.79 with 16, while every replica copies the values of each reference.
const REFERENCE_ROWS: u32 = 8;

/// A row that later ones lean on.
#[derive(Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) hash: u64,
    pub(crate) values: Box<[f64]>,
}

/// What is known of one part of a target.
#[derive(Debug, Default)]
pub(crate) struct Part {
    layout: Option<Layout>,
    /// Which sample of the page each slot has, or [`ABSENT`].
    sources: Vec<u32>,
    /// Slots of report series. One may have a source, too: then what the page says counts.
    report: Vec<(u32, ReportSeries)>,
    /// Slots that have samples while the page is as it is; `None`: all.
    present: Option<Vec<u64>>,
    /// A row that the shard has stored.
    reference: Option<Arc<Reference>>,
    /// The next reference, while it is on its way.
    candidate: Option<Arc<Reference>>,
    rows_since_reference: u32,
    sent_exemplars: SentExemplars,
    /// When counters began, by slot, as the last page had it that could not be skimmed.
    starts: Arc<[(u32, i64)]>,
    /// What the shard knows of that; `None` while it is being told, or if nobody knows.
    told_starts: Option<Arc<[(u32, i64)]>>,
    /// How often it was told.
    tellings: u64,
    /// What its shard has said of how the target is split.
    told: Option<Told>,
}

/// The layout of a part and how to say it.
#[derive(Debug)]
struct Layout {
    name: LayoutHash,
    change: LayoutChange,
    definition: Arc<Definition>,
}

/// The series of a part, as a page has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Placing<'a> {
    /// With the numbers of their samples.
    pub(super) page: Vec<(&'a Labels, u32)>,
    pub(super) report: Vec<(&'a Labels, ReportSeries)>,
    /// Whether the layout is to name nothing else: what is of other parts by now must not be named here any more.
    pub(super) is_exact: bool,
    /// What was on the last page before that, and is on none now: it is named once more, so that it ends here.
    pub(super) gone: Vec<&'a Labels>,
}

impl<'a> Placing<'a> {
    /// All series, each once: the page may have one that a report has, too.
    fn series(&self) -> Vec<&'a Labels> {
        let mut seen = HashSet::new();
        let page = self.page.iter().map(|(labels, _)| *labels);
        let all = page.chain(self.report.iter().map(|(labels, _)| *labels)).chain(self.gone.iter().copied());
        all.filter(|labels| seen.insert(*labels)).collect()
    }
}

/// What became of a row, as far as its part has to know.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    /// The layout by which it was sent at first.
    pub(crate) sent_as: LayoutHash,
    /// The layout by which it was answered.
    pub(crate) layout: LayoutHash,
    /// What was to become a reference.
    pub(crate) becomes: Option<Arc<Reference>>,
    /// Whether it was still meant to when it was answered.
    pub(crate) is_reference: bool,
    /// A reference that the shard did not know.
    pub(crate) unknown_reference: Option<Arc<Reference>>,
    /// What the shard was told about when counters began, if it was, and which telling that was.
    pub(crate) told_starts: Option<Arc<[(u32, i64)]>>,
    pub(crate) tellings: u64,
    pub(crate) outcome: Option<Outcome>,
    /// What the shard has said of how the target is split.
    pub(crate) told: Option<Told>,
}

impl Part {
    /// The series of the last page that are of this part.
    pub(super) fn on_page(&self) -> Vec<Labels> {
        let Some(layout) = &self.layout else { return Vec::new() };
        let series = layout.definition.series().into_iter().zip(&self.sources);
        series.filter(|(_, source)| **source != ABSENT).map(|(labels, _)| labels).collect()
    }

    pub(super) fn told(&self) -> Option<Told> {
        self.told
    }

    /// Gives each series a slot. Returns how many of the page's were not on the last one.
    pub(super) fn place(
        &mut self,
        placing: &Placing<'_>,
        families: &[(Box<str>, Metadata)],
        has_new_families: bool,
    ) -> u32 {
        let old = self.layout.as_ref().map_or_else(Vec::new, |layout| layout.definition.series());
        let old_places = places(&old);
        let was_there = |labels: &Labels| old_places.get(labels).is_some_and(|at| self.sources[*at as usize] != ABSENT);
        let added = placing.page.iter().filter(|(labels, _)| !was_there(labels)).count();

        let wanted = placing.series();
        let kept: BTreeSet<u32> = wanted.iter().filter_map(|labels| old_places.get(labels).copied()).collect();
        let appended: Vec<&Labels> = wanted.iter().copied().filter(|labels| !old_places.contains_key(labels)).collect();
        let keeps_most = kept.len() * 2 >= old.len();
        let slots = match &self.layout {
            // Series that are gone stay in the layout: they may come back, and absence costs next to nothing.
            Some(_) if keeps_most && appended.is_empty() && !has_new_families && !placing.is_exact => old,
            Some(layout) if keeps_most && kept.len() >= appended.len() && layout.change == LayoutChange::Known => {
                let removed = (0..old.len() as u32).filter(|slot| !kept.contains(slot)).collect();
                let told = if has_new_families { families } else { &[] };
                let (name, delta) = delta(layout.name, removed, &appended, told);
                let series = kept.iter().map(|slot| &old[*slot as usize]).chain(appended);
                let series: Vec<Labels> = series.cloned().collect();
                self.set_layout(&series, families, Some((name, LayoutChange::Delta(delta))));
                series
            }
            _ => {
                let series: Vec<Labels> = wanted.into_iter().cloned().collect();
                self.set_layout(&series, families, None);
                series
            }
        };
        self.set_sources(placing, &slots);
        added as u32
    }

    fn set_layout(
        &mut self,
        series: &[Labels],
        families: &[(Box<str>, Metadata)],
        change: Option<(LayoutHash, LayoutChange)>,
    ) {
        let definition = Definition::new(&series.iter().collect::<Vec<_>>(), families);
        let (name, change) = change.unwrap_or((definition.name, LayoutChange::Defined));
        self.layout = Some(Layout { name, change, definition: Arc::new(definition) });
        self.forget_references();
        self.sent_exemplars.clear();
        // The slots are others now.
        self.starts = Arc::default();
        self.told_starts = None;
    }

    /// Where on the page the value of each slot is.
    fn set_sources(&mut self, placing: &Placing<'_>, slots: &[Labels]) {
        let places = places(slots);
        self.sources.clear();
        self.sources.resize(slots.len(), ABSENT);
        for (labels, sample) in &placing.page {
            self.sources[places[labels] as usize] = *sample;
        }
        self.report = placing.report.iter().map(|(labels, series)| (places[labels], *series)).collect();
        let mut present = vec![0; slots.len().div_ceil(64)];
        let on_page = (0u32..).zip(&self.sources).filter(|(_, source)| **source != ABSENT).map(|(slot, _)| slot);
        on_page.chain(self.report.iter().map(|(slot, _)| *slot)).for_each(|slot| set(&mut present, slot, true));
        self.present = (present != all_present(slots.len())).then_some(present);
    }

    /// The row of a page, and how many of its samples were left out because they are far in the future.
    pub(super) fn full_row(
        &mut self,
        numbers: &Numbers<'_>,
        report: &Report,
        stamp: Stamp,
        track_timestamps_staleness: bool,
        scratch: &mut Scratch,
    ) -> (PartRow, u32) {
        let values = numbers.values;
        scratch.values.clear();
        scratch.values.extend(self.sources.iter().map(|at| values.get(*at as usize).copied().unwrap_or(0.0)));
        for (slot, series) in &self.report {
            if self.sources[*slot as usize] == ABSENT {
                scratch.values[*slot as usize] = report.value(*series);
            }
        }
        let mut extras = Extras::default();
        let mut present = self.present.clone();
        let mut out_of_bounds = 0;
        if !numbers.timestamps.is_empty() {
            extras.track_timestamps_staleness = track_timestamps_staleness;
            out_of_bounds = self.put_timestamps(numbers, stamp, &mut present, &mut extras);
        }
        self.put_histograms(numbers, present.as_deref(), &mut extras);
        if let Some(starts) = numbers.starts {
            self.note_starts(starts);
        }
        if !numbers.exemplars.is_empty() {
            extras.exemplars = self.sent_exemplars.news(numbers, &self.sources, stamp.timestamp_ms);
        }
        (self.finish(present, extras, scratch), out_of_bounds)
    }

    /// The row of a scrape that brought nothing but its report.
    pub(super) fn empty_row(&mut self, report: &Report, scratch: &mut Scratch) -> PartRow {
        scratch.values.clear();
        scratch.values.resize(self.sources.len(), 0.0);
        let mut present = vec![0; self.sources.len().div_ceil(64)];
        for (slot, series) in &self.report {
            scratch.values[*slot as usize] = report.value(*series);
            set(&mut present, *slot, true);
        }
        let present = (present != all_present(self.sources.len())).then_some(present);
        self.finish(present, Extras::default(), scratch)
    }

    fn put_timestamps(
        &self,
        numbers: &Numbers<'_>,
        stamp: Stamp,
        present: &mut Option<Vec<u64>>,
        extras: &mut Extras,
    ) -> u32 {
        let mut out_of_bounds = 0;
        for (slot, source) in (0u32..).zip(&self.sources) {
            let Some(Some(time)) = numbers.timestamps.get(*source as usize) else { continue };
            let time = time.as_ms();
            if time > stamp.wall_ms.saturating_add(MAX_AHEAD_MS) {
                set(present.get_or_insert_with(|| all_present(self.sources.len())), slot, false);
                out_of_bounds += 1;
                continue;
            }
            extras.timed_slots.push(slot);
            extras.timed_offsets.push(time.saturating_sub(stamp.timestamp_ms));
        }
        out_of_bounds
    }

    fn put_histograms(&self, numbers: &Numbers<'_>, present: Option<&[u64]>, extras: &mut Extras) {
        if numbers.histograms.is_empty() {
            return;
        }
        for (slot, source) in (0u32..).zip(&self.sources) {
            if let Some(Some(histogram)) = numbers.histograms.get(*source as usize)
                && present.is_none_or(|present| is_set(present, slot))
            {
                extras.histogram_slots.push(slot);
                extras.histograms.push(histogram.clone());
            }
        }
    }

    /// Takes note of when the counters of a page began.
    fn note_starts(&mut self, starts: &[Option<Timestamp>]) {
        if starts.is_empty() && self.starts.is_empty() {
            return;
        }
        let start_of = |source: u32| starts.get(source as usize).copied().flatten();
        let known = (0u32..).zip(&self.sources).filter_map(|(slot, source)| Some((slot, start_of(*source)?.as_ms())));
        let known: Vec<(u32, i64)> = known.filter(|(_, start)| *start != 0).collect();
        if *known != *self.starts {
            self.starts = known.into();
        }
    }

    /// Encodes the values in `scratch`.
    fn finish(&mut self, present: Option<Vec<u64>>, extras: Extras, scratch: &mut Scratch) -> PartRow {
        let values = &mut scratch.values;
        let reference = self.reference.clone();
        // What a slot without a number has means nothing, so it may as well cost nothing. It is part of a reference's
        // name, though: it must be what the shard reads there, which for absent slots is this, too.
        let filler = |slot: usize| reference.as_ref().map_or(0.0, |reference| reference.values[slot]);
        if let Some(present) = &present {
            for slot in (0..values.len()).filter(|slot| !is_set(present, *slot as u32)) {
                values[slot] = filler(slot);
            }
        }
        extras.histogram_slots.iter().for_each(|slot| values[*slot as usize] = filler(*slot as usize));
        scratch.row.clear();
        let leaning = reference.as_ref().map(|reference| &*reference.values);
        chunk::row::encode(values, present.as_deref(), leaning, &mut scratch.row);
        let samples = match &present {
            Some(bits) => bits.iter().map(|word| word.count_ones()).sum(),
            None => values.len() as u32,
        };
        let becomes = self.next_candidate(values);
        let layout = self.layout.as_ref().expect("series were placed before rows are made");
        // A record that says its layout says all starts.
        let tells_starts = layout.change != LayoutChange::Known || self.told_starts.as_ref() != Some(&self.starts);
        if tells_starts {
            self.tellings += 1;
            self.told_starts = None;
        }
        let starts = RowStarts { all: self.starts.clone(), are_told: tells_starts, tellings: self.tellings };
        PartRow {
            layout: layout.name,
            change: layout.change.clone(),
            definition: layout.definition.clone(),
            row: Bytes::copy_from_slice(&scratch.row),
            reference,
            becomes,
            samples,
            starts,
            extras,
        }
    }

    /// A reference made of these values, if it is time for another one.
    fn next_candidate(&mut self, values: &[f64]) -> Option<Arc<Reference>> {
        self.rows_since_reference += 1;
        let is_due = self.reference.is_none() || self.rows_since_reference >= REFERENCE_ROWS;
        if !is_due || self.candidate.is_some() {
            return None;
        }
        self.rows_since_reference = 0;
        self.candidate = Some(Arc::new(Reference { hash: head::reference_hash(values), values: values.into() }));
        self.candidate.clone()
    }

    /// Takes note of what became of a row.
    pub(super) fn settle(&mut self, settled: &Settled) {
        let is_candidate = |candidate: &Arc<Reference>| {
            settled.becomes.as_ref().is_some_and(|becomes| Arc::ptr_eq(becomes, candidate))
        };
        let candidate = self.candidate.take_if(|candidate| is_candidate(candidate));
        self.told = settled.told.or(self.told);
        let Some(layout) = self.layout.as_mut().filter(|layout| layout.name == settled.sent_as) else { return };
        if settled.layout != settled.sent_as {
            // The shard had to be told from scratch: from now on the layout has the name that says all.
            layout.name = settled.layout;
            layout.change = LayoutChange::Defined;
            self.reference = None;
            self.candidate = None;
        }
        match settled.outcome {
            Some(Outcome::Stored) => {
                layout.change = LayoutChange::Known;
                self.reference = candidate.filter(|_| settled.is_reference).or(self.reference.take());
                if settled.told_starts.is_some() && settled.tellings == self.tellings {
                    self.told_starts.clone_from(&settled.told_starts);
                }
            }
            // Whoever stored the tick may have had another layout. If so, the shard will say.
            Some(Outcome::Duplicate) => layout.change = LayoutChange::Known,
            Some(Outcome::Malformed) => {
                layout.name = layout.definition.name;
                layout.change = LayoutChange::Defined;
                self.forget_references();
            }
            _ => {}
        }
        let is_unknown = |reference: &mut Arc<Reference>| {
            settled.unknown_reference.as_ref().is_some_and(|unknown| Arc::ptr_eq(unknown, reference))
        };
        self.reference.take_if(is_unknown);
    }

    fn forget_references(&mut self) {
        self.reference = None;
        self.candidate = None;
    }
}
