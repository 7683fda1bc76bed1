//! What is read of a head, as a plain map.

use std::collections::BTreeMap;

use chunk::{Chunk, Kind, Markers};
use head::Selected;
use model::{Histogram, TimeRange, Value, is_stale};
use series::{Samples, Series};

/// Whether it is a histogram, bits of the value or of the histogram's sum, when the counter began.
pub(crate) type PlainSample = (bool, u64, i64);

/// Whether of two samples at one time the later one is read: a value rather than a marker, else a float rather than a histogram,
/// else the earlier one.
pub(crate) fn wins(later: &PlainSample, earlier: &PlainSample) -> bool {
    let order = |(is_histogram, bits, _): &PlainSample| (is_stale(f64::from_bits(*bits)), *is_histogram);
    order(later) < order(earlier)
}

/// The samples of a series by time.
pub(crate) type Plain = BTreeMap<i64, PlainSample>;

/// The newest sample before a time.
pub(crate) fn newest_before(samples: &Plain, end: i64) -> Option<(i64, PlainSample)> {
    samples.iter().filter(|(time, _)| **time < end).map(|(time, sample)| (*time, *sample)).max_by_key(|(time, _)| *time)
}

/// The samples of a series that was not encoded for anybody.
pub(crate) fn read_here(series: &Series) -> Plain {
    let mut samples = Samples::new();
    series.read(TimeRange::ALL, &mut samples).unwrap();
    let plain = samples.iter_with_starts().map(|(sample, start)| match sample.value {
        Value::Float(value) => (sample.timestamp.as_ms(), (false, value.to_bits(), start)),
        Value::Histogram(histogram) => (sample.timestamp.as_ms(), (true, histogram.sum.to_bits(), start)),
    });
    plain.collect()
}

/// The samples of a series.
pub(crate) fn read_chunks(series: &Selected) -> Plain {
    let mut samples = Plain::new();
    for selected in &series.chunks {
        let mut row_times = Vec::new();
        chunk::times::Times::parse(&selected.times).unwrap().0.decode(&mut row_times).unwrap();
        let parsed = Chunk::parse(&selected.chunk).unwrap();
        let mut times = Vec::new();
        let bits: Vec<u64> = match parsed.kind() {
            Kind::Floats => {
                let mut values: Vec<f64> = Vec::new();
                parsed.read_into(&row_times, TimeRange::ALL, Markers::Keep, &mut times, &mut values).unwrap();
                values.iter().map(|value| value.to_bits()).collect()
            }
            Kind::Histograms => {
                let mut values: Vec<Histogram> = Vec::new();
                parsed.read_into(&row_times, TimeRange::ALL, Markers::Keep, &mut times, &mut values).unwrap();
                values.iter().map(|value| value.sum.to_bits()).collect()
            }
        };
        let mut starts = Vec::new();
        parsed.read_starts_into(&row_times, TimeRange::ALL, Markers::Keep, &mut starts).unwrap();
        starts.resize(times.len(), 0);
        for ((time, bits), start) in times.into_iter().zip(bits).zip(starts) {
            let sample = (parsed.kind() == Kind::Histograms, bits, start);
            if samples.get(&time).is_none_or(|earlier| wins(&sample, earlier)) {
                samples.insert(time, sample);
            }
        }
    }
    samples
}
