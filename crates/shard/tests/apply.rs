//! Entries that anybody may send, applied.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use bytes::Bytes;
use consensus::StateMachine;
use head::{HeadLimits, LayoutDefinition};
use model::{Labels, Matcher, TenantId, TimeRange};
use proptest::prelude::*;
use prost::Message;
use proto::entry;
use shard::{ShardMachine, encode_definition};

fn scrape(target: u8, tick: i64, values: &[f64], with_definition: bool) -> entry::Record {
    let definition = LayoutDefinition {
        common: Labels::from_pairs([("instance", target.to_string().as_str())]),
        series: (0..values.len()).map(|at| Labels::from_pairs([("__name__", format!("m{at}").as_str())])).collect(),
        families: Vec::new(),
    };
    let mut row = Vec::new();
    chunk::row::encode(values, None, None, &mut row);
    let scrape = entry::Scrape {
        target_id: Bytes::copy_from_slice(&u128::from(target).to_be_bytes()),
        parts: 1,
        tick_ms: tick,
        timestamp_ms: tick,
        interval_ms: 1000,
        layout: Bytes::copy_from_slice(&definition.hash().0.to_be_bytes()),
        definition: with_definition.then(|| encode_definition(&definition)),
        row: row.into(),
        ..Default::default()
    };
    let record = Some(entry::record::Record::Scrape(scrape));
    entry::Record { tenant: TenantId::DEFAULT.to_owned(), record, verdict: None }
}

fn batch(records: Vec<entry::Record>) -> Bytes {
    let batch = entry::Batch { map_epoch: 1, wall_ms: 0, records, feature_level: head::PARTS_ARE_KEPT };
    entry::Entry { entry: Some(entry::entry::Entry::Batch(batch)) }.encode_to_vec().into()
}

fn apply(machine: &mut ShardMachine, entry: &Bytes) -> Vec<entry::RecordAnswer> {
    entry::Answer::decode(machine.apply(0, entry.clone()).unwrap()).unwrap().records
}

#[test]
fn a_scrape_is_stored_once_and_an_unknown_layout_claims_no_tick() {
    let mut machine = ShardMachine::new(HeadLimits::default());
    let known = batch(vec![scrape(1, 1000, &[1.0, 2.0], false)]);
    assert_eq!(apply(&mut machine, &known)[0].outcome(), entry::Outcome::UnknownLayout);
    let said = batch(vec![scrape(1, 1000, &[1.0, 2.0], true)]);
    let answer = &apply(&mut machine, &said)[0];
    assert_eq!((answer.outcome(), answer.stored, answer.new_series), (entry::Outcome::Stored, 2, 2));
    assert_eq!(apply(&mut machine, &said)[0].outcome(), entry::Outcome::Duplicate);
    let series = machine.view().select(&TenantId::default(), &[Matcher::equal("instance", "1")], TimeRange::ALL);
    assert_eq!(series.map(Result::unwrap).count(), 2);
}

/// Of a target with two series whose scrapes come every 15 s; `refuse`: the leader has no room for new ones.
fn page(tick: i64, defined: bool, refuse: bool) -> Bytes {
    let mut record = scrape(1, tick, &[1.0, 2.0], defined);
    if let Some(entry::record::Record::Scrape(scrape)) = &mut record.record {
        scrape.interval_ms = 15_000;
    }
    let refuse_new_series = if refuse { "no room".to_owned() } else { String::new() };
    record.verdict = Some(entry::Verdict { refuse_new_series, too_new: false });
    batch(vec![record])
}

fn series_count(machine: &ShardMachine) -> usize {
    machine.view().select(&TenantId::default(), &[], TimeRange::ALL).count()
}

#[test]
fn refused_series_are_asked_for_once_more_when_there_may_be_room() {
    use entry::Outcome::{Stored, UnknownLayout};
    let mut machine = ShardMachine::new(HeadLimits::default());
    let answered = |machine: &mut ShardMachine, entry: Bytes| {
        let answer = apply(machine, &entry).remove(0);
        (answer.outcome(), answer.stored, answer.refused_series)
    };
    assert_eq!(answered(&mut machine, page(15_000, true, true)), (Stored, 0, 2));
    // Nobody asks while there is no room, nor soon after.
    for tick in [30_000, 45_000, 90_000] {
        assert_eq!(answered(&mut machine, page(tick, false, true)), (Stored, 0, 0));
    }
    let mut early = ShardMachine::new(HeadLimits::default());
    apply(&mut early, &page(15_000, true, true));
    assert_eq!(answered(&mut early, page(60_000, false, false)), (Stored, 0, 0));
    // There is room, but not for all that the definition says: the next time is as far away.
    assert_eq!(answered(&mut machine, page(105_000, false, false)), (UnknownLayout, 0, 0));
    assert_eq!(answered(&mut machine, page(105_000, true, true)), (Stored, 0, 2));
    assert_eq!(answered(&mut machine, page(120_000, false, false)), (Stored, 0, 0));
    assert_eq!(answered(&mut machine, page(165_000, false, false)), (UnknownLayout, 0, 0));
    assert_eq!(answered(&mut machine, page(165_000, true, false)), (Stored, 2, 0));
    assert_eq!(series_count(&machine), 2);
    assert_eq!(answered(&mut machine, page(240_000, false, false)), (Stored, 2, 0), "nothing is missing any more");
}

#[test]
fn what_is_refused_stays_so_where_entries_are_of_before_that_level() {
    let mut machine = ShardMachine::new(HeadLimits::default());
    let old = |entry: Bytes| {
        let mut entry = entry::Entry::decode(entry).unwrap();
        let Some(entry::entry::Entry::Batch(batch)) = &mut entry.entry else { panic!("it is a batch") };
        batch.feature_level = 1;
        Bytes::from(entry.encode_to_vec())
    };
    apply(&mut machine, &old(page(15_000, true, true)));
    let known = &apply(&mut machine, &old(page(600_000, false, false)))[0];
    assert_eq!((known.outcome(), known.stored, known.parts), (entry::Outcome::Stored, 0, 0));
    let said = &apply(&mut machine, &old(page(615_000, true, false)))[0];
    assert_eq!((said.outcome(), said.stored), (entry::Outcome::Stored, 0));
    // From the level on it asks at once.
    let asked = &apply(&mut machine, &page(630_000, false, false))[0];
    assert_eq!(asked.outcome(), entry::Outcome::UnknownLayout);
}

#[test]
fn a_target_stays_split() {
    let mut machine = ShardMachine::new(HeadLimits::default());
    let at = |tick, part, parts| {
        let mut record = scrape(1, tick, &[1.0, 2.0], true);
        if let Some(entry::record::Record::Scrape(scrape)) = &mut record.record {
            (scrape.part, scrape.parts) = (part, parts);
        }
        batch(vec![record])
    };
    let mut answered = |entry: Bytes| {
        let answer = apply(&mut machine, &entry).remove(0);
        (answer.outcome(), answer.parts, answer.parts_since_ms)
    };
    assert_eq!(answered(at(1_000, 0, 1)), (entry::Outcome::Stored, 1, None));
    assert_eq!(answered(at(3_000, 0, 2)), (entry::Outcome::Stored, 2, Some(3_000)));
    assert_eq!(answered(at(4_000, 0, 1)), (entry::Outcome::Split, 2, Some(3_000)));
    assert_eq!(answered(at(4_000, 0, 2)), (entry::Outcome::Stored, 2, Some(3_000)), "the tick was not claimed");
    assert_eq!(answered(at(3_000, 0, 1)), (entry::Outcome::Duplicate, 2, Some(3_000)));
    assert_eq!(answered(at(2_000, 0, 1)), (entry::Outcome::Split, 2, Some(3_000)), "late ones, too");
}

#[test]
fn a_slot_that_was_given_away_is_refused_here_and_goes_on_there() {
    let (mut old, mut new) = [(); 2].map(|()| ShardMachine::new(HeadLimits::default())).into();
    let slot = ring::slot_of_target(model::TargetId(1), 0);
    let step = |command| Bytes::from(entry::Entry { entry: Some(command) }.encode_to_vec());
    let fence = |slot| step(entry::entry::Entry::Fence(entry::Fence { r#move: 1, slot }));
    let outcome = |machine: &mut ShardMachine, entry: &Bytes| apply(machine, entry)[0].outcome();
    let at = |tick| batch(vec![scrape(1, tick, &[1.0, 2.0], true)]);
    assert_eq!(outcome(&mut old, &at(1000)), entry::Outcome::Stored);
    let outcomes = [fence(slot.0.into()), fence(slot.0.into()), fence(4096)].map(|fence| outcome(&mut old, &fence));
    assert_eq!(outcomes, [entry::Outcome::Stored, entry::Outcome::Duplicate, entry::Outcome::Malformed]);
    assert_eq!([1000, 2000].map(|tick| outcome(&mut old, &at(tick))), [entry::Outcome::Moved; 2]);

    let export = old.view().export_slot(slot);
    let adopt = |travelling: &[u8]| {
        let travelling = Bytes::copy_from_slice(travelling);
        let slot = slot.0.into();
        let adopt = entry::Adopt { r#move: 1, slot, export: export.id, piece: 0, pieces: 1, travelling };
        step(entry::entry::Entry::Adopt(adopt))
    };
    assert_eq!(outcome(&mut new, &adopt(b"nothing")), entry::Outcome::Malformed);
    assert_eq!(outcome(&mut new, &adopt(&export.pieces[0])), entry::Outcome::Stored);
    assert_eq!(outcome(&mut new, &adopt(&export.pieces[0])), entry::Outcome::Duplicate);
    assert_eq!(
        [1000, 2000].map(|tick| outcome(&mut new, &at(tick))),
        [entry::Outcome::Duplicate, entry::Outcome::Stored]
    );
}

#[test]
fn a_record_that_makes_no_sense_is_answered_and_harms_no_other() {
    let mut machine = ShardMachine::new(HeadLimits::default());
    let mut wrong = scrape(1, 1000, &[1.0], true);
    wrong.tenant = "a/b".to_owned();
    let answers = apply(&mut machine, &batch(vec![wrong, scrape(2, 1000, &[1.0], true)]));
    assert_eq!(answers[0].outcome(), entry::Outcome::Malformed);
    assert_eq!(answers[0].reason, "\"a/b\" is no name of a tenant");
    assert_eq!(answers[1].outcome(), entry::Outcome::Stored);
    let answers = apply(&mut machine, &Bytes::from_static(b"\xff\xff\xff"));
    assert_eq!(answers[0].outcome(), entry::Outcome::Malformed);
}

/// A valid entry, in which some bytes may be others.
fn entries() -> impl Strategy<Value = Bytes> {
    let values = prop::collection::vec(any::<f64>(), 0..6);
    let scrapes = (0u8..3, 0i64..50, values, any::<bool>());
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::collection::vec(scrapes, 1..4), damage).prop_map(|(scrapes, damage)| {
        let records = scrapes.iter().map(|(target, tick, values, said)| scrape(*target, tick * 1000, values, *said));
        let mut bytes = batch(records.collect()).to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.into()
    })
}

#[test]
fn an_entry_of_a_later_version_is_not_passed_over() {
    let mut machine = ShardMachine::new(HeadLimits::default());
    // Field 99, of no bytes.
    let refused = machine.apply(7, Bytes::from_static(&[0x9a, 0x06, 0x00])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "entry 7 of the log is of a later version (a kind of entry of a shard): upgrade this binary"
    );
}

proptest! {
    #[test]
    fn whatever_is_committed_all_replicas_are_alike(log in prop::collection::vec(entries(), 1..20)) {
        let limits = HeadLimits { window_ms: 20_000, tick_window_ms: 10_000, out_of_order_ms: 0, max_exemplars: 4 };
        let mut replicas = [ShardMachine::new(limits), ShardMachine::new(limits)];
        for entry in &log {
            let [first, second] = &mut replicas;
            prop_assert_eq!(first.apply(0, entry.clone()), second.apply(0, entry.clone()));
        }
        let [first, second] = replicas.map(|machine| machine.view().digest());
        prop_assert_eq!(first, second);
    }

    #[test]
    fn any_bytes_are_answered_or_too_new(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut machine = ShardMachine::new(HeadLimits::default());
        let answer = machine.apply(0, bytes.into()).map_or_else(|_| entry::Answer::default(), |it| entry::Answer::decode(it).unwrap());
        let stored = answer.records.iter().map(|answer| answer.stored).sum::<u32>();
        prop_assert_eq!(u64::from(stored > 0), machine.view().series_count().min(1));
    }
}
