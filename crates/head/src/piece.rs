//! Some rows of some series, encoded.
//!
//! ```text
//! times       a column of timestamps (docs/formats/chunk.md), one for each row
//! floats      section
//! histograms  section
//!
//! section:
//!   runs      varint  number of runs of consecutive series ids; 0: the section ends here
//!             runs ×  varint first id less the last id of the run before, varint number of ids − 1
//!   lengths   for each series, a varint: how long its chunk is
//!   chunks    the chunks (docs/formats/chunk.md), one after another
//! ```
//!
//! The open part of a head, its segments and the exchange between replicas all have their data in pieces: a *frame* is a
//! piece of a few dozen rows, a *group* one of 128.

use bytes::Bytes;
use chunk::times::Times;
use chunk::wire::{Reader, put_varint};
use chunk::{DecodeError, Samples, Value};
use model::Histogram;

const WHAT: &str = "piece";

/// The series of one kind in a piece, found but not decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Section<'a> {
    runs: &'a [u8],
    run_count: u64,
    lengths: &'a [u8],
    chunks: &'a [u8],
}

/// A piece, found but not decoded.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    /// The encoded column of times.
    pub(crate) times: &'a [u8],
    /// How many rows there are.
    pub(crate) rows: usize,
    pub(crate) floats: Section<'a>,
    pub(crate) histograms: Section<'a>,
}

impl<'a> Piece<'a> {
    /// Finds the parts of a piece.
    ///
    /// # Errors
    /// If the bytes are no piece.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (times, rest) = Times::parse(bytes)?;
        let rows = times.count();
        let times = &bytes[..bytes.len() - rest.len()];
        let mut reader = Reader::new(WHAT, rest);
        let floats = Section::parse(&mut reader)?;
        let histograms = Section::parse(&mut reader)?;
        reader.end()?;
        Ok(Self { times, rows, floats, histograms })
    }

    /// The times of its rows.
    pub(crate) fn decode_times(&self, times: &mut Vec<i64>) -> Result<(), DecodeError> {
        Times::parse(self.times)?.0.decode(times)
    }
}

impl<'a> Section<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let run_count = reader.varint()?;
        if run_count == 0 {
            return Ok(Self::default());
        }
        let start = reader.rest();
        let mut series = 0u64;
        for _ in 0..run_count {
            reader.varint()?;
            series = series.saturating_add(reader.varint()?).saturating_add(1);
        }
        let runs = taken(start, reader);
        let start = reader.rest();
        let mut total = 0u64;
        for _ in 0..series {
            total = total.saturating_add(reader.varint()?);
        }
        let lengths = taken(start, reader);
        let chunks = reader.take(usize::try_from(total).unwrap_or(usize::MAX))?;
        Ok(Self { runs, run_count, lengths, chunks })
    }

    /// The series, ascending, each with its chunk.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let mut runs = Reader::new(WHAT, self.runs);
        let mut lengths = Reader::new(WHAT, self.lengths);
        let (mut chunks, mut left, mut next, mut left_runs) = (self.chunks, 0u64, 0u64, self.run_count);
        std::iter::from_fn(move || {
            if left == 0 {
                left_runs = left_runs.checked_sub(1)?;
                next += runs.varint().ok()?;
                left = runs.varint().ok()? + 1;
            }
            let length = usize::try_from(lengths.varint().ok()?).ok()?;
            let (chunk, rest) = chunks.split_at_checked(length)?;
            chunks = rest;
            left -= 1;
            next += 1;
            Some((u32::try_from(next - 1).ok()?, chunk))
        })
    }

    /// Prepares looking up many series. Costs a step for each series that the section has.
    pub(crate) fn lookup(&self, piece: &Bytes) -> Lookup {
        let mut end = 0;
        let places = self.iter().map(|(series, chunk)| {
            end += chunk.len();
            (series, end)
        });
        Lookup { places: places.collect(), chunks: piece.slice_ref(self.chunks) }
    }
}

/// The chunks of a section by series.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    /// The series, ascending, and where the chunk of each ends: the next one begins there.
    places: Vec<(u32, usize)>,
    chunks: Bytes,
}

impl Lookup {
    /// The chunk of a series.
    pub(crate) fn find(&self, series: u32) -> Option<Bytes> {
        let at = self.places.binary_search_by_key(&series, |(series, _)| *series).ok()?;
        let start = at.checked_sub(1).map_or(0, |before| self.places[before].1);
        Some(self.chunks.slice(start..self.places[at].1))
    }
}

/// The bytes that a reader took since `start` was what was left.
fn taken<'a>(start: &'a [u8], reader: &Reader<'a>) -> &'a [u8] {
    &start[..start.len() - reader.rest().len()]
}

/// Collects the chunks of one section, series ascending.
#[derive(Debug, Default)]
pub(crate) struct SectionWriter {
    runs: Vec<(u32, u32)>,
    lengths: Vec<u8>,
    chunks: Vec<u8>,
}

impl SectionWriter {
    /// Adds a series; `encode` appends its chunk.
    pub(crate) fn add(&mut self, series: u32, encode: impl FnOnce(&mut Vec<u8>)) {
        let before = self.chunks.len();
        encode(&mut self.chunks);
        put_varint((self.chunks.len() - before) as u64, &mut self.lengths);
        match self.runs.last_mut() {
            Some((first, count)) if *first + *count == series => *count += 1,
            last => {
                debug_assert!(last.is_none_or(|(first, count)| *first + *count <= series), "series ascend");
                self.runs.push((series, 1));
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_varint(self.runs.len() as u64, out);
        let mut next = 0;
        for (first, count) in &self.runs {
            put_varint(u64::from(first - next), out);
            put_varint(u64::from(count - 1), out);
            next = first + count;
        }
        out.extend_from_slice(&self.lengths);
        out.extend_from_slice(&self.chunks);
    }
}

/// Puts a piece together.
pub(crate) fn write(times: &[i64], floats: &SectionWriter, histograms: &SectionWriter) -> Bytes {
    let mut out = Vec::with_capacity(64 + floats.lengths.len() + floats.chunks.len() + histograms.chunks.len());
    chunk::times::encode(times, &mut out);
    floats.write(&mut out);
    histograms.write(&mut out);
    out.shrink_to_fit();
    out.into()
}

/// Makes one piece of several, whose rows follow each other in time.
///
/// # Errors
/// If one of them is corrupt.
pub(crate) fn merge(pieces: &[Bytes]) -> Result<Bytes, DecodeError> {
    let pieces = pieces.iter().map(|bytes| Piece::parse(bytes)).collect::<Result<Vec<_>, _>>()?;
    let mut times = Vec::new();
    for piece in &pieces {
        piece.decode_times(&mut times)?;
    }
    let floats = merge_sections::<f64>(&pieces, |piece| piece.floats, Samples::<f64>::encode)?;
    let histograms = merge_sections::<Histogram>(
        &pieces,
        |piece| piece.histograms,
        |samples, out| {
            samples.encode(out).expect("histograms are validated, and bounded in size, when they are appended")
        },
    )?;
    Ok(write(&times, &floats, &histograms))
}

fn merge_sections<'a, V: Value>(
    pieces: &[Piece<'a>],
    section: impl Fn(&Piece<'a>) -> Section<'a>,
    encode: impl Fn(&Samples<V>, &mut Vec<u8>),
) -> Result<SectionWriter, DecodeError> {
    let mut chunks: Vec<_> = pieces.iter().map(|piece| section(piece).iter().peekable()).collect();
    let mut writer = SectionWriter::default();
    let mut samples = Samples::<V>::default();
    while let Some(series) = chunks.iter_mut().filter_map(|chunks| chunks.peek().map(|(series, _)| *series)).min() {
        samples.clear();
        for (piece, chunks) in pieces.iter().zip(&mut chunks) {
            match chunks.next_if(|(next, _)| *next == series) {
                Some((_, bytes)) => samples.extend(&chunk::Chunk::parse(bytes)?)?,
                None => (0..piece.rows).for_each(|_| samples.push(None)),
            }
        }
        writer.add(series, |out| encode(&samples, out));
    }
    Ok(writer)
}
