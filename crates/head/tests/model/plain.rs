//! What is read of a head, as a plain map.

use std::collections::BTreeMap;

use chunk::{Chunk, Kind, Markers};
use head::Selected;
use model::{Histogram, TimeRange, is_stale};

/// Whether it is a histogram, bits of the value or of the histogram's sum, when the counter began.
pub(crate) type PlainSample = (bool, u64, i64);

/// The samples of a series by time.
pub(crate) type Plain = BTreeMap<i64, PlainSample>;

/// The newest sample before a time.
pub(crate) fn newest_before(samples: &Plain, end: i64) -> Option<(i64, PlainSample)> {
    samples.iter().filter(|(time, _)| **time < end).map(|(time, sample)| (*time, *sample)).max_by_key(|(time, _)| *time)
}

/// The samples of a series: of two at one time, a value rather than a marker, else that of the earlier chunk.
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
            match samples.get(&time) {
                Some((_, old, _)) if !is_stale(f64::from_bits(*old)) || is_stale(f64::from_bits(bits)) => {}
                _ => {
                    samples.insert(time, sample);
                }
            }
        }
    }
    samples
}
