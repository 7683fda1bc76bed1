//! A head and the plain map that it is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use head::{
    Answer, CutContents, Head, HeadLimits, Layout, LayoutChange, LayoutDefinition, Outcome, PushedSeries, ScrapeKind,
    ScrapeRow, SegmentFile, TimedValue,
};
use model::{
    CounterReset, Histogram, Labels, LayoutHash, STALE_NAN, Span, TargetId, TenantId, TimeRange, Timestamp, is_stale,
};

use crate::plain::{Plain, PlainSample, newest_before, read_chunks, read_here, wins};

/// What a target shows: series by number, with their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) series: Vec<(u8, f64)>,
    /// Series that bear their own time, `age` before the scrape.
    pub(crate) timed: BTreeSet<u8>,
    /// Series that are histograms.
    pub(crate) histograms: BTreeSet<u8>,
    /// Whether the row leans on a reference, if there is one.
    pub(crate) lean: bool,
    /// Whether a new layout is said as a delta, if there is a base.
    pub(crate) delta: bool,
    pub(crate) age: i64,
    /// Says when the counters began; 0: nobody knows of any.
    pub(crate) began: i64,
}

impl Page {
    /// When the counters of some series began: every other one is known.
    fn starts(&self) -> BTreeMap<u8, i64> {
        let numbers = self.series.iter().map(|(number, _)| *number);
        let known = numbers.filter(|number| self.began != 0 && number % 2 == 0);
        known.map(|number| (number, self.began * 20 + i64::from(number))).collect()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Scrape { target: u8, ahead: i64, page: Page },
    Late { target: u8, behind: i64, page: Page },
    End { target: u8 },
    Push { series: u8, ahead: i64, value: f64 },
    Cut,
    Ship,
    Reload,
}

#[derive(Default)]
struct PlainTarget {
    ticks: BTreeSet<i64>,
    last_time: Option<i64>,
    /// Series in the newest row that get markers, and whether they were histograms.
    alive: BTreeMap<u8, bool>,
    ended: bool,
    owner_epoch: u64,
    /// The layout and the values of the last row that became a reference.
    reference: Option<(LayoutHash, Vec<f64>)>,
    layout: Option<(LayoutHash, Vec<u8>)>,
    late_times: BTreeSet<i64>,
    /// When counters began, and the tick that said so.
    starts: BTreeMap<u8, i64>,
    starts_tick: Option<i64>,
    /// What the scraper thinks that the shard was told.
    told: Option<i64>,
}

pub(crate) struct World {
    pub(crate) head: Head,
    limits: HeadLimits,
    tenant: TenantId,
    samples: BTreeMap<Labels, Plain>,
    /// Every series that was on a stored page, even if each sample of it had the time of another row.
    named: BTreeSet<Labels>,
    targets: BTreeMap<u8, PlainTarget>,
    newest: Option<i64>,
    pub(crate) owner_epoch: u64,
    cut: u64,
    cut_end: i64,
    shipped: u64,
    /// What each cut had.
    in_cuts: BTreeMap<u64, BTreeMap<(Labels, i64), u64>>,
}

fn labels(target: u8, series: u8) -> Labels {
    let (target, series) = (format!("t{target}"), format!("s{series}"));
    Labels::from_pairs([("__name__", "m"), ("instance", &target), ("job", "j"), ("s", &series)])
}

fn pushed(series: u8) -> Labels {
    Labels::from_pairs([("__name__", "pushed"), ("s", format!("p{series}").as_str())])
}

fn histogram(sum: f64) -> Arc<Histogram> {
    Arc::new(Histogram {
        schema: 0,
        counter_reset: CounterReset::Unknown,
        zero_threshold: 0.001,
        zero_count: 1.0,
        count: 3.0,
        sum,
        positive_spans: vec![Span { offset: 0, length: 1 }],
        positive_buckets: vec![2.0],
        negative_spans: vec![],
        negative_buckets: vec![],
        custom_values: vec![],
    })
}

impl World {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self {
            head: Head::new(limits),
            limits,
            tenant: TenantId::default(),
            samples: BTreeMap::new(),
            named: BTreeSet::new(),
            targets: BTreeMap::new(),
            newest: None,
            owner_epoch: 1,
            cut: 0,
            cut_end: 0,
            shipped: 0,
            in_cuts: BTreeMap::new(),
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        match action {
            Action::Scrape { target, ahead, page } => {
                let last = self.targets.get(&target).and_then(|target| target.last_time);
                let time = last.unwrap_or(self.cut_end).max(self.cut_end) + ahead;
                self.scrape(target, time, &page);
            }
            Action::Late { target, behind, page } => {
                let last = self.targets.get(&target).and_then(|target| target.last_time);
                self.scrape(target, last.unwrap_or(0) - behind, &page);
            }
            Action::End { target } => {
                let last = self.targets.get(&target).and_then(|target| target.last_time).unwrap_or(0);
                self.end(target, last + 5);
            }
            Action::Push { series, ahead, value } => self.push(series, self.newest.unwrap_or(100) + ahead, value),
            Action::Cut => {
                let end = (self.newest.unwrap_or(0) / self.limits.window_ms * self.limits.window_ms).max(self.cut_end);
                self.cut(self.cut + 1, end);
            }
            Action::Ship if self.shipped < self.cut => {
                let drop_before = self.cut_end - 2 * self.limits.window_ms;
                self.shipped(self.shipped + 1, 10 + self.shipped, drop_before);
            }
            Action::Ship => {}
            Action::Reload => self.reload(),
        }
    }

    /// Scrapes as a scraper does: with the layout's name, and with what it is when the head does not know it.
    pub(crate) fn scrape(&mut self, target: u8, time: i64, page: &Page) -> Answer {
        let answer = self.send(target, time, page, false);
        if answer.outcome != Outcome::UnknownLayout {
            return answer;
        }
        self.send(target, time, page, true)
    }

    /// Scrapes with the layout's name only.
    pub(crate) fn scrape_known(&mut self, target: u8, time: i64, page: &Page) -> Answer {
        self.send(target, time, page, false)
    }

    fn send(&mut self, target: u8, time: i64, page: &Page, define: bool) -> Answer {
        let numbers: Vec<u8> = page.series.iter().map(|(number, _)| *number).collect();
        let plain = self.targets.entry(target).or_default();
        let define_series = |numbers: &[u8]| LayoutDefinition {
            common: Labels::from_pairs([("instance", format!("t{target}").as_str()), ("job", "j")]),
            series: numbers.iter().map(|number| labels(target, *number).without(&["instance", "job"])).collect(),
            families: vec![],
        };
        let definition = define_series(&numbers);
        let known = plain.layout.clone().filter(|(_, old)| *old == numbers).map(|(hash, _)| hash);
        let base = plain.layout.clone().filter(|(_, old)| page.delta && old.iter().any(|n| numbers.contains(n)));
        // The slots of the layout, which a delta puts in another order than the page.
        let (layout, change, slots) = match (define, known, base) {
            (_, Some(hash), _) if !define => (hash, LayoutChange::Known, numbers.clone()),
            (_, _, Some((base, old))) => {
                let removed: Vec<u32> =
                    (0..).zip(&old).filter(|(_, number)| !numbers.contains(number)).map(|(slot, _)| slot).collect();
                let added: Vec<u8> = numbers.iter().copied().filter(|number| !old.contains(number)).collect();
                let slots: Vec<u8> = old
                    .iter()
                    .copied()
                    .filter(|number| numbers.contains(number))
                    .chain(added.iter().copied())
                    .collect();
                let appended = define_series(&added);
                let hash = Layout::delta_hash(base, &removed, &appended);
                let change = LayoutChange::Delta { base, removed, appended };
                (hash, if define { change } else { LayoutChange::Known }, slots)
            }
            _ => {
                let hash = definition.hash();
                (hash, if define { LayoutChange::Defined(definition) } else { LayoutChange::Known }, numbers.clone())
            }
        };
        let value_of: BTreeMap<u8, f64> = page.series.iter().copied().collect();
        let values: Vec<f64> = slots.iter().map(|number| value_of[number]).collect();
        let reference = plain.reference.clone().filter(|(of, _)| page.lean && *of == layout);
        let mut row = Vec::new();
        chunk::row::encode(&values, None, reference.as_ref().map(|(_, values)| &values[..]), &mut row);
        let slot_of = |number: &u8| slots.iter().position(|slot| slot == number).map(|slot| slot as u32);
        let mut timed: Vec<_> = page.timed.iter().filter_map(|number| Some((slot_of(number)?, -page.age))).collect();
        timed.sort_unstable();
        let mut histograms: Vec<_> =
            page.histograms.iter().filter_map(|number| Some((slot_of(number)?, histogram(value_of[number])))).collect();
        histograms.sort_unstable_by_key(|(slot, _)| *slot);
        let is_known = matches!(change, LayoutChange::Known);
        let is_other = plain.layout.as_ref().is_none_or(|(_, old)| *old != slots);
        let mut starts = Vec::new();
        if !is_known || is_other || plain.told != Some(page.began) {
            starts = page.starts().into_iter().filter_map(|(number, start)| Some((slot_of(&number)?, start))).collect();
            starts.sort_unstable();
            if starts.is_empty() && !slots.is_empty() {
                starts.push((0, 0));
            }
        }
        let told = (!starts.is_empty() || !is_known).then(|| page.starts());
        let reference_name = reference.as_ref().map_or(0, |(_, values)| head::reference_hash(values));
        let answer = self.head.append_scrape(
            &self.tenant,
            &ScrapeRow {
                target: TargetId(u128::from(target)),
                part: 0,
                parts: 1,
                owner_epoch: self.owner_epoch,
                tick_ms: time,
                timestamp_ms: time,
                interval_ms: 10,
                kind: ScrapeKind::Row,
                layout,
                change,
                row: &row,
                reference: reference_name,
                becomes_reference: page.lean,
                timed,
                track_timestamps_staleness: false,
                histograms,
                starts,
                exemplars: vec![],
                refuse_new_series: None,
                feature_level: head::PARTS_ARE_KEPT,
            },
        );
        assert_ne!(answer.outcome, Outcome::Malformed, "{answer:?}");
        if answer.outcome == Outcome::UnknownReference {
            self.targets.get_mut(&target).unwrap().reference = None;
            return self.send(target, time, page, define);
        }
        let mut expected = self.expect_scrape(target, time, page);
        // What is older than what the head holds is too old, whatever the target's ticks say: they may be forgotten.
        let held_from = self.head.view().held_from().0;
        if time < held_from {
            expected = Outcome::TooOld;
        }
        if self.targets[&target].last_time.is_some_and(|last| last < held_from) && answer.outcome == Outcome::Stored {
            let forgotten = self.targets.get_mut(&target).unwrap();
            forgotten.ticks.clear();
            expected = if expected == Outcome::TooOld && time >= held_from { Outcome::Stored } else { expected };
        }
        if answer.outcome != Outcome::UnknownLayout {
            // A tick below the window that is still remembered is rather called known than too old.
            let known_but_old = (answer.outcome, expected) == (Outcome::Duplicate, Outcome::TooOld);
            assert!(answer.outcome == expected || known_but_old, "{:?} instead of {expected:?}", answer.outcome);
            if expected == Outcome::Stored {
                let plain = self.targets.get_mut(&target).unwrap();
                plain.layout = Some((layout, slots));
                if page.lean {
                    plain.reference = Some((layout, values));
                }
                self.apply_scrape(target, time, page, told);
            }
        }
        answer
    }

    fn expect_scrape(&self, target: u8, time: i64, _: &Page) -> Outcome {
        let ticks = &self.targets[&target].ticks;
        if ticks.contains(&time) {
            Outcome::Duplicate
        } else if ticks.last().is_some_and(|newest| time < newest - self.limits.tick_window_ms) {
            Outcome::TooOld
        } else {
            Outcome::Stored
        }
    }

    fn apply_scrape(&mut self, target: u8, time: i64, page: &Page, told: Option<BTreeMap<u8, i64>>) {
        self.named.extend(page.series.iter().map(|(number, _)| labels(target, *number)));
        let plain = self.targets.get_mut(&target).unwrap();
        let starts = told.clone().unwrap_or_else(|| plain.starts.clone());
        if let Some(told) = told.filter(|_| plain.starts_tick.is_none_or(|newest| time >= newest)) {
            (plain.starts, plain.starts_tick, plain.told) = (told, Some(time), Some(page.began));
        }
        let start_of = |number: u8, time: i64| starts.get(&number).copied().filter(|start| *start <= time).unwrap_or(0);
        plain.ticks.insert(time);
        let newest = *plain.ticks.last().unwrap();
        plain.ticks = plain.ticks.split_off(&(newest - self.limits.tick_window_ms));
        if newest == time {
            plain.ended = false;
        }
        plain.owner_epoch = plain.owner_epoch.max(self.owner_epoch);
        let in_order = plain.last_time.is_none_or(|last| time > last);
        let collides = plain.last_time == Some(time) || plain.late_times.contains(&time);
        let mut store = Vec::new();
        let mut alive = BTreeMap::new();
        for (number, value) in page.series.iter().filter(|(number, _)| !page.timed.contains(number)) {
            let is_histogram = page.histograms.contains(number);
            alive.insert(*number, is_histogram);
            if in_order || !collides {
                let start = if in_order { starts.get(number).copied().unwrap_or(0) } else { start_of(*number, time) };
                store.push((*number, time, (is_histogram, value.to_bits(), start)));
            }
        }
        if in_order {
            plain.last_time = Some(time);
            let old = std::mem::replace(&mut plain.alive, alive.clone());
            for (number, was_histogram) in old {
                if !alive.contains_key(&number) {
                    store.push((number, time, (was_histogram, STALE_NAN.to_bits(), 0)));
                }
            }
        } else if !store.is_empty() {
            plain.late_times.insert(time);
        }
        for (number, time, sample) in store {
            let own = self.samples.entry(labels(target, number)).or_default();
            // A value that comes late beats the marker that was written meanwhile.
            if own.get(&time).is_none_or(|(_, bits, _)| is_stale(f64::from_bits(*bits))) {
                own.insert(time, sample);
            }
        }
        if in_order {
            self.newest = self.newest.max(Some(time));
        }
        for (number, value) in page.series.iter().filter(|(number, _)| page.timed.contains(number)) {
            let time = time - page.age;
            let sample = (page.histograms.contains(number), value.to_bits(), start_of(*number, time));
            self.apply_timed(labels(target, *number).without(&[]), Some(target), time, sample);
        }
    }

    /// The rules of Prometheus for one sample of a series by itself.
    fn apply_timed(&mut self, labels: Labels, member_of: Option<u8>, time: i64, sample: PlainSample) {
        let key = member_of.map_or_else(|| labels.clone(), |_| with_mark(&labels));
        let own = self.samples.entry(key).or_default();
        let last = own.last_key_value().map(|(time, _)| *time);
        let held_from = self.head.view().held_from().0;
        let oldest = self.newest.map_or(i64::MIN, |newest| newest - self.limits.window_ms / 2).max(held_from);
        let window = self.limits.out_of_order_ms;
        let oldest_late = self.newest.map_or(i64::MIN, |newest| newest - window).max(held_from);
        let accepted = match last {
            None => time >= if window > 0 { oldest.min(oldest_late) } else { oldest },
            Some(last) if time > last => time >= if window > 0 { oldest.min(oldest_late) } else { oldest },
            Some(last) if time == last => false,
            Some(_) => window > 0 && time >= oldest_late,
        };
        if accepted {
            own.entry(time).or_insert(sample);
            self.newest = self.newest.max(Some(time));
        }
    }

    pub(crate) fn end(&mut self, target: u8, time: i64) -> Answer {
        let answer = self.head.append_scrape(
            &self.tenant,
            &ScrapeRow {
                target: TargetId(u128::from(target)),
                part: 0,
                parts: 1,
                owner_epoch: self.owner_epoch,
                tick_ms: 0,
                timestamp_ms: time,
                interval_ms: 10,
                kind: ScrapeKind::Final,
                layout: LayoutHash(0),
                change: LayoutChange::Known,
                row: &[],
                reference: 0,
                becomes_reference: false,
                timed: vec![],
                track_timestamps_staleness: false,
                histograms: vec![],
                starts: vec![],
                exemplars: vec![],
                refuse_new_series: None,
                feature_level: head::PARTS_ARE_KEPT,
            },
        );
        if answer.outcome == Outcome::Stored {
            let plain = self.targets.get_mut(&target).unwrap();
            plain.last_time = Some(time);
            plain.ended = true;
            for (number, was_histogram) in std::mem::take(&mut plain.alive) {
                let sample = (was_histogram, STALE_NAN.to_bits(), 0);
                self.samples.entry(labels(target, number)).or_default().insert(time, sample);
            }
        }
        answer
    }

    pub(crate) fn push(&mut self, series: u8, time: i64, value: f64) {
        let samples = vec![(time, TimedValue::Float(value))];
        // Some series say when they began, and some of those say it anew with every sample.
        let start = [0, 5, time][usize::from(series % 3)];
        let series_pushed = PushedSeries { labels: pushed(series), samples, starts: vec![start], exemplars: vec![] };
        self.head.append_pushed(&self.tenant, &[series_pushed], None);
        self.apply_timed(pushed(series), None, time, (false, value.to_bits(), start));
    }

    /// Saves the head, and goes on with what can be loaded.
    fn reload(&mut self) {
        let view = self.head.view();
        let digest = view.digest();
        let mut files = BTreeMap::new();
        for segment in view.segments() {
            let (name, bytes) = (segment.number().to_string(), bytes::Bytes::from(segment.to_file().concat()));
            let file = SegmentFile { name: name.clone(), size_bytes: bytes.len() as u64, hash: 0 };
            segment.saved(file.clone(), &bytes);
            files.insert(name, (file, bytes));
        }
        let file = view.open_file();
        let loaded = Head::load(&file, |name| Ok(files[name].clone())).unwrap();
        assert_eq!(loaded.view().open_file(), file, "what was loaded is what was saved");
        assert_eq!(loaded.view().digest(), digest, "where a state lies is no part of it");
        self.head = loaded;
    }

    pub(crate) fn cut(&mut self, cut: u64, end: i64) {
        let before = self.all();
        assert!(self.head.cut(cut, end));
        assert_eq!(self.all(), before, "a cut changes no answer");
        (self.cut, self.cut_end) = (cut, end);
        // Whoever was silent for a whole window rests: nothing ends when it comes back.
        for target in self.targets.values_mut() {
            if target.last_time.is_some_and(|last| last < end - self.limits.window_ms) {
                target.alive.clear();
            }
        }
        let contents = self.cut_samples(cut);
        for earlier in self.in_cuts.values() {
            // But for one that a target shows at the same time in a row and with its own time, which are two.
            // Or one that was pushed out of order, at a time at which an earlier cut has a sample: the earlier one is read.
            let may_come_late = |labels: &Labels| self.limits.out_of_order_ms > 0 && labels.metric() == "pushed";
            let is_two = |labels: &Labels| self.samples.contains_key(&with_mark(labels)) || may_come_late(labels);
            let is_value = |bits: &u64| !is_stale(f64::from_bits(*bits));
            let twice = contents.iter().filter(|(_, bits)| is_value(bits)).map(|(key, _)| key);
            let mut twice = twice.filter(|key| earlier.get(*key).is_some_and(is_value) && !is_two(&key.0));
            let twice = twice.next();
            assert_eq!(twice, None, "no sample is in two cuts");
        }
        self.in_cuts.insert(cut, contents);
    }

    pub(crate) fn shipped(&mut self, cut: u64, version: u64, drop_before: i64) {
        assert!(self.head.shipped(cut, version, drop_before));
        self.shipped = cut;
    }

    /// The samples of a cut.
    pub(crate) fn cut_samples(&self, cut: u64) -> BTreeMap<(Labels, i64), u64> {
        let contents: Vec<CutContents> = self.head.view().cut_contents(cut).unwrap();
        let mut samples = BTreeMap::new();
        for series in contents.iter().flat_map(|contents| &contents.series) {
            for (time, (_, bits, _)) in read_chunks(series) {
                samples.insert((series.labels.clone(), time), bits);
            }
        }
        samples
    }

    /// What can be read of a target's series: times and bits.
    pub(crate) fn read(&self, target: u8, series: u8) -> Vec<(i64, u64)> {
        let all = self.all();
        let samples = all.get(&labels(target, series)).cloned().unwrap_or_default();
        samples.into_iter().map(|(time, (_, bits, _))| (time, bits)).collect()
    }

    fn all(&self) -> BTreeMap<Labels, Plain> {
        let selected =
            self.head.view().select(&self.tenant, &[], TimeRange::ALL).collect::<Result<Vec<_>, _>>().unwrap();
        assert!(selected.is_sorted_by(|a, b| a.labels < b.labels), "sorted, and no series twice");
        let mut selection = self.head.view().select(&self.tenant, &[], TimeRange::ALL);
        for series in &selected {
            let here = selection.next_series().expect("the same series").unwrap();
            assert_eq!(here.labels, series.labels);
            assert_eq!(read_here(&here), read_chunks(series), "what was not encoded is the same");
        }
        assert!(selection.next_series().is_none());
        selected.iter().map(|series| (series.labels.clone(), read_chunks(series))).collect()
    }

    /// Compares the newest sample that each series has before a time with what is read if no more is wanted.
    fn check_newest(&self, found: &BTreeMap<Labels, Plain>, end: i64) {
        let range = TimeRange::new(Timestamp(i64::MIN), Timestamp(end));
        let selection = self.head.view().select(&self.tenant, &[], range).newest_only();
        let read: BTreeMap<Labels, _> = selection
            .map(Result::unwrap)
            .map(|series| (series.labels.clone(), newest_before(&read_chunks(&series), end)))
            .filter(|(_, newest)| newest.is_some())
            .collect();
        let found = found.iter().map(|(labels, samples)| (labels.clone(), newest_before(samples, end)));
        assert_eq!(read, found.filter(|(_, newest)| newest.is_some()).collect(), "the newest before {end}");
    }

    /// Compares what is said of labels alone with the series that have samples from a time on: it may be a little more.
    fn check_labels(&self, found: &BTreeMap<Labels, Plain>, from: i64) {
        let range = TimeRange::new(Timestamp(from), Timestamp(i64::MAX));
        let view = self.head.view();
        let sets = view.select_labels(&self.tenant, &[], range, &|| true).unwrap();
        assert!(sets.is_sorted_by(|a, b| a < b), "sorted, and none twice");
        let has_values = |samples: &Plain| samples.range(from..).any(|(_, sample)| !is_stale(f64::from_bits(sample.1)));
        for labels in found.iter().filter(|(_, samples)| has_values(samples)).map(|(labels, _)| labels) {
            assert!(sets.binary_search(labels).is_ok(), "{labels} has samples from {from} on");
        }
        let known: BTreeSet<Labels> = self.samples.keys().map(without_mark).chain(self.named.iter().cloned()).collect();
        assert!(sets.iter().all(|labels| known.contains(labels)));

        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, value) in sets.iter().flat_map(Labels::iter) {
            values.entry(name).or_default().insert(value);
        }
        let names = view.label_names(&self.tenant, &[], range, &|| true).unwrap();
        assert!(names.iter().eq(values.keys().copied()), "{names:?} of {values:?} from {from} on");
        for (name, values) in values {
            let found = view.label_values(&self.tenant, name, (&[], range), &|| true).unwrap();
            assert!(found.iter().eq(values.iter().copied()), "{name}: {found:?} instead of {values:?}");
        }
    }

    /// Compares everything that can be read, or was cut, with the map.
    pub(crate) fn check(&self) {
        let mut expected: BTreeMap<Labels, Plain> = BTreeMap::new();
        for (labels, samples) in &self.samples {
            let into = expected.entry(without_mark(labels)).or_default();
            for (time, sample) in samples {
                // The row of the target comes before the sample with its own time.
                if into.get(time).is_none_or(|earlier| wins(sample, earlier)) {
                    into.insert(*time, *sample);
                }
            }
        }
        let held_from = self.head.view().held_from().0;
        let found = self.all();
        let mut times: Vec<i64> = found.values().flat_map(|samples| samples.keys().copied()).collect();
        times.sort_unstable();
        for end in times.iter().rev().step_by(7).take(3) {
            self.check_newest(&found, *end);
            self.check_newest(&found, end + 1);
            self.check_labels(&found, *end);
        }
        self.check_labels(&found, i64::MIN);
        for (labels, samples) in &expected {
            let held: Plain = samples.iter().filter(|(time, _)| **time >= held_from).map(|(t, s)| (*t, *s)).collect();
            let read: Plain = found.get(labels).into_iter().flatten().map(|(t, s)| (*t, *s)).collect();
            let read: Plain = read.into_iter().filter(|(time, _)| *time >= held_from).collect();
            assert_eq!(read, held, "{labels}");
        }
        for (labels, samples) in &found {
            for (time, sample) in samples {
                let known = expected.get(labels).and_then(|samples| samples.get(time));
                // Below what is held, what was beaten may have outlived what beat it; the block still has both.
                let is_beaten = |key: &Labels| self.samples.get(key).and_then(|own| own.get(time)) == Some(sample);
                let was_beaten = || is_beaten(labels) || is_beaten(&with_mark(labels));
                let outlived = *time < held_from && (is_stale(f64::from_bits(sample.1)) || was_beaten());
                assert!(outlived || known == Some(sample), "{labels} at {time}: {sample:?} instead of {known:?}");
            }
        }
        for ((labels, time), bits) in self.in_cuts.values().flatten() {
            let known = expected.get(labels).and_then(|samples| samples.get(time));
            let marker = is_stale(f64::from_bits(*bits));
            let is_two = self.samples.get(&with_mark(labels)).is_some_and(|samples| samples.contains_key(time))
                || (self.limits.out_of_order_ms > 0 && labels.metric() == "pushed");
            assert!(marker || is_two || known.map(|(_, bits, _)| *bits) == Some(*bits), "a cut has {labels} at {time}");
        }
    }
}

/// Keeps the samples with their own times of a target's member apart: they follow other rules than its rows.
fn with_mark(labels: &Labels) -> Labels {
    Labels::from_pairs(labels.iter().chain([("zz_timed", "1")]))
}

fn without_mark(labels: &Labels) -> Labels {
    labels.without(&["zz_timed"])
}
