//! The metrics of one process, or of one node among many in a process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Metric;

/// A gauge of fractions, such as seconds.
pub type FloatGauge = Gauge<f64, AtomicU64>;

/// A cheap handle on a set of metrics.
#[derive(Clone)]
pub struct Registry(Arc<Mutex<Sets>>);

struct Sets {
    /// Their names begin with `ringwood_`.
    own: prometheus_client::registry::Registry,
    /// Whose names are the same everywhere.
    common: prometheus_client::registry::Registry,
}

impl Registry {
    /// An empty set, whose metrics' names will begin with `ringwood_`.
    pub fn new() -> Self {
        let own = prometheus_client::registry::Registry::with_prefix("ringwood");
        Self(Arc::new(Mutex::new(Sets { own, common: prometheus_client::registry::Registry::default() })))
    }

    /// Adds a metric and returns it. Counters are named without `_total`, which is added when they are written.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        self.0.lock().own.register(name, help.trim_end_matches('.'), metric.clone());
        metric
    }

    /// Adds something that makes up its metrics when they are read.
    pub fn register_collector(&self, collector: impl Collector + 'static) {
        self.0.lock().own.register_collector(Box::new(collector));
    }

    /// Adds a gauge for each of some things, `name{label="thing"}`, which is measured when it is read.
    pub fn register_measured(
        &self,
        (name, help, label): (&'static str, &'static str, &'static str),
        measure: impl Fn() -> Vec<(&'static str, f64)> + Send + Sync + 'static,
    ) {
        self.register_collector(Measured { name, help: help.trim_end_matches('.'), label, measure: Box::new(measure) });
    }

    /// Adds the `process_*` metrics: processor time, memory, files, start. Only Linux tells them; elsewhere nothing is added.
    ///
    /// They are of the whole process: when several nodes live in one, only one of them should say this.
    pub fn register_process(&self) {
        #[cfg(target_os = "linux")]
        self.0.lock().common.register_collector(Box::new(crate::process::ProcessCollector));
    }

    /// Every metric in the OpenMetrics text format, with its `# EOF`.
    ///
    /// # Errors
    /// If a metric fails to write itself, which would be a bug in that metric.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        let sets = self.0.lock();
        encode_registry(&mut page, &sets.common)?;
        encode_registry(&mut page, &sets.own)?;
        encode_eof(&mut page)?;
        Ok(page)
    }
}

/// Gauges that are measured when they are read.
struct Measured {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    measure: Box<dyn Fn() -> Vec<(&'static str, f64)> + Send + Sync>,
}

impl Collector for Measured {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        let kind = prometheus_client::metrics::MetricType::Gauge;
        let mut family = page.encode_descriptor(self.name, &format!("{}.", self.help), None, kind)?;
        for (thing, value) in (self.measure)() {
            ConstGauge::new(value).encode(family.encode_family(&[(self.label, thing)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Measured({})", self.name)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

/// A histogram of durations in seconds: from 0.25 ms, each bucket twice as wide as the last, up to about 16 s.
pub fn latency_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 17))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_measured_anew() {
        let registry = Registry::new();
        let depth = Arc::new(AtomicU64::new(3));
        let measured = depth.clone();
        let now = move || measured.load(std::sync::atomic::Ordering::Relaxed) as f64;
        registry.register_measured(("queue_depth", "What waits.", "queue"), move || vec![("a", now()), ("b", 1.0)]);
        let page = registry.encode().unwrap();
        assert!(
            page.contains("# HELP ringwood_queue_depth What waits.\n# TYPE ringwood_queue_depth gauge\n"),
            "{page}"
        );
        assert!(
            page.contains("ringwood_queue_depth{queue=\"a\"} 3.0\nringwood_queue_depth{queue=\"b\"} 1.0\n"),
            "{page}"
        );
        depth.store(4, std::sync::atomic::Ordering::Relaxed);
        assert!(registry.encode().unwrap().contains("ringwood_queue_depth{queue=\"a\"} 4.0\n"));
    }

    #[test]
    fn a_process_says_what_it_takes() {
        let registry = Registry::new();
        registry.register_process();
        registry.register("asked", "Questions.", prometheus_client::metrics::counter::Counter::<u64>::default()).inc();
        let page = registry.encode().unwrap();
        let value = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is not in {page}")).parse().unwrap()
        };
        assert_eq!(value("ringwood_asked_total"), 1.0);
        if cfg!(target_os = "linux") {
            assert!(value("process_cpu_seconds_total") >= 0.0);
            assert!(value("process_resident_memory_bytes") > 100e3);
            assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
            assert!((3.0..=value("process_max_fds")).contains(&value("process_open_fds")));
            assert!(value("process_start_time_seconds") > 1.6e9);
        }
        assert!(page.ends_with("# EOF\n"));
    }
}
