//! What discovery counts.

use telemetry::{Counter, Family, Gauge, Histogram, Registry, latency_histogram};

type ByPool = [(&'static str, String); 2];
type ByMechanism = [(&'static str, &'static str); 1];

/// The metrics of all discoverers of a node.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) discovered_targets: Family<ByPool, Gauge>,
    pub(crate) failed_configs: Family<ByPool, Gauge>,
    pub(crate) updates: Counter,
    pub(crate) received_updates: Counter,
    refresh_failures: Family<ByMechanism, Counter>,
    refresh_duration: Family<ByMechanism, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// The metrics, added to a registry.
    pub fn register(registry: &Registry) -> Self {
        let duration = Family::new_with_constructor(latency_histogram as fn() -> Histogram);
        Self {
            discovered_targets: registry.register(
                "sd_discovered_targets",
                "Targets that discovery found for each scrape configuration.",
                Family::default(),
            ),
            failed_configs: registry.register(
                "sd_failed_configs",
                "Mechanisms whose settings cannot be used.",
                Family::default(),
            ),
            updates: registry.register("sd_updates", "Lists of targets that went to scrape pools.", Counter::default()),
            received_updates: registry.register(
                "sd_received_updates",
                "Updates that came from mechanisms.",
                Counter::default(),
            ),
            refresh_failures: registry.register(
                "sd_refresh_failures",
                "Times that a mechanism asked for targets in vain.",
                Family::default(),
            ),
            refresh_duration: registry.register(
                "sd_refresh_duration_seconds",
                "How long mechanisms took to ask for targets.",
                duration,
            ),
        }
    }

    pub(crate) fn refreshed(&self, mechanism: &'static str, took: std::time::Duration) {
        self.refresh_duration.get_or_create(&[("mechanism", mechanism)]).observe(took.as_secs_f64());
    }

    pub(crate) fn refresh_failed(&self, mechanism: &'static str) {
        self.refresh_failures.get_or_create(&[("mechanism", mechanism)]).inc();
    }
}

/// The labels of metrics about one scrape pool.
pub(crate) fn pool_labels(pool: &str) -> ByPool {
    [("name", "scrape".to_owned()), ("config", pool.to_owned())]
}
