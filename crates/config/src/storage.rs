//! How samples are kept.

use std::time::Duration;

use model::quote;
use yaml::{At, Text, record};

use crate::values::Bytes;

record! {
    /// How samples are kept.
    pub struct Storage: "config.StorageConfig" {
        /// Samples.
        pub tsdb: Option<Tsdb>,
        /// Exemplars.
        pub exemplars: Option<Exemplars>,
    }
}

record! {
    /// How samples are kept.
    pub struct Tsdb: plain "config.TSDBConfig", check = complete {
        /// The next setting again in milliseconds: Prometheus writes it, so it is also read.
        out_of_order_time_window_ms as "outofordertimewindow": i64 => always,
        /// How late a sample may come.
        pub out_of_order_time_window: Duration,
        /// From which share of stale series on they are compacted early.
        pub stale_series_compaction_threshold: f64,
        /// How chunks are encoded.
        pub chunk_encoding: ChunkEncoding,
        /// How long samples are kept.
        pub retention: Option<Retention>,
    }
}

record! {
    /// How chunks are encoded.
    pub struct ChunkEncoding: "config.ChunkEncodingConfig" {
        /// Chunks of floats: `xor`, `xor2`, or empty for the default.
        pub floats: String,
    }
}

record! {
    /// How long samples are kept. What is reached first counts.
    pub struct Retention: plain "config.TSDBRetentionConfig", check = validate {
        /// How long; 0 for what the command line says.
        pub time: Duration,
        /// How many bytes; 0 for no limit.
        pub size: Bytes,
        /// Which share of the disk, in per cent; 0 for no limit.
        pub percentage: f64,
    }
}

record! {
    /// How exemplars are kept.
    pub struct Exemplars: "config.ExemplarsConfig" {
        /// How many.
        pub max_exemplars: i64,
    }
}

/// How many exemplars are kept if the configuration does not say.
const MAX_EXEMPLARS: u64 = 100_000;

impl Storage {
    /// How many exemplars are kept where their storage is on; 0: none.
    pub fn max_exemplars(&self) -> u64 {
        let written = self.exemplars.as_ref().map(|exemplars| u64::try_from(exemplars.max_exemplars).unwrap_or(0));
        written.unwrap_or(MAX_EXEMPLARS)
    }

    /// Fills in how many exemplars are kept, as is done where their storage is on.
    pub fn complete_exemplars(&mut self) {
        self.exemplars.get_or_insert(Exemplars { max_exemplars: MAX_EXEMPLARS as i64 });
    }

    /// Fills in what is there even if nothing was written.
    pub(crate) fn complete(&mut self) {
        self.tsdb.get_or_insert_with(|| Tsdb { retention: Some(Retention::default()), ..Tsdb::default() });
    }
}

impl Tsdb {
    fn complete(&mut self, at: &mut At<'_>) {
        self.out_of_order_time_window_ms = i64::try_from(self.out_of_order_time_window.as_millis()).unwrap_or(i64::MAX);
        if !matches!(self.chunk_encoding.floats.as_str(), "" | "xor" | "xor2") {
            let written = quote(&self.chunk_encoding.floats);
            let message = format!(
                "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got {written}"
            );
            at.in_key("chunk_encoding", |at| at.invalid_key("floats", message));
        }
        self.retention.get_or_insert_default();
    }
}

impl Retention {
    fn validate(&mut self, at: &mut At<'_>) {
        if self.size < Bytes(0) {
            let message = "'storage.tsdb.retention.size' must be greater than or equal to 0, got";
            at.invalid_key("size", format!("{message} {}", self.size.print()));
        }
        if !(0.0..=100.0).contains(&self.percentage) {
            let message = "'storage.tsdb.retention.percentage' must be in the range [0, 100], got";
            at.invalid_key("percentage", format!("{message} {}", model::format_float_g(self.percentage)));
        }
    }
}
