//! What the samples of a chunk can be.

use model::{Histogram, STALE_NAN, is_stale};

use crate::{DecodeError, Kind, floats, histograms};

/// A number or a native histogram: what a chunk is made of.
pub trait Value: Clone + sealed::Value {}

impl Value for f64 {}
impl Value for Histogram {}

pub(crate) mod sealed {
    use super::*;

    /// What a chunk needs of its values. Sealed, since every kind of value is part of the format.
    pub trait Value: Sized {
        const KIND: Kind;

        /// The value that is a staleness marker.
        fn marker() -> Self;

        fn is_marker(&self) -> bool;

        /// Appends a column of `count` values, and returns the bytes after it.
        fn decode<'a>(bytes: &'a [u8], count: usize, out: &mut Vec<Self>) -> Result<&'a [u8], DecodeError>;
    }

    impl Value for f64 {
        const KIND: Kind = Kind::Floats;

        fn marker() -> Self {
            STALE_NAN
        }

        fn is_marker(&self) -> bool {
            is_stale(*self)
        }

        fn decode<'a>(bytes: &'a [u8], count: usize, out: &mut Vec<Self>) -> Result<&'a [u8], DecodeError> {
            let start = out.len();
            out.resize(start + count, 0.0);
            floats::decode(bytes, &mut out[start..])
        }
    }

    impl Value for Histogram {
        const KIND: Kind = Kind::Histograms;

        fn marker() -> Self {
            Self::stale()
        }

        fn is_marker(&self) -> bool {
            is_stale(self.sum)
        }

        fn decode<'a>(bytes: &'a [u8], count: usize, out: &mut Vec<Self>) -> Result<&'a [u8], DecodeError> {
            histograms::decode(bytes, count, out)
        }
    }
}
