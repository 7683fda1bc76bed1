//! Values between two samples.

use model::{Histogram, IncompatibleSchemas};
use promql::Span;

use crate::annotation::{Annotations, HistogramOperation, Remark};

/// The value at a time between two samples, on the line between them. A counter that fell started again from 0 at the first.
pub(crate) fn interpolate(before: (i64, f64), after: (i64, f64), time: i64, is_counter: bool) -> f64 {
    let from = if is_counter && after.1 < before.1 { 0.0 } else { before.1 };
    from + (after.1 - from) * (time - before.0) as f64 / (after.0 - before.0) as f64
}

/// [`interpolate`] for histograms.
///
/// # Errors
/// If one has exponential and the other one custom buckets.
pub(crate) fn interpolate_histograms(
    (before_time, before): (i64, &Histogram),
    (after_time, after): (i64, &Histogram),
    time: i64,
    is_counter: bool,
    span: Span,
    annotations: &mut Annotations,
) -> Result<Histogram, IncompatibleSchemas> {
    if time == before_time {
        return Ok(before.clone());
    }
    let mut result = after.clone();
    if time == after_time {
        return Ok(result);
    }
    let fraction = (time - before_time) as f64 / (after_time - before_time) as f64;
    if is_counter && after.is_reset_after(before) {
        result.multiply(fraction);
        return Ok(result);
    }
    let subtracted = result.subtract(before)?;
    if subtracted.has_mismatched_bounds {
        annotations.add(span, Remark::MismatchedBounds(HistogramOperation::Subtraction), "");
    }
    result.multiply(fraction);
    if result.add(before)?.has_mismatched_bounds {
        annotations.add(span, Remark::MismatchedBounds(HistogramOperation::Addition), "");
    }
    Ok(result)
}
