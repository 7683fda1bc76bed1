//! Numbers of histograms as floats: each by the bits in which it differs from the one before.

use model::{Histogram, is_stale};

use super::numbers;
use crate::DecodeError;
use crate::bits::{BitReader, BitWriter};
use crate::xor::XorValue;

/// Count, zero count, sum and buckets of the last histogram.
#[derive(Clone, Debug)]
pub(super) struct Floats {
    values: Vec<f64>,
    coded: Vec<XorValue>,
}

impl Floats {
    fn new(values: Vec<f64>) -> Self {
        Self { coded: values.iter().copied().map(XorValue::new).collect(), values }
    }

    pub(super) fn begin(out: &mut BitWriter, first: &Histogram) -> Self {
        let values: Vec<f64> = numbers(first).collect();
        values.iter().for_each(|value| out.write(value.to_bits(), 64));
        Self::new(values)
    }

    pub(super) fn push(&mut self, out: &mut BitWriter, histogram: &Histogram) {
        // A staleness marker has no buckets.
        for (previous, value) in self.coded.iter_mut().zip(numbers(histogram)) {
            previous.write(out, value);
        }
    }

    pub(super) fn read_first(bits: &mut BitReader<'_>, buckets: usize) -> Result<Self, DecodeError> {
        if buckets > bits.left() / 64 {
            return Err(DecodeError::Corrupt("spans have more buckets than there are"));
        }
        let values: Result<_, _> = (0..3 + buckets).map(|_| bits.read(64).map(f64::from_bits)).collect();
        Ok(Self::new(values?))
    }

    pub(super) fn read_next(&mut self, bits: &mut BitReader<'_>) -> Result<(), DecodeError> {
        for at in 0..self.values.len() {
            // What a staleness marker leaves out is not there.
            if at == 3 && is_stale(self.values[2]) {
                break;
            }
            self.values[at] = self.coded[at].read(bits)?;
        }
        Ok(())
    }

    pub(super) fn values(&self) -> Vec<f64> {
        self.values.clone()
    }
}
