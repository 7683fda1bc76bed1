//! Samples and their values.

use std::sync::Arc;

use crate::{Histogram, Timestamp};

/// The staleness marker: one particular NaN that says "the series ended here". Compare bits, never `is_nan`.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// The NaN that every NaN from outside becomes, so that none is taken for [`STALE_NAN`].
pub const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// Whether a value is the staleness marker.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

/// What a sample says: a number or a whole distribution.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number; possibly the staleness marker.
    Float(f64),
    /// A native histogram; one whose sum is [`STALE_NAN`] is a staleness marker.
    Histogram(Arc<Histogram>),
}

impl Value {
    /// Whether this is a staleness marker of either kind.
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Float(value) => is_stale(*value),
            Self::Histogram(histogram) => is_stale(histogram.sum),
        }
    }
}

/// A value at a time.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub timestamp: Timestamp,
    /// What.
    pub value: Value,
}
