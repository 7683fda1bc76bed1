//! The metrics of one process, or of one node among many in a process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Metric;

/// A gauge of fractions, such as seconds.
pub type FloatGauge = Gauge<f64, AtomicU64>;

/// A cheap handle on a set of metrics.
#[derive(Clone)]
pub struct Registry(Arc<Mutex<prometheus_client::registry::Registry>>);

impl Registry {
    /// An empty set, whose metrics' names will begin with `ringwood_`.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(prometheus_client::registry::Registry::with_prefix("ringwood"))))
    }

    /// Adds a metric and returns it. Counters are named without `_total`, which is added when they are written.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        self.0.lock().register(name, help.trim_end_matches('.'), metric.clone());
        metric
    }

    /// Adds something that makes up its metrics when they are read.
    pub fn register_collector(&self, collector: impl Collector + 'static) {
        self.0.lock().register_collector(Box::new(collector));
    }

    /// Every metric in the OpenMetrics text format, with its `# EOF`.
    ///
    /// # Errors
    /// If a metric fails to write itself, which would be a bug in that metric.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0.lock())?;
        Ok(text)
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
