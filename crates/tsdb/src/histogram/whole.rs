//! Numbers of histograms as integers: buckets by their distance from the bucket before, everything by the change of its
//! distance from the histogram before. The sum is a float all the same.

use model::{Histogram, is_stale};

use super::numbers;
use crate::DecodeError;
use crate::bits::{BitReader, BitWriter};
use crate::varbit::{read_int, read_uint, write_int, write_uint};
use crate::xor::XorValue;

/// Above it not every integer is a float.
const MOST: f64 = (1u64 << 53) as f64;

/// The numbers of the last histogram.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    count: Integer,
    zero_count: Integer,
    sum: f64,
    coded_sum: XorValue,
    /// Distances, the positive side first.
    buckets: Vec<Integer>,
    /// How many buckets are positive.
    positive: usize,
}

/// A number, and how far it was from the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Integer {
    value: i64,
    distance: i64,
}

impl Integer {
    fn new(value: i64) -> Self {
        Self { value, distance: 0 }
    }

    fn write(&mut self, out: &mut BitWriter, value: i64) {
        let distance = value.wrapping_sub(self.value);
        write_int(out, distance.wrapping_sub(self.distance));
        *self = Self { value, distance };
    }

    fn read(&mut self, bits: &mut BitReader<'_>) -> Result<(), DecodeError> {
        self.distance = self.distance.wrapping_add(read_int(bits)?);
        self.value = self.value.wrapping_add(self.distance);
        Ok(())
    }
}

/// Whether all numbers of a histogram, except for its sum, are integers from 0 to 2^53: Prometheus then writes it as a
/// histogram of integers. A staleness marker always is one.
pub fn is_whole(histogram: &Histogram) -> bool {
    // Not minus zero: it would not come back.
    let is_whole = |value: f64| (0.0..=MOST).contains(&value) && (value as u64 as f64).to_bits() == value.to_bits();
    histogram.is_stale() || numbers(histogram).enumerate().all(|(at, value)| at == 2 || is_whole(value))
}

/// The buckets as distances.
fn distances(histogram: &Histogram) -> impl Iterator<Item = i64> {
    [&histogram.positive_buckets, &histogram.negative_buckets].into_iter().flat_map(|side| {
        let mut previous = 0;
        side.iter().map(move |count| {
            let count = *count as i64;
            count - std::mem::replace(&mut previous, count)
        })
    })
}

impl Whole {
    /// `first` is whole, see [`is_whole`].
    pub(super) fn begin(out: &mut BitWriter, first: &Histogram) -> Self {
        write_uint(out, first.count as u64);
        write_uint(out, first.zero_count as u64);
        out.write(first.sum.to_bits(), 64);
        let buckets: Vec<Integer> = distances(first).map(Integer::new).collect();
        buckets.iter().for_each(|bucket| write_int(out, bucket.value));
        Self {
            count: Integer::new(first.count as i64),
            zero_count: Integer::new(first.zero_count as i64),
            sum: first.sum,
            coded_sum: XorValue::new(first.sum),
            buckets,
            positive: first.positive_buckets.len(),
        }
    }

    pub(super) fn push(&mut self, out: &mut BitWriter, histogram: &Histogram) {
        if histogram.is_stale() {
            // Counts that change as they did before. Nobody reads them.
            write_int(out, 0);
            write_int(out, 0);
        } else {
            self.count.write(out, histogram.count as i64);
            self.zero_count.write(out, histogram.zero_count as i64);
        }
        self.coded_sum.write(out, histogram.sum);
        // A staleness marker has no buckets.
        for (bucket, distance) in self.buckets.iter_mut().zip(distances(histogram)) {
            bucket.write(out, distance);
        }
    }

    pub(super) fn read_first(bits: &mut BitReader<'_>, positive: usize, negative: usize) -> Result<Self, DecodeError> {
        if positive + negative > bits.left() {
            return Err(DecodeError::Corrupt("spans have more buckets than there are"));
        }
        let (count, zero_count) = (Integer::new(read_uint(bits)? as i64), Integer::new(read_uint(bits)? as i64));
        let sum = f64::from_bits(bits.read(64)?);
        let buckets: Result<_, _> = (0..positive + negative).map(|_| read_int(bits).map(Integer::new)).collect();
        Ok(Self { count, zero_count, sum, coded_sum: XorValue::new(sum), buckets: buckets?, positive })
    }

    pub(super) fn read_next(&mut self, bits: &mut BitReader<'_>) -> Result<(), DecodeError> {
        self.count.read(bits)?;
        self.zero_count.read(bits)?;
        self.sum = self.coded_sum.read(bits)?;
        if is_stale(self.sum) {
            return Ok(());
        }
        self.buckets.iter_mut().try_for_each(|bucket| bucket.read(bits))
    }

    pub(super) fn values(&self) -> Vec<f64> {
        let mut values = vec![self.count.value as u64 as f64, self.zero_count.value as u64 as f64, self.sum];
        let (positive, negative) = self.buckets.split_at(self.positive);
        for side in [positive, negative] {
            let mut count = 0i64;
            values.extend(side.iter().map(|distance| {
                count = count.wrapping_add(distance.value);
                count as f64
            }));
        }
        values
    }
}
