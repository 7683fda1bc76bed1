//! A series as it comes from storage.

use std::sync::Arc;

use model::{Labels, TimeRange, Timestamp, is_stale};

use crate::{QueryError, Samples};

/// A label set with chunks of samples, not decoded yet.
#[derive(Clone, Debug)]
pub struct Series {
    /// Who it is.
    pub labels: Labels,
    /// Its samples, in any order; they may overlap and repeat each other.
    pub chunks: Vec<Chunk>,
}

/// A part of a series' samples.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Samples that are decoded already.
    Samples(Arc<Samples>),
}

impl Series {
    /// Reads the samples in `range` into `samples`, which is cleared first.
    ///
    /// Of samples at the same time one remains: a value rather than a staleness marker, else the one of the earlier chunk.
    ///
    /// # Errors
    /// [`QueryError::Corrupt`] if a chunk does not decode.
    pub fn read(&self, range: TimeRange, samples: &mut Samples) -> Result<(), QueryError> {
        samples.clear();
        for chunk in &self.chunks {
            chunk.append_to(range, samples)?;
        }
        if self.chunks.len() > 1 {
            put_in_order(samples);
        }
        Ok(())
    }

    /// About how many bytes it takes in memory.
    pub fn size_bytes(&self) -> usize {
        self.labels.size_bytes() + self.chunks.iter().map(Chunk::size_bytes).sum::<usize>() + 64
    }
}

impl Chunk {
    fn append_to(&self, range: TimeRange, samples: &mut Samples) -> Result<(), QueryError> {
        match self {
            Self::Samples(from) => {
                let floats = within(&from.float_times, range);
                samples.float_times.extend_from_slice(&from.float_times[floats.clone()]);
                samples.floats.extend_from_slice(&from.floats[floats.clone()]);
                extend_starts(&mut samples.float_starts, &from.float_starts, floats, samples.floats.len());
                let histograms = within(&from.histogram_times, range);
                samples.histogram_times.extend_from_slice(&from.histogram_times[histograms.clone()]);
                samples.histograms.extend_from_slice(&from.histograms[histograms.clone()]);
                let count = samples.histograms.len();
                extend_starts(&mut samples.histogram_starts, &from.histogram_starts, histograms, count);
                Ok(())
            }
        }
    }

    /// About how many bytes it takes in memory.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Samples(samples) => samples.floats.len() * 16 + samples.histograms.len() * 256,
        }
    }
}

/// Where the times of a range are.
fn within(times: &[i64], range: TimeRange) -> std::ops::Range<usize> {
    let before = |end: Timestamp| times.partition_point(|time| *time < end.as_ms());
    before(range.start())..before(range.end())
}

/// Adds starts to a column that is empty as long as no start is known.
fn extend_starts(to: &mut Vec<i64>, from: &[i64], range: std::ops::Range<usize>, count: usize) {
    let known = from.get(range.clone()).filter(|starts| starts.iter().any(|start| *start != 0));
    if known.is_some() || !to.is_empty() {
        to.resize(count - range.len(), 0);
        match known {
            Some(starts) => to.extend_from_slice(starts),
            None => to.resize(count, 0),
        }
    }
}

/// Sorts samples of several chunks by time, and leaves one for each time.
fn put_in_order(samples: &mut Samples) {
    let ascending = |times: &[i64]| times.windows(2).all(|pair| pair[0] < pair[1]);
    let mixed = !samples.floats.is_empty() && !samples.histograms.is_empty();
    if !mixed && ascending(&samples.float_times) && ascending(&samples.histogram_times) {
        return;
    }
    let all: Vec<_> = entries(samples);
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|at| (all[*at].time, all[*at].stale));
    let mut sorted = Samples::new();
    let mut last = None;
    for at in order {
        let entry = &all[at];
        if last != Some(entry.time) {
            last = Some(entry.time);
            sorted.push(&entry.sample, entry.start);
        }
    }
    *samples = sorted;
}

struct Entry {
    time: i64,
    stale: bool,
    start: i64,
    sample: model::Sample,
}

fn entries(samples: &Samples) -> Vec<Entry> {
    let start = |starts: &[i64], at: usize| starts.get(at).copied().unwrap_or(0);
    let floats = samples.float_times.iter().zip(&samples.floats).enumerate().map(|(at, (time, value))| Entry {
        time: *time,
        stale: is_stale(*value),
        start: start(&samples.float_starts, at),
        sample: model::Sample { timestamp: Timestamp(*time), value: model::Value::Float(*value) },
    });
    let times = samples.histogram_times.iter().zip(&samples.histograms).enumerate();
    let histograms = times.map(|(at, (time, histogram))| Entry {
        time: *time,
        stale: is_stale(histogram.sum),
        start: start(&samples.histogram_starts, at),
        sample: model::Sample { timestamp: Timestamp(*time), value: model::Value::Histogram(histogram.clone()) },
    });
    floats.chain(histograms).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::STALE_NAN;
    use proptest::prelude::*;

    use super::*;

    fn chunk(points: &[(i64, f64)]) -> Chunk {
        let mut samples = Samples::new();
        let points: BTreeMap<i64, f64> = points.iter().copied().collect();
        (samples.float_times, samples.floats) = points.into_iter().unzip();
        Chunk::Samples(Arc::new(samples))
    }

    fn read(chunks: Vec<Chunk>, range: TimeRange) -> Vec<(i64, u64)> {
        let mut samples = Samples::new();
        Series { labels: Labels::empty(), chunks }.read(range, &mut samples).unwrap();
        samples.float_times.iter().copied().zip(samples.floats.iter().map(|value| value.to_bits())).collect()
    }

    fn bits(points: &[(i64, f64)]) -> Vec<(i64, u64)> {
        points.iter().map(|(time, value)| (*time, value.to_bits())).collect()
    }

    #[test]
    fn a_range_is_half_open_and_overlap_is_harmless() {
        let chunks = vec![chunk(&[(3, 3.0), (4, 4.0), (9, 9.0)]), chunk(&[(1, 1.0), (3, -3.0), (4, 4.0)])];
        assert_eq!(read(chunks.clone(), TimeRange::ALL), bits(&[(1, 1.0), (3, 3.0), (4, 4.0), (9, 9.0)]));
        let range = TimeRange::new(Timestamp(3), Timestamp(9));
        assert_eq!(read(chunks, range), bits(&[(3, 3.0), (4, 4.0)]));
    }

    #[test]
    fn a_value_beats_a_marker_at_the_same_time() {
        let chunks = vec![chunk(&[(1, STALE_NAN), (2, STALE_NAN)]), chunk(&[(1, 1.0)])];
        assert_eq!(read(chunks, TimeRange::ALL), bits(&[(1, 1.0), (2, STALE_NAN)]));
    }

    proptest! {
        #[test]
        fn chunks_are_one_map_of_times(chunks in prop::collection::vec(prop::collection::vec((0i64..50, -5i8..5), 0..20), 0..5)) {
            let mut expected = BTreeMap::new();
            for points in &chunks {
                let points: BTreeMap<i64, i8> = points.iter().copied().collect();
                for (time, value) in points {
                    expected.entry(time).or_insert(f64::from(value));
                }
            }
            let chunks = chunks.iter().map(|points| {
                chunk(&points.iter().map(|(time, value)| (*time, f64::from(*value))).collect::<Vec<_>>())
            });
            let expected: Vec<_> = expected.into_iter().collect();
            prop_assert_eq!(read(chunks.collect(), TimeRange::ALL), bits(&expected));
        }
    }
}
