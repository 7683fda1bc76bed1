//! The queries that dashboards ask, over two hours of samples in memory, 15 s apart.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use divan::{Bencher, black_box};
use engine::{Engine, EngineOptions, QueryRequest};
use model::Labels;
use promqltest::MemoryStorage;
use series::Samples;
use stdx::{Clock, CpuPool};
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

const SCRAPE_MS: i64 = 15_000;
const TWO_HOURS_MS: i64 = 7_200_000;
const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// A panel of an hour with a point every 15 s.
const HOUR: Range = Range { start: TWO_HOURS_MS - 3_600_000, end: TWO_HOURS_MS, step: SCRAPE_MS };
/// A panel of a week with a point every hour.
const WEEK: Range = Range { start: 3_600_000, end: WEEK_MS, step: 3_600_000 };

#[derive(Clone, Copy)]
struct Range {
    start: i64,
    end: i64,
    step: i64,
}

const QUERIES: [(&str, &str); 10] = [
    ("cpu", r#"sum by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))"#),
    ("network", "topk(5, sum by (instance) (rate(node_network_receive_bytes_total[5m])))"),
    ("latency", "histogram_quantile(0.99, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))"),
    ("memory", "1 - node_memory_MemAvailable_bytes / on (instance) node_memory_MemTotal_bytes"),
    ("names", r#"count by (__name__) ({__name__=~"node_.+"})"#),
    ("pods", "sum by (pod) (rate(container_cpu_usage_seconds_total[1m]))"),
    ("subquery", "max_over_time(sum(rate(node_network_receive_bytes_total[5m]))[1h:1m])"),
    ("average", "avg by (mode) (avg_over_time(node_cpu_seconds_total[5m]))"),
    ("maximum", "max without (cpu, mode) (max_over_time(node_cpu_seconds_total[10m]))"),
    (
        "errors",
        r#"sum(rate(http_request_duration_seconds_bucket{le="0.5"}[5m])) / sum(rate(http_request_duration_seconds_bucket{le="+Inf"}[5m]))"#,
    ),
];

static STORAGE: LazyLock<Arc<MemoryStorage>> = LazyLock::new(|| Arc::new(two_hours()));
static WEEK_STORAGE: LazyLock<Arc<MemoryStorage>> = LazyLock::new(|| {
    let mut storage = MemoryStorage::default();
    for instance in 0..50 {
        add(&mut storage, "load", &[("instance", instance)], instance, WEEK_MS);
    }
    Arc::new(storage)
});

fn two_hours() -> MemoryStorage {
    let mut storage = MemoryStorage::default();
    let mut seed = 0;
    let mut put = |name: &str, labels: &[(&str, i64)]| {
        seed += 1;
        add(&mut storage, name, labels, seed, TWO_HOURS_MS);
    };
    for instance in 0..100 {
        for cpu in 0..8 {
            for mode in 0..8 {
                put("node_cpu_seconds_total", &[("instance", instance), ("cpu", cpu), ("mode", mode)]);
            }
        }
        for device in 0..10 {
            put("node_network_receive_bytes_total", &[("instance", instance), ("device", device)]);
        }
        put("node_memory_MemAvailable_bytes", &[("instance", instance)]);
        put("node_memory_MemTotal_bytes", &[("instance", instance)]);
    }
    for pod in 0..10_000 {
        put("container_cpu_usage_seconds_total", &[("pod", pod)]);
    }
    for handler in 0..20 {
        for instance in 0..10 {
            for le in ["0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"] {
                let name = "http_request_duration_seconds_bucket";
                let (handler, instance) = (handler.to_string(), instance.to_string());
                let labels = [("__name__", name), ("handler", &handler), ("instance", &instance), ("le", le)];
                storage.add(Labels::from_pairs(labels), counter(handler.len() as i64, TWO_HOURS_MS));
            }
        }
    }
    storage
}

fn add(storage: &mut MemoryStorage, name: &str, labels: &[(&str, i64)], seed: i64, end: i64) {
    let values: Vec<String> = labels.iter().map(|(_, value)| value.to_string()).collect();
    let pairs = labels.iter().zip(&values).map(|((name, _), value)| (*name, value.as_str()));
    let labels = Labels::from_pairs(pairs.chain([("__name__", name)]));
    storage.add(labels, counter(seed, end));
}

/// A counter that starts again now and then.
fn counter(seed: i64, end: i64) -> Samples {
    let mut samples = Samples::new();
    let mut value = 0.0;
    for at in 0..=end / SCRAPE_MS {
        value = if (at + seed) % 400 == 0 { 0.0 } else { value + ((at * 7 + seed) % 13) as f64 };
        samples.float_times.push(at * SCRAPE_MS + seed % 1000);
        samples.floats.push(value);
    }
    samples
}

struct Bench {
    runtime: Runtime,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("start a runtime");
        let options = EngineOptions { timeout: Duration::from_secs(600), ..EngineOptions::default() };
        Self { runtime, engine: Engine::new(options, Clock::system(), CpuPool::inline()) }
    }

    fn ask(&self, query: &str, range: Range, storage: &Arc<MemoryStorage>) -> engine::Value {
        let request = QueryRequest::range(query, range.start, range.end, range.step);
        let query = self.engine.prepare(request).expect("the query makes sense");
        let result = self.runtime.block_on(self.engine.run(query, storage.clone()));
        result.expect("the query has an answer").value
    }
}

#[divan::bench(args = QUERIES.map(|(name, _)| name), sample_count = 10, sample_size = 1)]
fn hour(bencher: Bencher<'_, '_>, name: &str) {
    let (_, query) = QUERIES.iter().find(|(other, _)| *other == name).expect("there is such a query");
    let bench = Bench::new();
    LazyLock::force(&STORAGE);
    bencher.bench_local(|| black_box(bench.ask(query, HOUR, &STORAGE)));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn week(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    LazyLock::force(&WEEK_STORAGE);
    bencher.bench_local(|| black_box(bench.ask("avg(rate(load[1h]))", WEEK, &WEEK_STORAGE)));
}
