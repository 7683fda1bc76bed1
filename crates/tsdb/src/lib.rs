//! Prometheus' own chunks, byte for byte: what its servers read and write over the network.
//!
//! Samples go in and come out; [`encode`] cuts them into chunks as Prometheus does. The bytes are those of its
//! `tsdb/docs/format/chunks.md` and `tsdb/chunkenc`, version 3.15: encodings XOR (floats), histogram and float
//! histogram.
//!
//! ```
//! use model::{Sample, Timestamp, Value};
//!
//! let samples = (0..200).map(|n| Sample { timestamp: Timestamp(n * 15_000), value: Value::Float(n as f64) });
//! let chunks = tsdb::encode(samples);
//! assert_eq!(chunks.len(), 2);
//! assert_eq!(tsdb::decode(chunks[0].encoding, &chunks[0].bytes)?.len(), 120);
//! # Ok::<_, tsdb::DecodeError>(())
//! ```

mod bits;
mod chunk;
mod histogram;
mod layout;
mod varbit;
mod xor;

pub use chunk::{Chunk, DecodeError, Encoding, decode, encode};
pub use histogram::is_whole;
