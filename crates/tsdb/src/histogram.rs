//! Native histograms: a layout that all share, then times by the change of their distance, and numbers as [`floats`] or
//! [`whole`] ones.
//!
//! ```text
//! u16 count, flags (the two highest bits: 10 reset before the first, 00 unknown, 11 gauge), layout
//! first   varbit time, count, zero count, sum, positive buckets, negative buckets
//! others  varbit change of the distance, changes of the numbers in the same order
//! ```
//!
//! A staleness marker has no buckets.

mod floats;
mod whole;

use std::sync::Arc;

use floats::Floats;
use model::{CounterReset, Histogram, Sample, Timestamp, Value};
use whole::Whole;
pub use whole::is_whole;

use crate::bits::{BitReader, BitWriter};
use crate::varbit::{read_int, write_int};
use crate::{DecodeError, Encoding, layout};

const RESET: u8 = 0b1000_0000;
const GAUGE: u8 = 0b1100_0000;
/// What no honest chunk comes near to: more buckets would be asked for by a few corrupt bytes.
const MOST_BUCKETS: usize = 1 << 16;

/// A chunk of histograms that grows.
#[derive(Clone, Debug)]
pub(crate) struct HistogramWriter {
    out: BitWriter,
    last: Arc<Histogram>,
    time: i64,
    distance: i64,
    numbers: Numbers,
    count: u16,
}

/// The numbers of the last histogram.
#[derive(Clone, Debug)]
enum Numbers {
    Floats(Floats),
    Whole(Whole),
}

impl HistogramWriter {
    /// A chunk that begins with a histogram. `follows_reset`: it is known to come after the start of its counter.
    pub(crate) fn new(time: i64, histogram: &Arc<Histogram>, follows_reset: bool) -> Self {
        let flags = match histogram.counter_reset {
            CounterReset::Gauge => GAUGE,
            _ if follows_reset => RESET,
            _ => 0,
        };
        let last = stored(histogram);
        let mut out = BitWriter::after(vec![flags]);
        layout::write(&mut out, &last);
        write_int(&mut out, time);
        let numbers = if is_whole(&last) {
            Numbers::Whole(Whole::begin(&mut out, &last))
        } else {
            Numbers::Floats(Floats::begin(&mut out, &last))
        };
        Self { out, last, time, distance: 0, numbers, count: 1 }
    }

    /// Whether a histogram is a reset of the counter that this chunk holds.
    pub(crate) fn is_reset(&self, histogram: &Histogram) -> bool {
        histogram.counter_reset == CounterReset::Reset
            || (!self.last.is_stale() && !histogram.is_stale() && histogram.is_reset_after(&self.last))
    }

    /// Whether a histogram that is no reset may be added: readers take all but the first for not reset.
    pub(crate) fn takes(&self, histogram: &Histogram) -> bool {
        let is_gauge = |histogram: &Histogram| histogram.counter_reset == CounterReset::Gauge;
        let last = &*self.last;
        let fits = last.schema == histogram.schema
            && last.zero_threshold == histogram.zero_threshold
            && last.positive_spans == histogram.positive_spans
            && last.negative_spans == histogram.negative_spans
            && last.custom_values == histogram.custom_values
            && is_gauge(last) == is_gauge(histogram)
            && (is_whole(histogram) || matches!(self.numbers, Numbers::Floats(_)));
        !last.is_stale() && (fits || histogram.is_stale())
    }

    pub(crate) fn push(&mut self, time: i64, histogram: &Arc<Histogram>) {
        let histogram = stored(histogram);
        let distance = time.wrapping_sub(self.time);
        write_int(&mut self.out, distance.wrapping_sub(self.distance));
        match &mut self.numbers {
            Numbers::Floats(floats) => floats.push(&mut self.out, &histogram),
            Numbers::Whole(whole) => whole.push(&mut self.out, &histogram),
        }
        (self.last, self.time, self.distance) = (histogram, time, distance);
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    pub(crate) fn encoding(&self) -> Encoding {
        match self.numbers {
            Numbers::Floats(_) => Encoding::FloatHistogram,
            Numbers::Whole(_) => Encoding::Histogram,
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.count.to_be_bytes().to_vec();
        bytes.extend(self.out.into_bytes());
        bytes
    }
}

/// A histogram as a chunk has it: a staleness marker is nothing but its sum.
fn stored(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    if histogram.is_stale() {
        return Arc::new(Histogram { sum: histogram.sum, ..Histogram::default() });
    }
    histogram.clone()
}

/// Count, zero count, sum, buckets.
fn numbers(histogram: &Histogram) -> impl Iterator<Item = f64> {
    let first = [histogram.count, histogram.zero_count, histogram.sum];
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    first.into_iter().chain(buckets.copied())
}

/// Decodes a chunk, of whole numbers or else of floats.
pub(crate) fn decode(bytes: &[u8], are_whole: bool) -> Result<Vec<Sample>, DecodeError> {
    let mut bits = BitReader::new(bytes);
    let count = bits.read(16)?;
    let flags = bits.read(8)? as u8;
    if count == 0 {
        return Ok(Vec::new());
    }
    let layout = layout::read(&mut bits)?;
    let buckets = |spans: &[model::Span]| {
        let buckets = spans.iter().fold(0usize, |sum, span| sum.saturating_add(span.length as usize));
        let too_many = DecodeError::Corrupt("spans have more buckets than there are");
        if buckets > MOST_BUCKETS { Err(too_many) } else { Ok(buckets) }
    };
    let (positive, negative) = (buckets(&layout.positive_spans)?, buckets(&layout.negative_spans)?);
    let (mut time, mut distance) = (read_int(&mut bits)?, 0i64);
    let mut numbers = if are_whole {
        Numbers::Whole(Whole::read_first(&mut bits, positive, negative)?)
    } else {
        Numbers::Floats(Floats::read_first(&mut bits, positive + negative)?)
    };
    let mut samples = Vec::new();
    for number in 0..count {
        if number > 0 {
            distance = read_int(&mut bits)?.wrapping_add(distance);
            time = distance.wrapping_add(time);
            numbers.read_next(&mut bits)?;
        }
        let histogram = histogram(&layout, &numbers.values(), positive, hint(flags, number));
        samples.push(Sample { timestamp: Timestamp(time), value: Value::Histogram(histogram.into()) });
    }
    Ok(samples)
}

impl Numbers {
    fn read_next(&mut self, bits: &mut BitReader<'_>) -> Result<(), DecodeError> {
        match self {
            Self::Floats(floats) => floats.read_next(bits),
            Self::Whole(whole) => whole.read_next(bits),
        }
    }

    /// Count, zero count, sum, buckets.
    fn values(&self) -> Vec<f64> {
        match self {
            Self::Floats(floats) => floats.values(),
            Self::Whole(whole) => whole.values(),
        }
    }
}

fn hint(flags: u8, number: u64) -> CounterReset {
    match flags & GAUGE {
        GAUGE => CounterReset::Gauge,
        _ if number > 0 => CounterReset::NotReset,
        RESET => CounterReset::Reset,
        0b0100_0000 => CounterReset::NotReset,
        _ => CounterReset::Unknown,
    }
}

fn histogram(layout: &Histogram, values: &[f64], positive: usize, counter_reset: CounterReset) -> Histogram {
    let sum = values[2];
    if model::is_stale(sum) {
        return Histogram { sum, ..Histogram::default() };
    }
    Histogram {
        counter_reset,
        count: values[0],
        zero_count: values[1],
        sum,
        positive_buckets: values[3..3 + positive].to_vec(),
        negative_buckets: values[3 + positive..].to_vec(),
        ..layout.clone()
    }
}
