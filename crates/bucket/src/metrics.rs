//! What the crate says about itself.

use std::time::Duration;

use telemetry::{Counter, Family, Gauge, Histogram, Registry, latency_histogram};

use crate::{ErrorKind, Operation};

type OperationLabel = [(&'static str, &'static str); 1];
type ErrorLabels = [(&'static str, &'static str); 2];

/// Metrics of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    durations: Family<OperationLabel, Histogram, fn() -> Histogram>,
    errors: Family<ErrorLabels, Counter>,
    read_bytes: Counter,
    written_bytes: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        let durations = Family::new_with_constructor(latency_histogram as fn() -> Histogram);
        let name = "bucket_request_duration_seconds";
        let help = "Time that tries of operations in object storage took, by operation.";
        let durations = registry.register(name, help, durations);
        let help = "Tries of operations in object storage that failed, by operation and kind.";
        let errors = registry.register("bucket_errors", help, Family::default());
        let read_bytes = registry.register("bucket_read_bytes", "Bytes read from object storage.", Counter::default());
        let written_bytes =
            registry.register("bucket_written_bytes", "Bytes written to object storage.", Counter::default());
        Self { durations, errors, read_bytes, written_bytes }
    }

    pub(crate) fn tried(&self, operation: Operation, took: Duration) {
        self.durations.get_or_create(&[("operation", operation.as_str())]).observe(took.as_secs_f64());
    }

    pub(crate) fn failed(&self, operation: Operation, kind: ErrorKind) {
        self.errors.get_or_create(&[("operation", operation.as_str()), ("kind", kind.as_str())]).inc();
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.read_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn written(&self, bytes: usize) {
        self.written_bytes.inc_by(bytes as u64);
    }
}

/// Metrics of a cache of pages.
#[derive(Clone, Debug)]
pub(crate) struct CacheMetrics {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) bytes: Gauge,
}

impl CacheMetrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        Self {
            hits: registry.register("bucket_cache_hits", "Pages that were in the cache.", Counter::default()),
            misses: registry.register("bucket_cache_misses", "Pages that were not in the cache.", Counter::default()),
            bytes: registry.register("bucket_cache_bytes", "Bytes of pages in the cache.", Gauge::default()),
        }
    }
}
