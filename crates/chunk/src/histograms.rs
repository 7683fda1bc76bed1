//! Columns of native histograms.
//!
//! A column is made of sections, up to its number of rows:
//!
//! ```text
//! rows            varint
//! schema          u8       two's complement
//! zero threshold  floats   one
//! bounds          varint count, then as many floats
//! flags           u8       bit 0: counts are the sums of their buckets, others 0
//! runs            up to the section's rows: varint rows, positive spans, negative spans;
//!                 spans are a varint count and for each a signed offset and a varint length
//! resets          integers rows: 0 unknown, 1 reset, 2 not reset, 3 gauge
//! sums            floats   rows
//! zero counts     floats   rows
//! counts          floats   rows, unless the flag says they can be summed up
//! buckets         floats   for each bucket of any run, positive ones first, each side ascending: as many as rows have it
//! ```
//!
//! A section ends where schema, zero threshold or bounds change. "Floats" and "integers" are columns of these kinds.
//! A count that is the sum is `zero count + positive buckets + negative buckets`, added up in this order.

mod layout;

use std::borrow::Borrow;

use model::{CounterReset, Histogram};

use self::layout::{Columns, Layout};
use crate::ints::{self, Column};
use crate::wire::{Reader, flag, put_varint};
use crate::{DecodeError, EncodeError, floats};

/// How many buckets, spans and custom bounds all histograms of a column may have together: a bound to what a few corrupt
/// bytes can ask for, about 32 MiB.
pub const MAX_CELLS: usize = 1 << 22;

const WHAT: &str = "histogram column";
const SUMMED_COUNTS: u8 = 1;
const RESETS: [CounterReset; 4] =
    [CounterReset::Unknown, CounterReset::Reset, CounterReset::NotReset, CounterReset::Gauge];

/// Appends a column; nothing for no histograms. Lossless: empty spans and the bits of every float come back.
///
/// # Errors
/// If a histogram contradicts itself, or they have more than [`MAX_CELLS`] allows. Nothing was appended then.
pub fn encode<H: Borrow<Histogram>>(histograms: &[H], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let cells = histograms.iter().map(|histogram| cells(histogram.borrow())).sum();
    if cells > MAX_CELLS {
        return Err(EncodeError::TooLarge(cells));
    }
    let start = out.len();
    for section in histograms.chunk_by(|a, b| same_scale(a.borrow(), b.borrow())) {
        if let Err(error) = encode_section(section, out) {
            out.truncate(start);
            return Err(error);
        }
    }
    Ok(())
}

fn cells(histogram: &Histogram) -> usize {
    let Histogram { positive_spans, positive_buckets, negative_spans, negative_buckets, custom_values, .. } = histogram;
    let buckets = positive_buckets.len() + negative_buckets.len();
    buckets + positive_spans.len() + negative_spans.len() + custom_values.len()
}

fn same_scale(a: &Histogram, b: &Histogram) -> bool {
    let same_bits = |a: &[f64], b: &[f64]| a.iter().map(|a| a.to_bits()).eq(b.iter().map(|b| b.to_bits()));
    a.schema == b.schema
        && same_bits(&[a.zero_threshold], &[b.zero_threshold])
        && same_bits(&a.custom_values, &b.custom_values)
}

fn encode_section<H: Borrow<Histogram>>(section: &[H], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let runs = runs(section)?;
    let first = section[0].borrow();
    let summed = section.iter().all(|histogram| has_summed_count(histogram.borrow()));
    put_varint(section.len() as u64, out);
    out.push(first.schema as u8);
    floats::encode(&[first.zero_threshold], out);
    put_varint(first.custom_values.len() as u64, out);
    floats::encode(&first.custom_values, out);
    out.push(flag(summed, SUMMED_COUNTS));
    for (rows, layout) in &runs {
        put_varint(*rows as u64, out);
        layout.encode(out);
    }
    let reset = |histogram: &H| RESETS.iter().position(|reset| *reset == histogram.borrow().counter_reset);
    let mut resets: Vec<_> = section.iter().map(|histogram| reset(histogram).unwrap_or(0) as i64).collect();
    ints::encode(&mut resets, out);
    let mut values = Vec::with_capacity(section.len());
    let mut encode_column = |value: fn(&Histogram) -> f64| {
        values.clear();
        values.extend(section.iter().map(|histogram| value(histogram.borrow())));
        floats::encode(&values, out);
    };
    encode_column(|histogram| histogram.sum);
    encode_column(|histogram| histogram.zero_count);
    if !summed {
        encode_column(|histogram| histogram.count);
    }
    encode_buckets(section, &runs, out);
    Ok(())
}

/// How many rows in turn have which layout.
fn runs<H: Borrow<Histogram>>(section: &[H]) -> Result<Vec<(usize, Layout)>, EncodeError> {
    let mut runs: Vec<(usize, Layout)> = Vec::new();
    for histogram in section {
        match runs.last_mut() {
            Some((rows, layout)) if layout.fits(histogram.borrow()) => *rows += 1,
            _ => runs.push((1, Layout::of(histogram.borrow())?)),
        }
    }
    Ok(runs)
}

fn encode_buckets<H: Borrow<Histogram>>(section: &[H], runs: &[(usize, Layout)], out: &mut Vec<u8>) {
    let Columns { lengths, places } = Columns::of(runs, MAX_CELLS).expect("the cells were counted");
    let mut columns: Vec<Vec<f64>> = lengths.into_iter().map(Vec::with_capacity).collect();
    let mut rest = section;
    for ((rows, _), places) in runs.iter().zip(&places) {
        let run;
        (run, rest) = rest.split_at(*rows);
        for histogram in run {
            for (place, bucket) in places.iter().zip(buckets(histogram.borrow())) {
                columns[*place].push(*bucket);
            }
        }
    }
    for column in columns {
        floats::encode(&column, out);
    }
}

fn buckets(histogram: &Histogram) -> impl Iterator<Item = &f64> {
    histogram.positive_buckets.iter().chain(&histogram.negative_buckets)
}

/// Whether the count need not be kept. The bits of a NaN that is summed up depend on the processor.
fn has_summed_count(histogram: &Histogram) -> bool {
    summed_count(histogram).to_bits() == histogram.count.to_bits() && !histogram.count.is_nan()
}

fn summed_count(histogram: &Histogram) -> f64 {
    buckets(histogram).fold(histogram.zero_count, |sum, bucket| sum + bucket)
}

/// Appends `count` histograms, and returns the bytes after the column.
///
/// # Errors
/// If the bytes are no column of that many histograms. What was appended then means nothing.
pub fn decode<'a>(bytes: &'a [u8], count: usize, out: &mut Vec<Histogram>) -> Result<&'a [u8], DecodeError> {
    let mut reader = Reader::new(WHAT, bytes);
    let mut left = count;
    let mut cells = MAX_CELLS;
    while left > 0 {
        let rows = decode_rows(&mut reader, left)?;
        left -= rows;
        decode_section(&mut reader, rows, &mut cells, out)?;
    }
    Ok(reader.rest())
}

/// `cells` is how many of [`MAX_CELLS`] are left.
fn decode_section(
    reader: &mut Reader<'_>,
    rows: usize,
    cells: &mut usize,
    out: &mut Vec<Histogram>,
) -> Result<(), DecodeError> {
    let schema = reader.byte()? as i8;
    let zero_threshold = decode_floats(reader, 1)?[0];
    let bounds = reader.count("a number of bounds", *cells / rows)?;
    *cells -= rows * bounds;
    let custom_values = decode_floats(reader, bounds)?;
    let flags = reader.byte()?;
    if flags & !SUMMED_COUNTS != 0 {
        return Err(DecodeError::UnknownTag { what: WHAT, tag: flags });
    }
    let runs = decode_runs(reader, rows, cells)?;
    let resets = decode_resets(reader, rows)?;
    let sums = decode_floats(reader, rows)?;
    let zero_counts = decode_floats(reader, rows)?;
    let counts = if flags & SUMMED_COUNTS == 0 { Some(decode_floats(reader, rows)?) } else { None };
    // Each column takes a byte at least.
    let Columns { lengths, places } = Columns::of(&runs, reader.rest().len()).ok_or(DecodeError::Truncated(WHAT))?;
    let columns: Result<Vec<_>, _> = lengths.into_iter().map(|length| decode_floats(reader, length)).collect();
    let mut columns: Vec<_> = columns?.into_iter().map(Vec::into_iter).collect();
    let mut row = 0;
    for ((rows, layout), places) in runs.into_iter().zip(&places) {
        let (positive, negative) = places.split_at(layout.positive_buckets());
        for _ in 0..rows {
            let mut take = |places: &[usize]| {
                let values = places.iter().map(|place| columns[*place].next());
                values.map(|value| value.expect("a column is as long as rows have its bucket")).collect()
            };
            let mut histogram = Histogram {
                schema,
                counter_reset: resets[row],
                zero_threshold,
                zero_count: zero_counts[row],
                count: 0.0,
                sum: sums[row],
                positive_spans: layout.positive.clone(),
                positive_buckets: take(positive),
                negative_spans: layout.negative.clone(),
                negative_buckets: take(negative),
                custom_values: custom_values.clone(),
            };
            histogram.count = counts.as_ref().map_or_else(|| summed_count(&histogram), |counts| counts[row]);
            out.push(histogram);
            row += 1;
        }
    }
    Ok(())
}

fn decode_runs(reader: &mut Reader<'_>, rows: usize, cells: &mut usize) -> Result<Vec<(usize, Layout)>, DecodeError> {
    let mut runs = Vec::new();
    let mut left = rows;
    while left > 0 {
        let rows = decode_rows(reader, left)?;
        let layout = Layout::decode(reader)?;
        left -= rows;
        let needed = rows.saturating_mul(layout.cells());
        let what = "what layouts ask for";
        let too_large = DecodeError::TooLarge { what, value: needed as u64, limit: *cells as u64 };
        *cells = cells.checked_sub(needed).ok_or(too_large)?;
        runs.push((rows, layout));
    }
    Ok(runs)
}

/// How many of the rows that are left belong together: one at least.
fn decode_rows(reader: &mut Reader<'_>, left: usize) -> Result<usize, DecodeError> {
    match reader.count("a number of rows", left)? {
        0 => Err(DecodeError::Mismatch { what: "a number of rows", found: 0, expected: left }),
        rows => Ok(rows),
    }
}

fn decode_resets(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<CounterReset>, DecodeError> {
    let mut codes = vec![0; rows];
    Column::parse(reader, rows)?.decode(&mut codes)?;
    let reset = |code: i64| {
        let reset = usize::try_from(code).ok().and_then(|code| RESETS.get(code));
        reset.copied().ok_or(DecodeError::TooLarge { what: "a counter reset", value: code as u64, limit: 3 })
    };
    codes.into_iter().map(reset).collect()
}

fn decode_floats(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, DecodeError> {
    let mut values = vec![0.0; count];
    let rest = floats::decode(reader.rest(), &mut values)?;
    *reader = Reader::new(WHAT, rest);
    Ok(values)
}

#[cfg(test)]
mod tests;
