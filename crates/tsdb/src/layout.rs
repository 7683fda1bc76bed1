//! What all histograms of a chunk have in common, at its beginning.

use model::{CUSTOM_BUCKETS_SCHEMA, Histogram, Span};

use crate::DecodeError;
use crate::bits::{BitReader, BitWriter};
use crate::varbit::{read_int, read_uint, write_int, write_uint};

/// The largest custom bound that is told in thousandths, times 1000.
const MOST_THOUSANDTHS: f64 = 33_554_430.0;
/// What the exponent of a zero threshold that is a power of two is told with.
const THRESHOLD_BIAS: i32 = 243;

/// Writes zero threshold, schema, spans and custom bounds.
pub(crate) fn write(out: &mut BitWriter, histogram: &Histogram) {
    write_zero_threshold(out, histogram.zero_threshold);
    write_int(out, i64::from(histogram.schema));
    write_spans(out, &histogram.positive_spans);
    write_spans(out, &histogram.negative_spans);
    if histogram.schema == CUSTOM_BUCKETS_SCHEMA {
        write_uint(out, histogram.custom_values.len() as u64);
        histogram.custom_values.iter().for_each(|bound| write_bound(out, *bound));
    }
}

/// Reads a histogram that has a layout, and no counts yet.
pub(crate) fn read(bits: &mut BitReader<'_>) -> Result<Histogram, DecodeError> {
    let zero_threshold = read_zero_threshold(bits)?;
    let schema = read_int(bits)?.try_into().map_err(|_| DecodeError::Corrupt("there is no such schema"))?;
    let (positive_spans, negative_spans) = (read_spans(bits)?, read_spans(bits)?);
    let mut custom_values = Vec::new();
    if schema == CUSTOM_BUCKETS_SCHEMA {
        for _ in 0..read_uint(bits)? {
            custom_values.push(read_bound(bits)?);
        }
    }
    Ok(Histogram { schema, zero_threshold, positive_spans, negative_spans, custom_values, ..Histogram::default() })
}

/// One byte for 0 and for powers of two from 2^-243 to 2^10, nine for others.
fn write_zero_threshold(out: &mut BitWriter, threshold: f64) {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = threshold.to_bits();
    // As a half to one times a power of two, which is how Go takes a float apart.
    let exponent = (bits >> 52) as i32 - 1022;
    let is_power = bits & MANTISSA == 0 && (-242..=11).contains(&exponent);
    match threshold {
        0.0 => out.write(0, 8),
        _ if is_power => out.write((exponent + THRESHOLD_BIAS) as u64, 8),
        _ => {
            out.write(255, 8);
            out.write(bits, 64);
        }
    }
}

fn read_zero_threshold(bits: &mut BitReader<'_>) -> Result<f64, DecodeError> {
    Ok(match bits.read(8)? {
        0 => 0.0,
        255 => f64::from_bits(bits.read(64)?),
        exponent => 0.5 * 2f64.powi(exponent as i32 - THRESHOLD_BIAS),
    })
}

fn write_spans(out: &mut BitWriter, spans: &[Span]) {
    write_uint(out, spans.len() as u64);
    for span in spans {
        write_uint(out, u64::from(span.length));
        write_int(out, i64::from(span.offset));
    }
}

fn read_spans(bits: &mut BitReader<'_>) -> Result<Vec<Span>, DecodeError> {
    let mut spans = Vec::new();
    for _ in 0..read_uint(bits)? {
        let wrong = |_| DecodeError::Corrupt("a span is out of range");
        let length = read_uint(bits)?.try_into().map_err(wrong)?;
        let offset = read_int(bits)?.try_into().map_err(wrong)?;
        spans.push(Span { offset, length });
    }
    Ok(spans)
}

/// Thousandths plus one, if it is some; else a 0 and all bits.
fn write_bound(out: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    let is_whole = thousandths.round() / 1000.0 == bound;
    if (0.0..=MOST_THOUSANDTHS).contains(&thousandths) && is_whole {
        write_uint(out, thousandths.round() as u64 + 1);
    } else {
        out.write(0, 1);
        out.write(bound.to_bits(), 64);
    }
}

fn read_bound(bits: &mut BitReader<'_>) -> Result<f64, DecodeError> {
    Ok(match read_uint(bits)? {
        0 => f64::from_bits(bits.read(64)?),
        thousandths => (thousandths - 1) as f64 / 1000.0,
    })
}
