//! What the API counts.

use std::time::Duration;

use telemetry::{Counter, Family, Gauge, Histogram, Registry, latency_histogram};

/// What the API counts. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Family<[(&'static str, String); 2], Counter>,
    durations: Family<[(&'static str, String); 1], Histogram>,
    /// Queries that are evaluated.
    pub(crate) queries_running: Gauge,
    /// Queries that wait for their turn.
    pub(crate) queries_waiting: Gauge,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        let requests = Family::default();
        let durations = Family::new_with_constructor(latency_histogram as fn() -> Histogram);
        Self {
            requests: registry.register("api_requests", "Answered requests.", requests),
            durations: registry.register(
                "api_request_duration_seconds",
                "Time from the head of a request to the head of its answer.",
                durations,
            ),
            queries_running: registry.register("api_queries_running", "Evaluated queries.", Gauge::default()),
            queries_waiting: registry.register("api_queries_waiting", "Waiting queries.", Gauge::default()),
        }
    }

    /// Counts an answered request. `handler` is the pattern of the path, of which there are few.
    pub(crate) fn answered(&self, handler: &str, code: u16, took: Duration) {
        let labels = [("handler", handler.to_owned()), ("code", code.to_string())];
        self.requests.get_or_create(&labels).inc();
        let [handler, _] = labels;
        self.durations.get_or_create(&[handler]).observe(took.as_secs_f64());
    }
}

/// One more, as long as it lives.
#[derive(Debug)]
pub(crate) struct OneMore(Gauge);

impl OneMore {
    pub(crate) fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.dec();
    }
}
