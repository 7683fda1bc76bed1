//! What blocks cost: 10,000 series of 480 samples, as a target's exporter has them.

use std::sync::Arc;

use block::{BlockReader, BlockSummary, BlockWriter, ChunkRef, verify};
use bytes::Bytes;
use chunk::Presence;
use divan::counter::ItemsCount;
use futures::executor::block_on;
use futures::stream::TryStreamExt;
use model::{Labels, Matcher, TimeRange};
use series::{Budget, Hints, LabelQuery, Queryable, Samples, Select, Series};

const TARGETS: usize = 20;
const SERIES: usize = 500;
const CHUNKS: usize = 4;
const ROWS: usize = 120;
const SAMPLES: usize = TARGETS * SERIES * CHUNKS * ROWS;

type Encoded = (Labels, Vec<(usize, Vec<u8>)>);

#[expect(clippy::print_stdout, reason = "sizes are what is measured, too")]
fn main() {
    let (input, columns) = input();
    let (bytes, summary) = write(&input, &columns);
    let data: usize = input.iter().flat_map(|(_, chunks)| chunks).map(|(_, bytes)| bytes.len()).sum();
    let times: usize = columns.iter().map(Vec::len).sum();
    let per_sample = |bytes: usize| bytes as f64 / SAMPLES as f64;
    println!("{} bytes: per sample {:.3}", summary.size_bytes, per_sample(bytes.len()));
    println!("  chunks {:.3}, timestamps {:.4}", per_sample(data), per_sample(times));
    println!("  structure {:.4}", per_sample(bytes.len() - data - times));
    divan::main();
}

/// Series as a cut has them: in order, chunks encoded, columns of timestamps shared by target.
fn input() -> (Vec<Encoded>, Vec<Vec<u8>>) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut columns = Vec::new();
    for column in 0..TARGETS * CHUNKS {
        let start = (column % CHUNKS * ROWS) as i64 * 15_000 + (column / CHUNKS) as i64 * 731;
        let times: Vec<i64> = (0..ROWS as i64).map(|row| start + row * 15_000 + random.i64(0..3)).collect();
        let mut encoded = Vec::new();
        chunk::times::encode(&times, &mut encoded);
        columns.push(encoded);
    }
    let mut series = Vec::new();
    for target in 0..TARGETS {
        let instance = format!("node-{target:03}.example.internal:9100");
        for at in 0..SERIES {
            let (metric, device) = (format!("node_subsystem_{}_total", at / 5), format!("dev{}", at % 5));
            let pairs = [("__name__", &*metric), ("device", &device), ("instance", &instance), ("job", "node")];
            let chunks = (0..CHUNKS).map(|chunk| (target * CHUNKS + chunk, values(at, &mut random))).collect();
            series.push((Labels::from_pairs(pairs), chunks));
        }
    }
    series.sort_by_key(|(labels, _)| (labels.metric().to_owned(), labels.clone()));
    (series, columns)
}

/// Two of three series rest, as on a real machine; others count or wander.
fn values(series: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut value = (series * 1_000) as f64;
    let values: Vec<f64> = (0..ROWS)
        .map(|_| {
            value += if series.is_multiple_of(3) { f64::from(random.u8(..40)) } else { 0.0 };
            value
        })
        .collect();
    let mut encoded = Vec::new();
    chunk::encode_floats(&Presence::all(ROWS), &values, &mut encoded);
    encoded
}

fn write(input: &[Encoded], columns: &[Vec<u8>]) -> (Bytes, BlockSummary) {
    let mut writer = BlockWriter::new(Vec::new()).expect("memory does not fail");
    for (labels, chunks) in input {
        let refs = chunks.iter().map(|(column, bytes)| {
            let times = writer.add_times(&columns[*column]).expect("the columns are in order");
            ChunkRef { times, bytes }
        });
        let refs: Vec<_> = refs.collect();
        writer.add_series(labels, &refs).expect("the series are in order");
    }
    let (bytes, summary) = writer.finish().expect("memory does not fail");
    (bytes.into(), summary)
}

fn block() -> Bytes {
    let (input, columns) = input();
    write(&input, &columns).0
}

fn open(bytes: &Bytes) -> BlockReader {
    block_on(BlockReader::open("bench", Arc::new(bytes.clone()))).expect("it was just written")
}

fn select(block: &BlockReader, matchers: &[Matcher]) -> Vec<Series> {
    let select = Select { matchers: matchers.into(), range: TimeRange::ALL, hints: Hints::default() };
    let batches: Vec<Vec<Series>> =
        block_on(async { block.select(select, &Budget::unlimited()).await?.try_collect().await })
            .expect("it is in order");
    batches.into_iter().flatten().collect()
}

#[divan::bench]
fn write_all(bencher: divan::Bencher<'_, '_>) {
    let (input, columns) = input();
    bencher.counter(ItemsCount::new(SAMPLES)).bench(|| write(&input, &columns));
}

#[divan::bench]
fn open_block(bencher: divan::Bencher<'_, '_>) {
    let bytes = block();
    bencher.bench(|| open(&bytes));
}

#[divan::bench]
fn open_and_select_one_metric(bencher: divan::Bencher<'_, '_>) {
    let bytes = block();
    bencher.bench(|| select(&open(&bytes), &[Matcher::equal("__name__", "node_subsystem_7_total")]));
}

#[divan::bench]
fn select_one_metric(bencher: divan::Bencher<'_, '_>) {
    let block = open(&block());
    bencher.bench(|| select(&block, &[Matcher::equal("__name__", "node_subsystem_7_total")]));
}

#[divan::bench]
fn select_one_instance(bencher: divan::Bencher<'_, '_>) {
    let block = open(&block());
    bencher.bench(|| select(&block, &[Matcher::equal("instance", "node-007.example.internal:9100")]));
}

#[divan::bench]
fn select_all(bencher: divan::Bencher<'_, '_>) {
    let block = open(&block());
    bencher.counter(ItemsCount::new(TARGETS * SERIES)).bench(|| select(&block, &[]));
}

#[divan::bench]
fn select_and_read_all(bencher: divan::Bencher<'_, '_>) {
    let block = open(&block());
    bencher.counter(ItemsCount::new(SAMPLES)).bench(|| {
        let mut samples = Samples::default();
        let read = |series: Series| {
            series.read(TimeRange::ALL, &mut samples).expect("it is in order");
            samples.floats.len()
        };
        select(&block, &[]).into_iter().map(read).sum::<usize>()
    });
}

#[divan::bench]
fn label_values(bencher: divan::Bencher<'_, '_>) {
    let block = open(&block());
    let query = || LabelQuery { matchers: [].into(), range: TimeRange::ALL, limit: 0, limit_bytes: 0 };
    bencher.bench(|| block_on(block.label_values("__name__", query())));
}

#[divan::bench]
fn label_values_of_one_metric(bencher: divan::Bencher<'_, '_>) {
    let block = open(&block());
    let matchers: Arc<[Matcher]> = [Matcher::equal("__name__", "node_subsystem_7_total")].into();
    let query = || LabelQuery { matchers: matchers.clone(), range: TimeRange::ALL, limit: 0, limit_bytes: 0 };
    bencher.bench(|| block_on(block.label_values("instance", query())));
}

#[divan::bench]
fn verify_all(bencher: divan::Bencher<'_, '_>) {
    let block = open(&block());
    bencher.counter(ItemsCount::new(SAMPLES)).bench(|| block_on(verify(&block)));
}
