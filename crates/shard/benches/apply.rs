//! What it costs to apply the scrapes of one target: with values alone, as most pages have, and with what may come beside.

use bytes::Bytes;
use consensus::StateMachine;
use divan::Bencher;
use head::{HeadLimits, LayoutDefinition};
use model::{Labels, TenantId};
use prost::Message;
use proto::entry;
use shard::{ShardMachine, encode_definition};

const SERIES: usize = 500;
const ROWS: i64 = 256;
/// Counters of the page.
const COUNTERS: usize = 100;

/// What a page says beside its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    Starts,
    Exemplars,
}

/// The entries of a target's scrapes. A third of the values changes from row to row.
fn entries(beside: Beside) -> Vec<Bytes> {
    let names = (0..SERIES).map(|at| Labels::from_pairs([("__name__", format!("metric_{at}").as_str())]));
    let definition = LayoutDefinition {
        common: Labels::from_pairs([("instance", "a:80"), ("job", "bench")]),
        series: names.collect(),
        families: Vec::new(),
    };
    let layout = Bytes::copy_from_slice(&definition.hash().0.to_be_bytes());
    let entry = |number: i64| {
        let value = |at: usize| if at.is_multiple_of(3) { (number * at as i64) as f64 } else { at as f64 };
        let values: Vec<f64> = (0..SERIES).map(value).collect();
        let mut row = Vec::new();
        chunk::row::encode(&values, None, None, &mut row);
        let time = 1_790_000_000_000 + number * 15_000;
        let mut scrape = entry::Scrape {
            target_id: Bytes::from_static(&[7; 16]),
            parts: 1,
            tick_ms: time,
            timestamp_ms: time,
            interval_ms: 15_000,
            layout: layout.clone(),
            definition: (number == 0).then(|| encode_definition(&definition)),
            row: row.into(),
            ..Default::default()
        };
        if beside == Beside::Starts && number == 0 {
            scrape.start_slots = (0..COUNTERS as u32).collect();
            scrape.start_ages = (0..COUNTERS as i64).map(|at| 3_600_000 + at).collect();
        }
        if beside == Beside::Exemplars {
            let exemplar = |series: u32| entry::Exemplar {
                series,
                labels: Bytes::copy_from_slice(
                    Labels::from_pairs([("trace_id", "0123456789abcdef")]).canonical_bytes(),
                ),
                value: 0.5,
                timestamp_ms: time,
                ..Default::default()
            };
            scrape.exemplars = (0..COUNTERS as u32).map(exemplar).collect();
        }
        let record = Some(entry::record::Record::Scrape(scrape));
        let record = entry::Record { tenant: TenantId::DEFAULT.to_owned(), record, verdict: None };
        let batch = entry::Batch { map_epoch: 1, wall_ms: time, records: vec![record], feature_level: 0 };
        entry::Entry { entry: Some(entry::entry::Entry::Batch(batch)) }.encode_to_vec().into()
    };
    (0..ROWS).map(entry).collect()
}

fn apply(bencher: Bencher<'_, '_>, beside: Beside, max_exemplars: u64) {
    let entries = entries(beside);
    let limits =
        entry::Limits { block_window_ms: 7_200_000, tick_window_ms: 600_000, out_of_order_window_ms: 0, max_exemplars };
    let limits: Bytes = entry::Entry { entry: Some(entry::entry::Entry::Limits(limits)) }.encode_to_vec().into();
    bencher.counter(divan::counter::ItemsCount::new(SERIES * ROWS as usize)).bench_local(|| {
        let mut machine = ShardMachine::new(HeadLimits::default());
        drop(machine.apply(0, limits.clone()));
        entries.iter().for_each(|entry| drop(machine.apply(1, entry.clone())));
        machine
    });
}

#[divan::bench]
fn values(bencher: Bencher<'_, '_>) {
    apply(bencher, Beside::Nothing, 100_000);
}

#[divan::bench]
fn values_and_starts(bencher: Bencher<'_, '_>) {
    apply(bencher, Beside::Starts, 100_000);
}

#[divan::bench]
fn values_and_exemplars(bencher: Bencher<'_, '_>) {
    apply(bencher, Beside::Exemplars, 10_000);
}

#[divan::bench]
fn values_and_exemplars_that_nobody_keeps(bencher: Bencher<'_, '_>) {
    apply(bencher, Beside::Exemplars, 0);
}

fn main() {
    divan::main();
}
