//! How long a series takes to read: `cargo bench -p ringwood-series`. Items are samples of the chunks.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use model::{Labels, TimeRange};
use series::{Chunk, Samples, Series, Times};

const ROWS: i64 = 120;

fn main() {
    divan::main();
}

/// A counter's chunk of rows 15 s apart, from row `first` on.
fn chunk(first: i64) -> Chunk {
    let mut rng = fastrand::Rng::with_seed(first as u64);
    let times: Vec<i64> = (first..first + ROWS).map(|row| row * 15_000 + rng.i64(0..3)).collect();
    let mut encoded = Vec::new();
    chunk::times::encode(&times, &mut encoded);
    let mut samples = chunk::Samples::default();
    (first..first + ROWS).for_each(|row| samples.push(Some((row * 40 + rng.i64(0..10)) as f64)));
    let mut bytes = Vec::new();
    samples.encode(&mut bytes);
    Chunk::Encoded { times: Arc::new(Times::new(encoded.into())), bytes: bytes.into() }
}

fn read(bencher: Bencher<'_, '_>, chunks: Vec<Chunk>) {
    let items = chunks.len() * ROWS as usize;
    let series = Series { labels: Labels::empty(), chunks };
    let mut samples = Samples::new();
    bencher
        .counter(ItemsCount::new(items))
        .bench_local(|| series.read(TimeRange::ALL, &mut samples).expect("it was just encoded"));
}

/// Chunks that follow each other, as one source gives them.
#[divan::bench(args = [1, 4, 24])]
fn disjoint(bencher: Bencher<'_, '_>, chunks: i64) {
    read(bencher, (0..chunks).map(|at| chunk(at * ROWS)).collect());
}

/// The same chunks from two sources, as where shards and blocks meet.
#[divan::bench(args = [1, 4, 24])]
fn twice(bencher: Bencher<'_, '_>, chunks: i64) {
    read(bencher, (0..chunks).chain(0..chunks).map(|at| chunk(at * ROWS)).collect());
}
