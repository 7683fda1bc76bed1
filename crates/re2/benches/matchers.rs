//! What a matcher costs per label value.

use divan::{Bencher, black_box};
use re2::Regex;

fn main() {
    divan::main();
}

const PATTERNS: [&str; 9] = [
    "node_cpu_seconds_total",
    "GET|HEAD|POST|PUT|DELETE",
    "node_.*",
    ".*_total",
    ".*cpu.*",
    ".+",
    "node_(cpu|memory|disk)_.*",
    "(?i)node_cpu.*",
    "node_[a-z]+_(seconds|bytes)_total",
];

const VALUES: [&str; 8] = [
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "go_gc_duration_seconds",
    "GET",
    "prometheus_http_request_duration_seconds_bucket",
    "node_disk_written_bytes_total",
    "10.0.12.7:9100",
    "",
];

#[divan::bench(args = PATTERNS)]
fn is_match(bencher: Bencher, pattern: &str) {
    let regex = Regex::anchored(pattern).expect("the patterns are fine");
    bencher
        .counter(divan::counter::ItemsCount::new(VALUES.len()))
        .bench_local(|| VALUES.iter().filter(|value| regex.is_match(black_box(value))).count());
}

#[divan::bench(args = PATTERNS)]
fn compile(bencher: Bencher, pattern: &str) {
    bencher.bench_local(|| Regex::anchored(black_box(pattern)));
}
