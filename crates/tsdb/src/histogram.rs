//! Native histograms with float counts: a layout that all share, then times by the change of their distance, and every number
//! by the bits in which it differs from the one before.
//!
//! ```text
//! u16 count, flags (the two highest bits: 10 reset before the first, 00 unknown, 11 gauge), layout
//! first   varbit time, 64 bits each: count, zero count, sum, positive buckets, negative buckets
//! others  varbit change of the distance, XOR values in the same order
//! ```
//!
//! A staleness marker has no buckets.

use std::sync::Arc;

use model::{CounterReset, Histogram, STALE_NAN, Sample, Timestamp, Value};

use crate::bits::{BitReader, BitWriter};
use crate::varbit::{read_int, write_int};
use crate::xor::XorValue;
use crate::{DecodeError, layout};

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
    /// Count, zero count, sum, buckets.
    values: Vec<XorValue>,
    count: u16,
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
        let values: Vec<f64> = numbers(&last).collect();
        values.iter().for_each(|value| out.write(value.to_bits(), 64));
        let values = values.into_iter().map(XorValue::new).collect();
        Self { out, last, time, distance: 0, values, count: 1 }
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
            && is_gauge(last) == is_gauge(histogram);
        !last.is_stale() && (fits || histogram.is_stale())
    }

    pub(crate) fn push(&mut self, time: i64, histogram: &Arc<Histogram>) {
        let histogram = stored(histogram);
        let distance = time.wrapping_sub(self.time);
        write_int(&mut self.out, distance.wrapping_sub(self.distance));
        for (previous, value) in self.values.iter_mut().zip(numbers(&histogram)) {
            previous.write(&mut self.out, value);
        }
        (self.last, self.time, self.distance) = (histogram, time, distance);
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
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

fn numbers(histogram: &Histogram) -> impl Iterator<Item = f64> {
    let first = [histogram.count, histogram.zero_count, histogram.sum];
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    first.into_iter().chain(buckets.copied())
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Sample>, DecodeError> {
    let mut bits = BitReader::new(bytes);
    let count = bits.read(16)?;
    let flags = bits.read(8)? as u8;
    if count == 0 {
        return Ok(Vec::new());
    }
    let layout = layout::read(&mut bits)?;
    let lengths = layout.positive_spans.iter().chain(&layout.negative_spans).map(|span| span.length as usize);
    let buckets = lengths.fold(0usize, usize::saturating_add);
    // Each takes 64 bits in the first histogram.
    if buckets > MOST_BUCKETS || buckets > bits.left() / 64 {
        return Err(DecodeError::Corrupt("spans have more buckets than there are"));
    }
    let (mut time, mut distance) = (0, 0);
    let mut values = Vec::with_capacity(3 + buckets);
    let mut samples = Vec::new();
    for number in 0..count {
        if number == 0 {
            time = read_int(&mut bits)?;
            for _ in 0..3 + buckets {
                values.push((XorValue::new(0.0), f64::from_bits(bits.read(64)?)));
            }
            values.iter_mut().for_each(|(xor, value)| *xor = XorValue::new(*value));
        } else {
            distance = read_int(&mut bits)?.wrapping_add(distance);
            time = distance.wrapping_add(time);
            for at in 0..values.len() {
                // What a staleness marker leaves out is not there.
                if at == 3 && values[2].1.to_bits() == STALE_NAN.to_bits() {
                    break;
                }
                values[at].1 = values[at].0.read(&mut bits)?;
            }
        }
        let histogram = histogram(&layout, &values, hint(flags, number));
        samples.push(Sample { timestamp: Timestamp(time), value: Value::Histogram(histogram.into()) });
    }
    Ok(samples)
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

fn histogram(layout: &Histogram, values: &[(XorValue, f64)], counter_reset: CounterReset) -> Histogram {
    let value = |at: usize| values[at].1;
    let sum = value(2);
    if model::is_stale(sum) {
        return Histogram { sum, ..Histogram::default() };
    }
    let positive = layout.positive_spans.iter().map(|span| span.length as usize).sum::<usize>();
    let buckets = |from: usize, to: usize| values[from..to].iter().map(|(_, value)| *value).collect();
    Histogram {
        counter_reset,
        count: value(0),
        zero_count: value(1),
        sum,
        positive_buckets: buckets(3, 3 + positive),
        negative_buckets: buckets(3 + positive, values.len()),
        ..layout.clone()
    }
}
