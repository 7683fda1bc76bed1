//! Which buckets a histogram has.

use std::collections::BTreeMap;

use model::{Histogram, Span};

use super::MAX_CELLS;
use crate::wire::{Reader, put_signed, put_varint};
use crate::{DecodeError, EncodeError};

/// Which side of zero a bucket is on. The positive side comes first wherever both are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Positive,
    Negative,
}

/// The spans of a histogram. No span starts before the end of the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) positive: Vec<Span>,
    pub(super) negative: Vec<Span>,
}

impl Layout {
    /// The layout of a histogram, which is looked through for contradictions.
    pub(super) fn of(histogram: &Histogram) -> Result<Self, EncodeError> {
        check("positive", &histogram.positive_spans, &histogram.positive_buckets)?;
        check("negative", &histogram.negative_spans, &histogram.negative_buckets)?;
        Ok(Self { positive: histogram.positive_spans.clone(), negative: histogram.negative_spans.clone() })
    }

    /// Whether a histogram has these spans and as many buckets.
    pub(super) fn fits(&self, histogram: &Histogram) -> bool {
        self.positive == histogram.positive_spans
            && self.negative == histogram.negative_spans
            && length(&self.positive) == histogram.positive_buckets.len() as u64
            && length(&self.negative) == histogram.negative_buckets.len() as u64
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for spans in [&self.positive, &self.negative] {
            put_varint(spans.len() as u64, out);
            for span in spans {
                put_signed(span.offset.into(), out);
                put_varint(span.length.into(), out);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { positive: decode_spans(reader)?, negative: decode_spans(reader)? })
    }

    /// How many spans and buckets there are.
    pub(super) fn cells(&self) -> usize {
        let buckets = length(&self.positive) + length(&self.negative);
        self.positive.len() + self.negative.len() + buckets as usize
    }

    /// How many buckets come first.
    pub(super) fn positive_buckets(&self) -> usize {
        length(&self.positive) as usize
    }

    /// The side and index of every bucket, in the order of the histogram.
    fn iter(&self) -> impl Iterator<Item = (Side, i64)> {
        let positive = indices(&self.positive).map(|index| (Side::Positive, index));
        positive.chain(indices(&self.negative).map(|index| (Side::Negative, index)))
    }
}

fn check(side: &'static str, spans: &[Span], buckets: &[f64]) -> Result<(), EncodeError> {
    if let Some(at) = spans.iter().skip(1).position(|span| span.offset < 0) {
        return Err(EncodeError::SpanOffset { side, span: at + 2, offset: spans[at + 1].offset });
    }
    if length(spans) != buckets.len() as u64 {
        return Err(EncodeError::BucketCount { side, spans: length(spans), buckets: buckets.len() });
    }
    Ok(())
}

fn length(spans: &[Span]) -> u64 {
    spans.iter().map(|span| u64::from(span.length)).sum()
}

fn indices(spans: &[Span]) -> impl Iterator<Item = i64> {
    let mut end = 0;
    spans.iter().flat_map(move |span| {
        let start = end + i64::from(span.offset);
        end = start + i64::from(span.length);
        start..end
    })
}

fn decode_spans(reader: &mut Reader<'_>) -> Result<Vec<Span>, DecodeError> {
    let count = reader.count("a number of spans", reader.rest().len() / 2)?;
    let mut spans = Vec::with_capacity(count);
    for at in 0..count {
        let offset = reader.signed()?;
        // Only the first offset is an index, all others are distances.
        let lowest = if at == 0 { i32::MIN } else { 0 };
        let fits = i32::try_from(offset).ok().filter(|offset| *offset >= lowest);
        let offset = fits.ok_or(DecodeError::SpanOffset(offset))?;
        let length = reader.count("a span's number of buckets", MAX_CELLS)? as u32;
        spans.push(Span { offset, length });
    }
    Ok(spans)
}

/// The columns of buckets that rows with different layouts share: one for each bucket that any of them has.
///
/// A histogram that grows by a bucket thus goes on with the columns it had.
pub(super) struct Columns {
    /// How many rows have a value in each column.
    pub(super) lengths: Vec<usize>,
    /// For each run of rows, the column of each of its buckets, in the order of the histogram.
    pub(super) places: Vec<Vec<usize>>,
}

impl Columns {
    /// The columns of runs of rows with the same layout; `None` if there are more than `limit`.
    pub(super) fn of(runs: &[(usize, Layout)], limit: usize) -> Option<Self> {
        let mut columns = BTreeMap::new();
        for (rows, layout) in runs {
            for bucket in layout.iter() {
                *columns.entry(bucket).or_insert(0) += rows;
                if columns.len() > limit {
                    return None;
                }
            }
        }
        let lengths = columns.values().copied().collect();
        for (place, column) in columns.values_mut().enumerate() {
            *column = place;
        }
        let place = |bucket| columns[&bucket];
        let places = runs.iter().map(|(_, layout)| layout.iter().map(place).collect()).collect();
        Some(Self { lengths, places })
    }
}
