//! What reading a page costs per sample: by the full parser, and by a reader that knows the page's shape.
//!
//! `fleet` is 200 pages of 58 KB like those of node_exporter, all different and none in the cache; the others are recorded
//! pages of `shared/corpus`, if they are there.

use std::fmt::Write;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use exposition::{Format, Item, Options, PageReader, Parser, Shape};

fn main() {
    divan::main();
}

const PAGES: [&str; 5] = [
    "fleet",
    "node_exporter-e2e.prom",
    "k8s-1.35-kubelet-cadvisor.prom",
    "prometheus-alltypes.237mfs.prom.txt",
    "prometheus-alltypes.5mfs.om.txt",
];

#[divan::bench(args = PAGES)]
fn full_parse(bencher: Bencher, name: &str) {
    run(bencher, name, |page, _| {
        let mut parser = Parser::new(page, format(name), Options::default());
        let mut samples = 0;
        while let Some(item) = parser.next().expect("the pages are fine") {
            samples += usize::from(matches!(item, Item::Sample(_)));
        }
        samples
    });
}

#[divan::bench(args = PAGES)]
fn full_parse_with_labels(bencher: Bencher, name: &str) {
    run(bencher, name, |page, _| {
        let mut parser = Parser::new(page, format(name), Options::default());
        let mut bytes = 0;
        while let Some(item) = parser.next().expect("the pages are fine") {
            if let Item::Sample(sample) = item {
                bytes += sample.series.labels().size_bytes();
            }
        }
        bytes
    });
}

#[divan::bench(args = PAGES)]
fn known_shape(bencher: Bencher, name: &str) {
    let mut reader = PageReader::new(7);
    run(bencher, name, |page, shape| reader.read(page, shape).expect("the page has its own shape").values().len());
}

fn format(name: &str) -> Format {
    if name.contains(".om.") { Format::OpenMetrics } else { Format::Text }
}

/// Measures `read` over all pages of a name.
fn run(bencher: Bencher, name: &str, mut read: impl FnMut(&[u8], &Shape) -> usize) {
    let pages = pages(name);
    let mut reader = PageReader::new(7);
    let shape = |page: &Vec<u8>| {
        let shape = reader.shape(page, format(name), Options::default());
        shape.expect("the pages are fine").expect("the pages are simple")
    };
    let shapes: Vec<_> = pages.iter().map(shape).collect();
    let samples: usize = shapes.iter().map(Shape::sample_count).sum();
    let bytes: usize = pages.iter().map(Vec::len).sum();
    bencher
        .counter(ItemsCount::new(samples))
        .counter(BytesCount::new(bytes))
        .bench_local(|| pages.iter().zip(&shapes).map(|(page, shape)| read(page, shape)).sum::<usize>());
}

fn pages(name: &str) -> Vec<Vec<u8>> {
    if name == "fleet" {
        return (0..200).map(node_page).collect();
    }
    let paths = testkit::shared_files("corpus/expositions", name);
    paths.iter().map(|path| std::fs::read(path).expect("the file was there a moment ago")).collect()
}

/// A page like that of a node_exporter: 245 families and 501 samples in about 59 KB.
fn node_page(target: u64) -> Vec<u8> {
    let mut page = String::new();
    let mut state = target;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for family in 0..245 {
        let name = format!("node_part{family}_some_quantity_total");
        let written = write!(page, "# HELP {name} Some quantity, as the kernel has it.\n# TYPE {name} counter\n");
        written.expect("a string takes everything");
        for series in 0..2 + u64::from(family % 24 == 0) {
            // The mix of lengths is that of recorded pages: half of the values have one digit, a fifth more than seven.
            let value = match random() % 20 {
                0..11 => (random() % 10) as f64,
                11..15 => (random() % 100_000) as f64,
                15 => (random() % 1_000_000) as f64 / 100.0,
                16..19 => (random() % 1_000_000_000) as f64 * 4096.0,
                _ => (random() % 100_000_000) as f64 / 1e9,
            };
            let value = model::format_float_g(value);
            let written = if family % 3 == 0 {
                writeln!(page, "{name}_{series} {value}")
            } else {
                writeln!(page, "{name}{{device=\"eth{series}\",mode=\"idle\"}} {value}")
            };
            written.expect("a string takes everything");
        }
    }
    page.into_bytes()
}
