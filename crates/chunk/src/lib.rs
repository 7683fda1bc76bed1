//! Compressed columns of samples ↔ bytes.
//!
//! ```
//! use chunk::{Chunk, Markers, Samples};
//! use model::TimeRange;
//!
//! let mut samples = Samples::<f64>::default();
//! for value in [Some(1.5), None, Some(2.5)] {
//!     samples.push(value);
//! }
//! let mut bytes = Vec::new();
//! samples.encode(&mut bytes);
//!
//! let (mut times, mut values) = (Vec::new(), Vec::<f64>::new());
//! let chunk = Chunk::parse(&bytes)?;
//! chunk.read_into(&[15, 30, 45], TimeRange::ALL, Markers::Skip, &mut times, &mut values)?;
//! assert_eq!((times, values), (vec![15, 45], vec![1.5, 2.5]));
//! # Ok::<(), chunk::DecodeError>(())
//! ```
//!
//! A [`Chunk`] is what head, segments and blocks keep of a series; the [`times`] of its rows are shared by all series of a
//! target. A [`row`] is the other way round: one value of every series, as a scrape is sent and logged.
//!
//! All codecs are lossless to the bit for every float and integer, and deterministic: equal input gives equal bytes on
//! every machine. What they read may be anything: corrupt bytes give a [`DecodeError`], never a panic, and can't ask for
//! more memory than the limits ([`MAX_ROWS`], [`histograms::MAX_CELLS`]) allow. They keep no checksum: whoever stores
//! bytes adds one. The bytes are drawn in `docs/formats/chunk.md`, with sizes and times.

mod bits;
mod chunk;
mod decimal;
mod error;
pub mod floats;
pub mod histograms;
mod ints;
pub mod presence;
pub mod row;
mod samples;
mod starts;
pub mod times;
mod value;
pub mod wire;

pub use chunk::{
    Chunk, Kind, MAX_ROWS, Markers, encode_floats, encode_histograms, encode_started_floats, encode_started_histograms,
};
pub use error::{DecodeError, EncodeError};
pub use presence::{Presence, State};
pub use samples::Samples;
pub use starts::Starts;
pub use value::Value;
