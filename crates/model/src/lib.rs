//! The words of the field as types.
//!
//! Everything that travels through Ringwood is made of these: label sets, samples and native histograms, matchers, points
//! and ranges in time, and the names of tenants, targets, shards and nodes.
//! No I/O, no serialisation: what crosses a wire or reaches a disk has a type of its own there.

mod compensated;
mod duration;
mod exemplar;
mod histogram;
mod id;
mod labels;
mod matcher;
mod metadata;
mod names;
mod number;
mod sample;
mod time;

pub use compensated::{CompensatedSum, add_compensated};
pub use duration::{ParseDurationError, format_duration, parse_duration};
pub use exemplar::Exemplar;
pub use histogram::{
    Bucket, CUSTOM_BUCKETS_SCHEMA, ClassicHistogram, ClassicHistogramError, CounterReset, EXPONENTIAL_SCHEMAS,
    Histogram, HistogramError, HistogramSum, IncompatibleSchemas, Merged, NanObservations, Quantile, Span,
};
pub use id::{BlockId, LayoutHash, NodeId, SLOT_COUNT, SeriesHash, ShardId, Slot, TargetId, TenantId};
pub use labels::{BUCKET_LABEL, Labels, LabelsBuilder, METRIC_NAME, PairText, QUANTILE_LABEL, prometheus_hash};
pub use matcher::{MatchOp, Matcher};
pub use metadata::{Metadata, MetricType};
pub use names::{NameScheme, is_legacy_label_name, is_legacy_metric_name};
pub use number::{
    format_float, format_float_digits, format_float_fixed, format_float_g, format_float_json, format_float_label,
    quote, quote_bytes,
};
pub use sample::{NORMAL_NAN, STALE_NAN, Sample, Value, is_stale};
pub use time::{TimeRange, Timestamp};
