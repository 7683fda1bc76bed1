//! Heads between which slots move, against one head that has everything.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::collections::{BTreeMap, BTreeSet};

use chunk::{Chunk, Markers};
use head::{
    Answer, Head, HeadLimits, LayoutChange, LayoutDefinition, Outcome, PushedSeries, ScrapeKind, ScrapeRow,
    SegmentFile, Selected, SlotPiece, TimedValue,
};
use model::{Labels, STALE_NAN, Slot, TargetId, TenantId, TimeRange};
use proptest::prelude::*;

const LIMITS: HeadLimits = HeadLimits { window_ms: 100, tick_window_ms: 30, out_of_order_ms: 0, max_exemplars: 0 };

#[derive(Clone, Debug)]
enum Action {
    Scrape { target: u8, ahead: i64, series: BTreeSet<u8>, timed: BTreeSet<u8> },
    Again { target: u8, behind: i64 },
    End { target: u8, behind: u64 },
    Push { series: u8, ahead: i64, value: u8 },
    Move { target: u8, repeated: bool },
    MovePushed { series: u8 },
    Cut,
    Reload,
}

/// Samples by labels and time.
type Plain = BTreeMap<(Labels, i64), u64>;

struct World {
    /// Has everything.
    whole: Head,
    /// Share the slots.
    shared: [Head; 2],
    owners: BTreeMap<Slot, usize>,
    moves: u64,
    last: BTreeMap<u8, i64>,
    newest: i64,
    epoch: u64,
    cut: u64,
    /// Steps of moves that are repeated at the end.
    old_steps: Vec<(usize, Slot, u64, Vec<Vec<u8>>)>,
}

fn tenant() -> TenantId {
    TenantId::default()
}

fn pushed_labels(series: u8) -> Labels {
    Labels::from_pairs([("__name__", "pushed"), ("s", format!("p{series}").as_str())])
}

fn slot_of(target: u8) -> Slot {
    ring::slot_of_target(TargetId(u128::from(target)), 0)
}

fn adopt(head: &mut Head, slot: Slot, by: u64, pieces: &[Vec<u8>]) -> Vec<bool> {
    let count = pieces.len() as u32;
    let piece = |(at, travelling): (u32, &Vec<u8>)| {
        head.adopt(&SlotPiece { by, slot, export: 7, piece: at, pieces: count, travelling }).unwrap()
    };
    (0..).zip(pieces).map(piece).collect()
}

impl World {
    fn new() -> Self {
        let head = || Head::new(LIMITS);
        Self {
            whole: head(),
            shared: [head(), head()],
            owners: BTreeMap::new(),
            moves: 0,
            last: BTreeMap::new(),
            newest: 100,
            epoch: 1,
            cut: 0,
            old_steps: Vec::new(),
        }
    }

    fn owner(&self, slot: Slot) -> usize {
        self.owners.get(&slot).copied().unwrap_or(0)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Scrape { target, ahead, series, timed } => {
                let time = self.last.get(&target).copied().unwrap_or(100).max(self.newest - 40) + 2 * ahead;
                self.last.insert(target, time);
                self.newest = self.newest.max(time);
                self.scrape(target, time, ScrapeKind::Row, (series, timed));
            }
            Action::Again { target, behind } => {
                let time = self.last.get(&target).copied().unwrap_or(100) - 2 * behind;
                let answer = self.scrape(target, time, ScrapeKind::Row, ((0..4).collect(), BTreeSet::new()));
                assert!(behind > 0 || !self.last.contains_key(&target) || answer.outcome != Outcome::Stored);
            }
            Action::End { target, behind } => {
                let last = self.last.get(&target).copied().unwrap_or(100);
                // What lags far behind is too old for one head, and may not be for two, each of which has a newest sample of its own.
                let (time, epoch) = (last.max(self.newest - 40) + 2, self.epoch);
                self.epoch = epoch.saturating_sub(behind);
                self.scrape(target, time, ScrapeKind::Final, (BTreeSet::new(), BTreeSet::new()));
                self.epoch = epoch + 1;
            }
            Action::Push { series, ahead, value } => self.push(series, self.newest + ahead, f64::from(value)),
            Action::Move { target, repeated } => self.give(slot_of(target), repeated),
            Action::MovePushed { series } => {
                self.give(ring::slot_of_series(&tenant(), &pushed_labels(series)), false);
            }
            Action::Cut => {
                self.cut += 1;
                let end = self.newest / LIMITS.window_ms * LIMITS.window_ms;
                let all = self.shared.iter_mut().chain([&mut self.whole]);
                all.for_each(|head| assert!(head.cut(self.cut, end)));
            }
            Action::Reload => self.shared.iter_mut().for_each(reload),
        }
    }

    /// What both ways answer.
    fn scrape(
        &mut self,
        target: u8,
        time: i64,
        kind: ScrapeKind,
        (series, timed): (BTreeSet<u8>, BTreeSet<u8>),
    ) -> Answer {
        let instance = target.to_string();
        let definition = LayoutDefinition {
            common: Labels::from_pairs([("instance", instance.as_str())]),
            series: series.iter().map(|at| Labels::from_pairs([("__name__", format!("m{at}").as_str())])).collect(),
            families: vec![],
        };
        let values: Vec<f64> = series.iter().map(|at| (time * 100 + i64::from(*at)) as f64).collect();
        let mut row = Vec::new();
        chunk::row::encode(&values, None, None, &mut row);
        let timed = (0..).zip(&series).filter(|(_, at)| timed.contains(at)).map(|(slot, _)| (slot, -1)).collect();
        let row = ScrapeRow {
            target: TargetId(u128::from(target)),
            part: 0,
            parts: 1,
            owner_epoch: self.epoch,
            tick_ms: time,
            timestamp_ms: time,
            interval_ms: 10,
            kind,
            layout: definition.hash(),
            change: LayoutChange::Defined(definition),
            row: &row,
            reference: 0,
            becomes_reference: false,
            timed,
            track_timestamps_staleness: true,
            histograms: vec![],
            starts: vec![],
            exemplars: vec![],
            refuse_new_series: None,
            feature_level: head::PARTS_ARE_KEPT,
        };
        let expected = self.whole.append_scrape(&tenant(), &row);
        let owner = self.owner(slot_of(target));
        let answer = self.shared[owner].append_scrape(&tenant(), &row);
        let counts = |answer: &Answer| (answer.outcome, answer.stored, answer.out_of_order, answer.duplicate_timestamp);
        assert_eq!(counts(&answer), counts(&expected), "target {target} at {time}");
        if self.owners.contains_key(&slot_of(target)) {
            let refused = self.shared[1 - owner].append_scrape(&tenant(), &row);
            assert_eq!(refused, Answer { outcome: Outcome::Moved, ..Answer::default() });
        }
        answer
    }

    fn push(&mut self, series: u8, time: i64, value: f64) {
        let labels = pushed_labels(series);
        let slot = ring::slot_of_series(&tenant(), &labels);
        let samples = vec![(time, TimedValue::Float(value))];
        let pushed = [PushedSeries { labels, samples, starts: vec![], exemplars: vec![] }];
        let expected = self.whole.append_pushed(&tenant(), &pushed, None);
        let owner = self.owner(slot);
        let answer = self.shared[owner].append_pushed(&tenant(), &pushed, None);
        assert_eq!((answer.stored, answer.outcome), (expected.stored, expected.outcome), "series {series} at {time}");
        if self.owners.contains_key(&slot) {
            let refused = self.shared[1 - owner].append_pushed(&tenant(), &pushed, None);
            assert_eq!(refused.outcome, Outcome::Moved);
        }
    }

    fn give(&mut self, slot: Slot, repeated: bool) {
        let from = self.owner(slot);
        self.moves += 1;
        assert!(self.shared[from].fence(slot, self.moves));
        let pieces = self.shared[from].view().export_slot(slot).pieces;
        assert!(adopt(&mut self.shared[1 - from], slot, self.moves, &pieces).into_iter().all(|done| done));
        self.owners.insert(slot, 1 - from);
        assert_eq!(self.shared[from].view().last_move(slot), Some((self.moves, true)));
        assert_eq!(self.shared[1 - from].view().last_move(slot), Some((self.moves, false)));
        if repeated {
            self.old_steps.push((from, slot, self.moves, pieces));
        }
        self.repeat_steps();
    }

    /// Steps that come twice, or late, change nothing.
    fn repeat_steps(&mut self) {
        for (from, slot, by, pieces) in &self.old_steps {
            let before = self.shared.each_ref().map(|head| head.view().digest());
            assert!(!self.shared[*from].fence(*slot, *by));
            assert!(!adopt(&mut self.shared[1 - from], *slot, *by, pieces)[0]);
            assert_eq!(self.shared.each_ref().map(|head| head.view().digest()), before);
        }
    }

    fn check(&self) {
        let (mut together, mut values) = (Plain::new(), BTreeSet::new());
        for head in &self.shared {
            for (key, value) in samples(head) {
                assert!(is_stale(value) || values.insert(key.clone()), "{key:?} is there twice");
                // The marker of a final record may stand beside a sample that came late: that is the word.
                let known = together.entry(key).or_insert(value);
                if is_stale(*known) {
                    *known = value;
                }
            }
        }
        assert_eq!(together, samples(&self.whole));
    }
}

fn samples(head: &Head) -> Plain {
    let all = head.view().select(&tenant(), &[], TimeRange::ALL).map(Result::unwrap);
    all.flat_map(|series| samples_of(&series)).collect()
}

fn samples_of(Selected { labels, chunks }: &Selected) -> Plain {
    let mut found = Plain::new();
    for one in chunks {
        let mut row_times = Vec::new();
        chunk::times::Times::parse(&one.times).unwrap().0.decode(&mut row_times).unwrap();
        let (mut times, mut values) = (Vec::new(), Vec::<f64>::new());
        let parsed = Chunk::parse(&one.chunk).unwrap();
        parsed.read_into(&row_times, TimeRange::ALL, Markers::Keep, &mut times, &mut values).unwrap();
        for (time, value) in times.into_iter().zip(values) {
            // A late sample at the time of a marker is the word.
            let known = found.entry((labels.clone(), time)).or_insert(value.to_bits());
            if is_stale(*known) {
                *known = value.to_bits();
            }
        }
    }
    found
}

fn reload(head: &mut Head) {
    let view = head.view();
    let mut files = BTreeMap::new();
    for segment in view.segments() {
        let (name, bytes) = (segment.number().to_string(), bytes::Bytes::from(segment.to_file().concat()));
        let file = SegmentFile { name: name.clone(), size_bytes: bytes.len() as u64, hash: 0 };
        segment.saved(file.clone(), &bytes);
        files.insert(name, (file, bytes));
    }
    *head = Head::load(&view.open_file(), |name| Ok(files[name].clone())).unwrap();
    assert_eq!(head.view().digest(), view.digest());
}

fn is_stale(bits: u64) -> bool {
    model::is_stale(f64::from_bits(bits))
}

fn some_series() -> impl Strategy<Value = BTreeSet<u8>> {
    prop::collection::btree_set(0u8..6, 0..6)
}

fn action() -> impl Strategy<Value = Action> {
    let timed = prop::collection::btree_set(0u8..6, 0..2);
    prop_oneof![
        12 => (0u8..3, 1i64..12, some_series(), timed)
            .prop_map(|(target, ahead, series, timed)| Action::Scrape { target, ahead, series, timed }),
        4 => (0u8..3, 0i64..20).prop_map(|(target, behind)| Action::Again { target, behind }),
        1 => (0u8..3, 0u64..3).prop_map(|(target, behind)| Action::End { target, behind }),
        4 => (0u8..4, -10i64..10, 0u8..3).prop_map(|(series, ahead, value)| Action::Push { series, ahead, value }),
        3 => (0u8..3, any::<bool>()).prop_map(|(target, repeated)| Action::Move { target, repeated }),
        2 => (0u8..4).prop_map(|series| Action::MovePushed { series }),
        1 => Just(Action::Cut),
        1 => Just(Action::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_slot_that_moves_is_as_one_that_stays(actions in prop::collection::vec(action(), 1..100)) {
        let mut world = World::new();
        for action in actions {
            world.act(action);
        }
        world.check();
    }
}

#[test]
fn a_series_that_is_gone_after_the_move_ends_there_and_one_that_stays_does_not() {
    let mut world = World::new();
    let page = |series: &[u8]| (series.iter().copied().collect(), BTreeSet::new());
    world.scrape(0, 110, ScrapeKind::Row, page(&[1, 2]));
    world.give(slot_of(0), true);
    world.scrape(0, 120, ScrapeKind::Row, page(&[1]));
    let ends: Vec<_> =
        samples(&world.shared[1]).into_iter().filter(|(_, value)| *value == STALE_NAN.to_bits()).collect();
    let gone = Labels::from_pairs([("__name__", "m2"), ("instance", "0")]);
    assert_eq!(ends, [((gone, 120), STALE_NAN.to_bits())]);
    assert!(samples(&world.shared[0]).values().all(|value| *value != STALE_NAN.to_bits()));
    world.check();
}

#[test]
fn pieces_of_two_exports_are_not_mixed() {
    let mut from = World::new();
    from.scrape(0, 110, ScrapeKind::Row, ([1].into(), BTreeSet::new()));
    let slot = slot_of(0);
    let piece = &from.shared[0].view().export_slot(slot).pieces[0];
    let mut head = Head::new(LIMITS);
    let mut adopt =
        |export, at| head.adopt(&SlotPiece { by: 1, slot, export, piece: at, pieces: 3, travelling: piece }).unwrap();
    assert_eq!([adopt(7, 1), adopt(7, 0), adopt(8, 1), adopt(7, 1)], [false, true, false, true]);
    assert_eq!([adopt(8, 0), adopt(7, 2), adopt(8, 1), adopt(8, 2), adopt(8, 2)], [true, false, true, true, false]);
    assert_eq!(head.view().last_move(slot), Some((1, false)));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_in_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), framed in any::<bool>()) {
        let mut head = Head::new(LIMITS);
        let before = head.view().digest();
        let travelling = if framed { zstd::bulk::compress(&bytes, 1).unwrap() } else { bytes };
        let piece = SlotPiece { by: 1, slot: Slot(5), export: 1, piece: 0, pieces: 1, travelling: &travelling };
        if head.adopt(&piece).is_err() {
            prop_assert_eq!(head.view().digest(), before);
        }
    }
}
