//! Native histograms.
//!
//! What is done with them here is done as in Prometheus, to the last bit where rounding is concerned: queries over
//! histograms are to have the answers that Prometheus gives.

mod arithmetic;
mod bound;
mod bucket;
mod classic;
mod compact;
mod custom;
mod equality;
mod fraction;
mod layout;
mod quantile;
mod reset;
mod sum;
mod text;
mod trim;
mod validate;
mod zero_bucket;

pub use arithmetic::{IncompatibleSchemas, Merged};
pub use bound::EXPONENTIAL_SCHEMAS;
pub use bucket::Bucket;
pub use classic::{ClassicHistogram, ClassicHistogramError};
pub use quantile::{NanObservations, Quantile};
pub use sum::HistogramSum;
pub use validate::HistogramError;

use crate::{STALE_NAN, is_stale};

/// The schema that says "the bounds of the buckets are listed": a classic histogram in native form.
pub const CUSTOM_BUCKETS_SCHEMA: i8 = -53;

/// What is known about a reset between a histogram and the one before it in its series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CounterReset {
    /// Nothing: compare the two.
    #[default]
    Unknown,
    /// The counter started again.
    Reset,
    /// The counter went on.
    NotReset,
    /// It is a gauge: resets mean nothing.
    Gauge,
}

/// A run of consecutive populated buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets left out since the end of the span before; of the first span, the index of its first bucket.
    pub offset: i32,
    /// Buckets in the span.
    pub length: u32,
}

/// A distribution of observations over buckets.
///
/// Counts are absolute per bucket and floats, as queries see them; those of an integer histogram are whole numbers.
///
/// With a schema n of −4…8, bucket i of the positive side has the observations in `(2^((i−1)·2^−n), 2^(i·2^−n)]`, and the
/// negative side is its mirror. With [`CUSTOM_BUCKETS_SCHEMA`], `custom_values` are the ascending upper bounds, bucket 0
/// starts at −Inf and the last one, above the last bound, ends at +Inf; there is no zero bucket and no negative side.
///
/// Operations expect what [`Histogram::validate`] accepts. They do not panic on anything else, but their results then mean
/// nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Resolution, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i8,
    /// What is known about a reset.
    pub counter_reset: CounterReset,
    /// The zero bucket has the observations in `[-zero_threshold, zero_threshold]`.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN ones included.
    pub count: f64,
    /// Sum of all observations. [`STALE_NAN`](crate::STALE_NAN) makes the whole histogram a staleness marker.
    pub sum: f64,
    /// Where the populated positive buckets are.
    pub positive_spans: Vec<Span>,
    /// Observations in each of them.
    pub positive_buckets: Vec<f64>,
    /// Where the populated negative buckets are.
    pub negative_spans: Vec<Span>,
    /// Observations in each of them.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds for [`CUSTOM_BUCKETS_SCHEMA`], without +Inf; else empty.
    pub custom_values: Vec<f64>,
}

impl Histogram {
    /// Whether the bounds of the buckets are listed, instead of given by the schema.
    pub fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// The staleness marker: the series ended here.
    pub fn stale() -> Self {
        Self {
            schema: 0,
            counter_reset: CounterReset::Unknown,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: 0.0,
            sum: STALE_NAN,
            positive_spans: Vec::new(),
            positive_buckets: Vec::new(),
            negative_spans: Vec::new(),
            negative_buckets: Vec::new(),
            custom_values: Vec::new(),
        }
    }

    /// Whether it is a staleness marker.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// How many bytes Prometheus says it takes, which counts when samples are counted.
    pub fn size_bytes(&self) -> usize {
        const FIXED: usize = 168;
        let elements = self.positive_spans.len()
            + self.positive_buckets.len()
            + self.negative_spans.len()
            + self.negative_buckets.len()
            + self.custom_values.len();
        FIXED + 8 * elements
    }
}
