//! Samples to chunks and back.

#[cfg(test)]
mod tests;

use model::{Sample, Value};

use crate::histogram::HistogramWriter;
use crate::xor::FloatWriter;
use crate::{histogram, xor};

/// More samples begin a new chunk, as in Prometheus.
const MOST_SAMPLES: u16 = 120;

/// How the samples of a chunk are encoded. Its number is Prometheus'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Floats.
    Xor = 1,
    /// Native histograms whose counts are integers.
    Histogram = 2,
    /// Native histograms with float counts.
    FloatHistogram = 3,
}

/// Samples of one series, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How.
    pub encoding: Encoding,
    /// The time of the first sample, in ms.
    pub min_time_ms: i64,
    /// The time of the last sample, in ms, included.
    pub max_time_ms: i64,
    /// Their bytes.
    pub bytes: Vec<u8>,
}

/// Why bytes are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the chunk ends in the middle of a sample")]
    Truncated,
    /// They say what can not be.
    #[error("{0}")]
    Corrupt(&'static str),
}

/// A chunk that samples are added to, and the times of its first and its last one.
struct Growing {
    open: Open,
    first: i64,
    last: i64,
}

enum Open {
    Floats(FloatWriter),
    Histograms(HistogramWriter),
}

/// Encodes the samples of one series, ascending in time: 120 a chunk at the most, of one kind each. A chunk of histograms ends
/// where their layout changes or their counter starts again. Histograms of integers and of floats are not told apart where
/// they come from: those that are whole are encoded as integers, which takes less.
///
/// What a histogram says about resets is taken over as far as chunks can say it: the second and later histograms of a chunk
/// are not reset, for whoever reads them.
pub fn encode(samples: impl IntoIterator<Item = Sample>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut growing: Option<Growing> = None;
    for Sample { timestamp, value } in samples {
        let time = timestamp.as_ms();
        let follows_reset = match growing.take() {
            None => false,
            Some(mut chunk) => {
                let follows_reset = chunk.open.is_reset(&value);
                if !follows_reset && chunk.open.push(time, &value) {
                    chunk.last = time;
                    growing = Some(chunk);
                    continue;
                }
                chunks.push(chunk.close());
                follows_reset
            }
        };
        growing = Some(Growing { open: Open::new(time, &value, follows_reset), first: time, last: time });
    }
    chunks.extend(growing.map(Growing::close));
    chunks
}

impl Open {
    fn new(time: i64, value: &Value, follows_reset: bool) -> Self {
        match value {
            Value::Float(value) => Self::Floats(FloatWriter::new(time, *value)),
            Value::Histogram(histogram) => Self::Histograms(HistogramWriter::new(time, histogram, follows_reset)),
        }
    }

    fn is_reset(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Histograms(chunk), Value::Histogram(histogram)) => chunk.is_reset(histogram),
            _ => false,
        }
    }

    /// Adds a sample, if it belongs here and there is room. Whether it did.
    fn push(&mut self, time: i64, value: &Value) -> bool {
        match (self, value) {
            (Self::Floats(chunk), Value::Float(value)) if chunk.count() < MOST_SAMPLES => chunk.push(time, *value),
            (Self::Histograms(chunk), Value::Histogram(histogram))
                if chunk.count() < MOST_SAMPLES && chunk.takes(histogram) =>
            {
                chunk.push(time, histogram);
            }
            _ => return false,
        }
        true
    }
}

impl Growing {
    fn close(self) -> Chunk {
        let (encoding, bytes) = match self.open {
            Open::Floats(chunk) => (Encoding::Xor, chunk.into_bytes()),
            Open::Histograms(chunk) => (chunk.encoding(), chunk.into_bytes()),
        };
        Chunk { encoding, min_time_ms: self.first, max_time_ms: self.last, bytes }
    }
}

/// The samples of a chunk.
///
/// # Errors
/// If the bytes are no chunk of this encoding. Bytes behind the last sample are not looked at.
pub fn decode(encoding: Encoding, bytes: &[u8]) -> Result<Vec<Sample>, DecodeError> {
    match encoding {
        Encoding::Xor => xor::decode(bytes),
        Encoding::Histogram => histogram::decode(bytes, true),
        Encoding::FloatHistogram => histogram::decode(bytes, false),
    }
}
