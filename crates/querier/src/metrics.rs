//! What a querier says about itself.

use telemetry::{Counter, Histogram, Registry, latency_histogram};

/// The metrics of a querier.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) failovers: Counter,
    pub(crate) failures: Counter,
    pub(crate) blocks: Counter,
    pub(crate) folds: Counter,
    pub(crate) declined_folds: Counter,
    pub(crate) header_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let counter = |name, help| registry.register(name, help, Counter::default());
        Self {
            failovers: counter("querier_failovers", "Times another replica was asked because one failed."),
            failures: counter("querier_shard_failures", "Questions to which no replica of a shard had an answer."),
            blocks: counter("querier_blocks", "Blocks that were read for queries."),
            folds: counter("querier_folds", "Aggregations that shards did."),
            declined_folds: counter(
                "querier_declined_folds",
                "Aggregations that a shard could not do, so that its series were read instead.",
            ),
            header_seconds: registry.register(
                "querier_shard_first_answer_seconds",
                "Time until a shard began to answer.",
                latency_histogram(),
            ),
        }
    }
}
