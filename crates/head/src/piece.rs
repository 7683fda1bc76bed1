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
}

/// A piece whose series can be looked up, one by one and in any order. To find the parts of a section, its list of lengths must be
/// gone through: that is done once, and what it says is kept.
#[derive(Debug)]
pub(crate) struct OpenPiece {
    /// The encoded column of times.
    pub(crate) times: Bytes,
    pub(crate) floats: Lookup,
    pub(crate) histograms: Lookup,
}

impl OpenPiece {
    /// Finds the parts of a piece and where each series is. Costs a step for each series.
    ///
    /// # Errors
    /// If the bytes are no piece.
    pub(crate) fn open(bytes: &Bytes) -> Result<Self, DecodeError> {
        let (_, rest) = Times::parse(bytes)?;
        let times = bytes.slice(..bytes.len() - rest.len());
        let mut reader = Reader::new(WHAT, rest);
        let floats = Lookup::take(bytes, &mut reader)?;
        let histograms = Lookup::take(bytes, &mut reader)?;
        reader.end()?;
        Ok(Self { times, floats, histograms })
    }
}

/// The chunks of a section by series.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    /// Consecutive series: the first one, and its place among all. Both ascend.
    runs: Vec<(u32, u32)>,
    /// Where the chunk of each series ends: the next one begins there.
    ends: Vec<u32>,
    chunks: Bytes,
}

impl Lookup {
    fn take(piece: &Bytes, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let too_large = |what, value| DecodeError::TooLarge { what, value, limit: u64::from(u32::MAX) };
        let run_count = reader.varint()?;
        let (mut runs, mut next, mut count) = (Vec::new(), 0u64, 0u64);
        for _ in 0..run_count {
            let first = next.saturating_add(reader.varint()?);
            let length = reader.varint()?.saturating_add(1);
            next = first.saturating_add(length);
            if next > u64::from(u32::MAX) {
                return Err(too_large("a number of series", next));
            }
            runs.push((first as u32, count as u32));
            count += length;
        }
        // Each has a length, which takes a byte or more: hostile counts end here, before there is room made for them.
        if count > reader.rest().len() as u64 {
            return Err(DecodeError::Truncated(WHAT));
        }
        let (mut ends, mut end) = (Vec::with_capacity(count as usize), 0u64);
        for _ in 0..count {
            end = end.saturating_add(reader.varint()?);
            ends.push(end as u32);
        }
        let end = u32::try_from(end).map_err(|_| too_large("the length of a section", end))?;
        let chunks = piece.slice_ref(reader.take(end as usize)?);
        Ok(Self { runs, ends, chunks })
    }

    /// The chunk of a series.
    pub(crate) fn find(&self, series: u32) -> Option<Bytes> {
        let run = self.runs.partition_point(|(first, _)| *first <= series).checked_sub(1)?;
        let (first, place) = self.runs[run];
        let end = self.runs.get(run + 1).map_or(self.ends.len(), |(_, place)| *place as usize);
        let at = (place as usize).checked_add((series - first) as usize).filter(|at| *at < end)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(self.chunks.slice(start as usize..self.ends[at] as usize))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_looked_up_is_what_is_listed(
            series in prop::collection::btree_map(0u32..60, prop::collection::vec(any::<u8>(), 0..200), 0..30),
        ) {
            let (mut floats, histograms) = (SectionWriter::default(), SectionWriter::default());
            series.iter().for_each(|(series, chunk)| floats.add(*series, |out| out.extend_from_slice(chunk)));
            let bytes = write(&[1, 2], &floats, &histograms);
            let opened = OpenPiece::open(&bytes).unwrap();
            let piece = Piece::parse(&bytes).unwrap();
            prop_assert_eq!(&*opened.times, piece.times);
            let listed: Vec<_> = piece.floats.iter().map(|(series, chunk)| (series, chunk.to_vec())).collect();
            prop_assert_eq!(listed, series.clone().into_iter().collect::<Vec<_>>());
            for at in 0..61 {
                let found = opened.floats.find(at).map(|chunk| chunk.to_vec());
                prop_assert_eq!(found.as_ref(), series.get(&at));
                prop_assert_eq!(opened.histograms.find(at), None);
            }
            for length in 0..bytes.len() {
                prop_assert!(OpenPiece::open(&bytes.slice(..length)).is_err());
            }
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(piece) = OpenPiece::open(&bytes.into()) {
                (0..300).for_each(|series| drop(piece.floats.find(series)));
            }
        }
    }
}
