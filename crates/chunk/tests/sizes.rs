//! How many bytes samples take: `cargo test -p ringwood-chunk --test sizes -- --nocapture` prints them.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

#[path = "../benches/support/gorilla.rs"]
mod gorilla;
#[path = "../benches/support/latencies.rs"]
mod latencies;
#[path = "../benches/support/mix.rs"]
mod mix;
#[path = "../benches/support/page.rs"]
mod page;

use chunk::{floats, histograms, row, times};
use fastrand::Rng;

const LENGTHS: [usize; 3] = [32, 120, 480];

/// Bytes per sample of columns of `rows` values cut from series.
fn size(series: &[Vec<f64>], rows: usize, encode: impl Fn(&[f64]) -> Vec<u8>) -> f64 {
    let (mut bytes, mut samples) = (0, 0);
    for column in series.iter().flat_map(|series| series.chunks_exact(rows).take(8)) {
        bytes += encode(column).len();
        samples += rows;
    }
    bytes as f64 / samples as f64
}

fn ours(column: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    floats::encode(column, &mut bytes);
    let mut decoded = vec![0.0; column.len()];
    floats::decode(&bytes, &mut decoded).unwrap();
    assert!(column.iter().map(|value| value.to_bits()).eq(decoded.iter().map(|value| value.to_bits())));
    bytes
}

fn gorilla(column: &[f64]) -> Vec<u8> {
    let bytes = gorilla::encode(column);
    let mut decoded = vec![0.0; column.len()];
    gorilla::decode(&bytes, &mut decoded);
    assert_eq!(column, decoded);
    bytes
}

fn pco(column: &[f64]) -> Vec<u8> {
    pco::standalone::simple_compress(column, &pco::ChunkConfig::default()).unwrap()
}

#[test]
fn floats() {
    let classes = mix::classes();
    println!("bytes per sample     {}", LENGTHS.map(|rows| format!("{rows:>7}")).concat());
    for class in &classes {
        println!(
            "{:21}{}",
            class.name,
            LENGTHS.map(|rows| format!("{:7.3}", size(&class.series, rows, ours))).concat()
        );
    }
    let mix = |rows: usize, encode: fn(&[f64]) -> Vec<u8>| -> f64 {
        classes.iter().map(|class| class.weight * size(&class.series, rows, encode)).sum()
    };
    for (name, encode) in [("mix", ours as fn(&[f64]) -> Vec<u8>), ("mix, Gorilla", gorilla), ("mix, pco", pco)] {
        println!("{name:21}{}", LENGTHS.map(|rows| format!("{:7.3}", mix(rows, encode))).concat());
    }
    assert!(mix(32, ours) < 0.48);
    assert!(mix(120, ours) < 0.38);
    assert!(mix(480, ours) < 0.36);
}

#[test]
fn timestamps() {
    for jitter_ms in [0, 1, 3, 20] {
        let mut rng = Rng::with_seed(1);
        let mut bytes = Vec::new();
        let late: Vec<i64> = (0..120).map(|i| 15_000 * i + rng.i64(0..=jitter_ms)).collect();
        times::encode(&late, &mut bytes);
        let size = bytes.len() as f64 / 120.0;
        println!("timestamps late by up to {jitter_ms:2} ms: {size:.2} bytes each");
        assert!(size < 0.11 + f64::from(jitter_ms as i32 + 1).log2().ceil() / 8.0);
    }
}

#[test]
fn rows() {
    let mut page = page::Page::new(2);
    let scrapes: Vec<_> = (0..200).map(|_| page.scrape()).collect();
    for (age, limit) in [(0, 2.5), (1, 1.0), (12, 1.2), (60, 1.3)] {
        let (mut bytes, mut values) = (0, 0);
        for at in age..scrapes.len() {
            let reference = (age > 0).then(|| &scrapes[at - age][..]);
            let mut coded = Vec::new();
            row::encode(&scrapes[at], None, reference, &mut coded);
            let mut decoded = vec![0.0; scrapes[at].len()];
            row::decode(&coded, reference, &mut decoded).unwrap();
            assert_eq!(decoded, scrapes[at]);
            bytes += coded.len();
            values += decoded.len();
        }
        let size = bytes as f64 / values as f64;
        println!("rows against one {age:2} scrapes older (0: none): {size:.2} bytes per value");
        assert!(size < limit, "{size}");
    }
}

#[test]
fn native_histograms() {
    let column = latencies::scrapes(120);
    let mut bytes = Vec::new();
    histograms::encode(&column, &mut bytes).unwrap();
    let mut decoded = Vec::new();
    histograms::decode(&bytes, column.len(), &mut decoded).unwrap();
    assert_eq!(decoded, column);
    let size = bytes.len() as f64 / 120.0;
    println!("histograms of 24 buckets: {size:.1} bytes each");
    assert!(size < 16.0, "{size}");
}
