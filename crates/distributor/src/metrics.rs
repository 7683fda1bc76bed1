//! What a distributor says about itself.

use proto::entry::Outcome;
use telemetry::{Counter, Family, Gauge, Histogram, Registry, latency_histogram};

use crate::batch::{Batch, Dropped, Waiting};

/// One label, with values from a small set.
type Label = [(&'static str, &'static str); 1];

/// The metrics of a distributor.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    records: Family<Label, Counter>,
    dropped_records: Family<Label, Counter>,
    dropped_samples: Family<Label, Counter>,
    dropped_bytes: Family<Label, Counter>,
    retries: Family<Label, Counter>,
    pub(crate) buffer_bytes: Gauge,
    pub(crate) buffer_records: Gauge,
    pub(crate) append_duration: Histogram,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry, buffer_capacity: u64) -> Self {
        let capacity: Gauge = Gauge::default();
        capacity.set(i64::try_from(buffer_capacity).unwrap_or(i64::MAX));
        registry.register("distributor_buffer_capacity_bytes", "How much may be held in all", capacity);
        Self {
            records: registry.register(
                "distributor_records",
                "Records that their shards answered, by what became of them",
                Family::default(),
            ),
            dropped_records: registry.register(
                "distributor_dropped_records",
                "Records that were given up, by reason",
                Family::default(),
            ),
            dropped_samples: registry.register(
                "distributor_dropped_samples",
                "Samples of records that were given up, by reason",
                Family::default(),
            ),
            dropped_bytes: registry.register(
                "distributor_dropped_bytes",
                "Bytes of records that were given up, by reason",
                Family::default(),
            ),
            retries: registry.register(
                "distributor_retries",
                "Batches that had to be sent again, by reason",
                Family::default(),
            ),
            buffer_bytes: registry.register(
                "distributor_buffer_bytes",
                "What records that are waiting or on their way take in memory, about",
                Gauge::default(),
            ),
            buffer_records: registry.register(
                "distributor_buffer_records",
                "Records that are waiting or on their way",
                Gauge::default(),
            ),
            append_duration: registry.register(
                "distributor_append_duration_seconds",
                "Time from the first try to send a batch to its answer",
                latency_histogram(),
            ),
        }
    }

    pub(crate) fn count_outcome(&self, outcome: Outcome) {
        let word = match outcome {
            Outcome::Stored => "stored",
            Outcome::Duplicate => "duplicate",
            Outcome::TooOld => "too_old",
            Outcome::TooNew => "too_new",
            Outcome::UnknownLayout => "unknown_layout",
            Outcome::UnknownReference => "unknown_reference",
            Outcome::Malformed => "malformed",
            Outcome::Superseded => "superseded",
            Outcome::Moved => "moved",
            Outcome::Split => "split",
        };
        self.records.get_or_create(&[("outcome", word)]).inc();
    }

    pub(crate) fn count_dropped(&self, waiting: &Waiting, dropped: Dropped) {
        let reason = [("reason", dropped.reason())];
        self.dropped_records.get_or_create(&reason).inc();
        self.dropped_samples.get_or_create(&reason).inc_by(waiting.samples.into());
        self.dropped_bytes.get_or_create(&reason).inc_by(waiting.bytes as u64);
    }

    pub(crate) fn count_retry(&self, reason: &'static str) {
        self.retries.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn count_in(&self, waiting: &Waiting) {
        self.buffer_bytes.inc_by(waiting.held_bytes() as i64);
        self.buffer_records.inc();
    }

    pub(crate) fn count_out(&self, bytes: usize, records: usize) {
        self.buffer_bytes.dec_by(bytes as i64);
        self.buffer_records.dec_by(records as i64);
    }

    pub(crate) fn count_batch_out(&self, batch: &Batch) {
        self.count_out(batch.held_bytes(), batch.records.len());
    }
}
