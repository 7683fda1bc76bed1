//! How long columns take to code: `cargo bench -p ringwood-chunk`.
//!
//! Items are samples: 250 Mitem/s are 4 ns per sample. Sizes are told by
//! `cargo test -p ringwood-chunk --test sizes -- --nocapture`.

#[path = "support/gorilla.rs"]
mod gorilla;
#[path = "support/latencies.rs"]
mod latencies;
#[path = "support/mix.rs"]
mod mix;
#[path = "support/page.rs"]
mod page;

use std::fmt;
use std::hint::black_box;

use chunk::presence::Presence;
use chunk::{Chunk, Markers};
use divan::Bencher;
use divan::counter::ItemsCount;
use model::TimeRange;

fn main() {
    divan::main();
}

/// Columns of one class and length.
struct Case {
    class: &'static str,
    rows: usize,
    columns: Vec<Vec<f64>>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.class, self.rows)
    }
}

impl Case {
    fn bench(&self, bencher: Bencher<'_, '_>, mut work: impl FnMut(usize, &[f64])) {
        let samples = self.rows * self.columns.len();
        bencher.counter(ItemsCount::new(samples)).bench_local(|| {
            for (at, column) in self.columns.iter().enumerate() {
                work(at, black_box(column));
            }
        });
    }

    fn coded(&self, encode: impl Fn(&[f64]) -> Vec<u8>) -> Vec<Vec<u8>> {
        self.columns.iter().map(|column| encode(column)).collect()
    }
}

/// Every class by itself, then the mix.
fn cases() -> Vec<Case> {
    let classes = mix::classes();
    [32, 120, 480]
        .into_iter()
        .flat_map(|rows| {
            let columns = |class: &mix::Class, count: usize| {
                let columns = class.series.iter().flat_map(|series| series.chunks_exact(rows).take(5));
                columns.take(count).map(<[f64]>::to_vec).collect::<Vec<_>>()
            };
            let single = classes.iter().map(|class| Case { class: class.name, rows, columns: columns(class, 200) });
            let mixed = classes.iter().flat_map(|class| columns(class, (class.weight * 200.0) as usize)).collect();
            single.chain([Case { class: "mix", rows, columns: mixed }]).collect::<Vec<_>>()
        })
        .collect()
}

fn mixes() -> Vec<Case> {
    cases().into_iter().filter(|case| case.class == "mix").collect()
}

fn ours(column: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    chunk::floats::encode(column, &mut bytes);
    bytes
}

fn pco(column: &[f64]) -> Vec<u8> {
    pco::standalone::simple_compress(column, &pco::ChunkConfig::default()).expect("any floats compress")
}

#[divan::bench(args = cases())]
fn floats_encode(bencher: Bencher<'_, '_>, case: &Case) {
    let mut bytes = Vec::new();
    case.bench(bencher, |_, column| {
        bytes.clear();
        chunk::floats::encode(column, &mut bytes);
    });
}

#[divan::bench(args = cases())]
fn floats_decode(bencher: Bencher<'_, '_>, case: &Case) {
    let coded = case.coded(ours);
    let mut values = vec![0.0; case.rows];
    case.bench(bencher, |at, _| {
        chunk::floats::decode(&coded[at], &mut values).expect("it was just encoded");
    });
}

#[divan::bench(args = mixes())]
fn floats_last(bencher: Bencher<'_, '_>, case: &Case) {
    let coded = case.coded(ours);
    // One item per column, whatever its length.
    bencher.counter(ItemsCount::new(coded.len())).bench_local(|| {
        for bytes in &coded {
            black_box(chunk::floats::last(bytes, case.rows).expect("it was just encoded"));
        }
    });
}

/// What a query does: parse, decode, cut to a range of time, put beside the timestamps.
#[divan::bench(args = mixes())]
fn chunk_read(bencher: Bencher<'_, '_>, case: &Case) {
    let coded = case.coded(|column| {
        let mut bytes = Vec::new();
        chunk::encode_floats(&Presence::all(column.len()), column, &mut bytes);
        bytes
    });
    let times: Vec<_> = (0..case.rows as i64).map(|row| 15_000 * row).collect();
    let (mut out_times, mut out_values) = (Vec::new(), Vec::<f64>::new());
    case.bench(bencher, |at, _| {
        out_times.clear();
        out_values.clear();
        let chunk = Chunk::parse(&coded[at]).expect("it was just encoded");
        let read = chunk.read_into(&times, TimeRange::ALL, Markers::Skip, &mut out_times, &mut out_values);
        read.expect("it was just encoded");
    });
}

#[divan::bench(args = mixes())]
fn gorilla_encode(bencher: Bencher<'_, '_>, case: &Case) {
    case.bench(bencher, |_, column| {
        black_box(gorilla::encode(column));
    });
}

#[divan::bench(args = mixes())]
fn gorilla_decode(bencher: Bencher<'_, '_>, case: &Case) {
    let coded = case.coded(gorilla::encode);
    let mut values = vec![0.0; case.rows];
    case.bench(bencher, |at, _| gorilla::decode(&coded[at], &mut values));
}

#[divan::bench(args = mixes(), sample_count = 20)]
fn pco_encode(bencher: Bencher<'_, '_>, case: &Case) {
    case.bench(bencher, |_, column| {
        black_box(pco(column));
    });
}

#[divan::bench(args = mixes(), sample_count = 20)]
fn pco_decode(bencher: Bencher<'_, '_>, case: &Case) {
    let coded = case.coded(pco);
    let mut values = vec![0.0; case.rows];
    case.bench(bencher, |at, _| {
        pco::standalone::simple_decompress_into(&coded[at], &mut values).expect("it was just compressed");
    });
}

/// Items are buckets.
#[divan::bench(args = [32, 120])]
fn histograms_encode(bencher: Bencher<'_, '_>, rows: usize) {
    let column = latencies::scrapes(rows);
    let mut bytes = Vec::new();
    bencher.counter(ItemsCount::new(24 * rows)).bench_local(|| {
        bytes.clear();
        chunk::histograms::encode(black_box(&column), &mut bytes).expect("they are valid");
    });
}

/// Items are buckets.
#[divan::bench(args = [32, 120])]
fn histograms_decode(bencher: Bencher<'_, '_>, rows: usize) {
    let mut bytes = Vec::new();
    chunk::histograms::encode(&latencies::scrapes(rows), &mut bytes).expect("they are valid");
    let mut column = Vec::new();
    bencher.counter(ItemsCount::new(24 * rows)).bench_local(|| {
        column.clear();
        chunk::histograms::decode(black_box(&bytes), rows, &mut column).expect("it was just encoded");
    });
}

/// How many scrapes ago the reference was taken; 0 for none.
const AGES: [usize; 4] = [0, 1, 12, 60];

#[divan::bench(args = AGES)]
fn row_encode(bencher: Bencher<'_, '_>, age: usize) {
    let (reference, row) = rows(age);
    let mut bytes = Vec::new();
    bencher.counter(ItemsCount::new(row.len())).bench_local(|| {
        bytes.clear();
        chunk::row::encode(black_box(&row), None, reference.as_deref(), &mut bytes);
    });
}

#[divan::bench(args = AGES)]
fn row_decode(bencher: Bencher<'_, '_>, age: usize) {
    let (reference, row) = rows(age);
    let mut bytes = Vec::new();
    chunk::row::encode(&row, None, reference.as_deref(), &mut bytes);
    let mut values = vec![0.0; row.len()];
    bencher.counter(ItemsCount::new(row.len())).bench_local(|| {
        chunk::row::decode(black_box(&bytes), reference.as_deref(), &mut values).expect("it was just encoded");
    });
}

fn rows(age: usize) -> (Option<Vec<f64>>, Vec<f64>) {
    let mut page = page::Page::new(2);
    let reference = page.scrape();
    let row = (0..age).map(|_| page.scrape()).last();
    match row {
        Some(row) => (Some(reference), row),
        None => (None, reference),
    }
}
