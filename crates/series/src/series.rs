//! A series as it comes from storage.

use std::sync::Arc;

use bytes::Bytes;
use chunk::{DecodeError, Kind, Markers};
use model::{Histogram, Labels, TimeRange, Timestamp};

use crate::order::put_in_order;
use crate::{QueryError, Samples, Times};

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
    /// Samples as they are stored.
    Encoded {
        /// When its rows are.
        times: Arc<Times>,
        /// A chunk, see `docs/formats/chunk.md`.
        bytes: Bytes,
    },
}

impl Series {
    /// Reads the samples in `range` into `samples`, which is cleared first.
    ///
    /// Of samples at the same time one remains: a value rather than a staleness marker, else a float rather than a
    /// histogram, else the one of the earlier chunk.
    /// Chunks that follow each other in time, as they nearly always do, are decoded in place; others are sorted after.
    ///
    /// # Errors
    /// [`QueryError::Corrupt`] if a chunk does not decode.
    pub fn read(&self, range: TimeRange, samples: &mut Samples) -> Result<(), QueryError> {
        samples.clear();
        let mut in_order = true;
        for chunk in &self.chunks {
            let [floats, histograms] = [samples.float_times.len(), samples.histogram_times.len()];
            chunk.append_to(range, samples)?;
            in_order &= follows(&samples.float_times, floats) && follows(&samples.histogram_times, histograms);
        }
        if !in_order || !samples.floats.is_empty() && !samples.histograms.is_empty() {
            put_in_order(samples);
        }
        Ok(())
    }

    /// About how many bytes it takes in memory, columns of times not counted.
    pub fn size_bytes(&self) -> usize {
        self.labels.size_bytes() + self.chunks.iter().map(Chunk::size_bytes).sum::<usize>() + 64
    }
}

/// Whether the times from `at` on are later than those before.
fn follows(times: &[i64], at: usize) -> bool {
    at == 0 || at == times.len() || times[at - 1] < times[at]
}

impl Chunk {
    fn append_to(&self, range: TimeRange, samples: &mut Samples) -> Result<(), QueryError> {
        match self {
            Self::Samples(from) => {
                append_samples(from, range, samples);
                Ok(())
            }
            Self::Encoded { times, bytes } => {
                let times = times.get()?;
                append_encoded(bytes, times, range, samples).map_err(|error| QueryError::Corrupt(error.to_string()))
            }
        }
    }

    /// About how many bytes it takes in memory, the column of times not counted.
    pub fn size_bytes(&self) -> usize {
        let held = match self {
            Self::Samples(samples) => samples.floats.len() * 16 + samples.histograms.len() * 256,
            Self::Encoded { bytes, .. } => bytes.len(),
        };
        held + size_of::<Self>()
    }
}

fn append_samples(from: &Samples, range: TimeRange, samples: &mut Samples) {
    let floats = within(&from.float_times, range);
    samples.float_times.extend_from_slice(&from.float_times[floats.clone()]);
    samples.floats.extend_from_slice(&from.floats[floats.clone()]);
    extend_starts(&mut samples.float_starts, &from.float_starts, floats, samples.floats.len());
    let histograms = within(&from.histogram_times, range);
    samples.histogram_times.extend_from_slice(&from.histogram_times[histograms.clone()]);
    samples.histograms.extend_from_slice(&from.histograms[histograms.clone()]);
    let count = samples.histograms.len();
    extend_starts(&mut samples.histogram_starts, &from.histogram_starts, histograms, count);
}

fn append_encoded(bytes: &[u8], times: &[i64], range: TimeRange, samples: &mut Samples) -> Result<(), DecodeError> {
    let chunk = chunk::Chunk::parse(bytes)?;
    let mut starts = Vec::new();
    chunk.read_starts_into(times, range, Markers::Keep, &mut starts)?;
    match chunk.kind() {
        Kind::Floats => {
            let before = samples.floats.len();
            chunk.read_into(times, range, Markers::Keep, &mut samples.float_times, &mut samples.floats)?;
            let count = samples.floats.len();
            extend_starts(&mut samples.float_starts, &starts, 0..count - before, count);
        }
        Kind::Histograms => {
            let before = samples.histograms.len();
            append_histograms(&chunk, times, range, samples)?;
            let count = samples.histograms.len();
            extend_starts(&mut samples.histogram_starts, &starts, 0..count - before, count);
        }
    }
    Ok(())
}

/// Adds the histograms in a range. Each learns from the one before it in the chunk whether its counter started again: sources
/// do not say so, and the engine warns where it matters.
fn append_histograms(
    chunk: &chunk::Chunk<'_>,
    times: &[i64],
    range: TimeRange,
    samples: &mut Samples,
) -> Result<(), DecodeError> {
    let (mut all_times, mut all) = (Vec::new(), Vec::<Histogram>::new());
    chunk.read_into(times, TimeRange::ALL, Markers::Keep, &mut all_times, &mut all)?;
    let wanted = within(&all_times, range);
    for at in wanted.clone() {
        let (earlier, rest) = all.split_at_mut(at);
        rest[0].observe_reset(earlier.last());
    }
    samples.histogram_times.extend_from_slice(&all_times[wanted.clone()]);
    samples.histograms.extend(all.drain(wanted).map(Arc::new));
    Ok(())
}

/// Where the times of a range are.
fn within(times: &[i64], range: TimeRange) -> std::ops::Range<usize> {
    let before = |end: Timestamp| times.partition_point(|time| *time < end.as_ms());
    before(range.start())..before(range.end())
}

/// Adds starts to a column that is empty as long as no start is known. `from` may be shorter than `range`: no starts.
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

#[cfg(test)]
mod tests;
