//! What an ingester says about itself.

use telemetry::{Counter, FloatGauge, Gauge, Histogram, Registry, latency_histogram};

/// The metrics of an ingester.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) entries: Counter,
    pub(crate) entry_bytes: Counter,
    pub(crate) stored_samples: Counter,
    pub(crate) refused_samples: Counter,
    pub(crate) append_seconds: Histogram,
    pub(crate) select_seconds: Histogram,
    pub(crate) shards: Gauge,
    pub(crate) leaderships: Gauge,
    pub(crate) leaderless_shards: Gauge,
    pub(crate) follower_lag_entries: Gauge,
    pub(crate) series: Gauge,
    pub(crate) memory_bytes: Gauge,
    pub(crate) memory_limit_bytes: Gauge,
    pub(crate) cuts: Counter,
    pub(crate) shipped_blocks: Counter,
    pub(crate) shipped_bytes: Counter,
    pub(crate) ship_failures: Counter,
    pub(crate) unshipped_cuts: Gauge,
    pub(crate) snapshots: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) receiving_limit: Gauge,
    pub(crate) clock_ahead_seconds: FloatGauge,
    pub(crate) damaged_shards: Gauge,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let counter = |name, help| registry.register(name, help, Counter::default());
        let gauge = |name, help| registry.register(name, help, Gauge::default());
        let latency = |name, help| registry.register(name, help, latency_histogram());
        Self {
            entries: counter("ingester_entries", "Entries proposed as a leader."),
            entry_bytes: counter("ingester_entry_bytes", "Bytes of entries proposed as a leader."),
            stored_samples: counter("ingester_stored_samples", "Samples that were committed as a leader."),
            refused_samples: counter(
                "ingester_refused_samples",
                "Samples that were left out of committed entries: out of order, too old, doubled or of refused series.",
            ),
            append_seconds: latency(
                "ingester_append_duration_seconds",
                "Time from the receipt of records to their commit.",
            ),
            select_seconds: latency("ingester_select_duration_seconds", "Time to read the series of one shard."),
            shards: gauge("ingester_shards", "Shards with a replica here."),
            leaderships: gauge("ingester_leaderships", "Shards that this node leads."),
            leaderless_shards: gauge(
                "ingester_leaderless_shards",
                "Shards with a replica here that knows no leader, meta's among them.",
            ),
            follower_lag_entries: gauge(
                "ingester_follower_lag_entries",
                "Committed entries that the slowest follower lacks of a shard that this node leads.",
            ),
            series: gauge("ingester_series", "Series in memory, over all shards."),
            memory_bytes: gauge("ingester_head_memory_bytes", "Bytes that the heads take in memory."),
            memory_limit_bytes: gauge(
                "ingester_head_memory_limit_bytes",
                "Bytes that the heads may take before new series are refused.",
            ),
            cuts: counter("ingester_cuts", "Cuts proposed as a leader."),
            shipped_blocks: counter("ingester_shipped_blocks", "Blocks brought to the bucket."),
            shipped_bytes: counter("ingester_shipped_bytes", "Bytes of blocks brought to the bucket."),
            ship_failures: counter("ingester_ship_failures", "Tries to ship a cut that failed."),
            unshipped_cuts: gauge("ingester_unshipped_cuts", "Cuts that are not in the bucket yet."),
            received_bytes: counter("ingester_received_copy_bytes", "Bytes of copies of shards taken in."),
            receiving_limit: gauge(
                "ingester_copy_limit_bytes_per_second",
                "Bytes per second of copies of shards that are let in; 0: any.",
            ),
            snapshots: counter("ingester_snapshots", "Snapshots taken."),
            clock_ahead_seconds: registry.register(
                "ingester_clock_ahead_seconds",
                "By how much the wall clock of this node is ahead of the cluster's time.",
                FloatGauge::default(),
            ),
            damaged_shards: gauge("ingester_damaged_shards", "Shards whose data on this disk are damaged."),
        }
    }
}
