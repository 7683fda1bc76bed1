//! From a page's bytes to an encoded record.
//!
//! `cargo bench -p ringwood-scraper` prints times, and how many bytes a record takes for a sample. The page is like that of
//! a node: mostly counters that stand still or grow a little, some gauges.

use divan::Bencher;
use divan::counter::ItemsCount;
use prost::Message;
use scraper::bench::Pipeline;

const SAMPLES: usize = 800;
const PAGES: usize = 64;

fn main() {
    print_sizes();
    divan::main();
}

/// Pages of one target at successive scrapes.
fn pages() -> Vec<String> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut values: Vec<f64> = (0..SAMPLES).map(|_| rng.u32(0..5_000_000).into()).collect();
    (0..PAGES).map(|_| next_page(&mut rng, &mut values)).collect()
}

fn next_page(rng: &mut fastrand::Rng, values: &mut [f64]) -> String {
    let mut page = String::new();
    for (at, value) in values.iter_mut().enumerate() {
        let family = at / 16;
        if at % 16 == 0 {
            page += &format!("# HELP node_metric_{family}_total Something that happens.\n");
            page += &format!("# TYPE node_metric_{family}_total counter\n");
        }
        // Half stands still, a quarter counts, an eighth counts bytes, the rest goes up and down.
        match at % 8 {
            0..4 => {}
            4 | 5 => *value += f64::from(rng.u32(0..300)),
            6 => *value += f64::from(rng.u32(0..2_000_000)),
            _ => *value = f64::from(rng.u32(0..100_000)) / 100.0,
        }
        page += &format!("node_metric_{family}_total{{cpu=\"{}\",mode=\"user\"}} {value}\n", at % 16);
    }
    page
}

#[expect(clippy::print_stdout, reason = "a benchmark tells its user")]
fn print_sizes() {
    let mut pipeline = Pipeline::new();
    let records: Vec<_> = pages().iter().flat_map(|page| pipeline.records(page.as_bytes())).collect();
    let sizes: Vec<usize> = records.iter().map(Message::encoded_len).collect();
    let steady = sizes[1..].iter().sum::<usize>() as f64 / (sizes.len() - 1) as f64;
    println!("first record {} bytes, others {:.2} bytes a sample", sizes[0], steady / SAMPLES as f64);
}

#[divan::bench]
fn steady(bencher: Bencher<'_, '_>) {
    let pages = pages();
    let mut pipeline = Pipeline::new();
    pipeline.records(pages[0].as_bytes());
    let mut round = 0;
    bencher.counter(ItemsCount::new(SAMPLES)).bench_local(|| {
        round += 1;
        let records = pipeline.records(pages[round % PAGES].as_bytes());
        records[0].encode_to_vec()
    });
}

#[divan::bench]
fn parsed(bencher: Bencher<'_, '_>) {
    let pages = pages();
    let mut pipeline = Pipeline::new();
    let mut round = 0;
    bencher.counter(ItemsCount::new(SAMPLES)).bench_local(|| {
        round += 1;
        pipeline.forget_shape();
        let records = pipeline.records(pages[round % PAGES].as_bytes());
        records[0].encode_to_vec()
    });
}
