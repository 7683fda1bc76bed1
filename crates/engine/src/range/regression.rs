//! Lines through samples: `deriv`, `predict_linear` and `double_exponential_smoothing`.

use model::{CompensatedSum, format_float_fixed};
use series::QueryError;

use super::Remarks;
use super::window::{Outcome, Points, Window};
use crate::annotation::Remark;

/// The slope of the line through the floats.
pub(super) fn deriv(window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    if !has_two_floats(window, remarks) {
        return Outcome::Nothing;
    }
    // A time near the samples keeps the numbers small.
    let (slope, _) = linear_regression(&window.floats, window.floats.times[0]);
    Outcome::Float(slope)
}

/// Where the line through the floats is so many seconds from now.
pub(super) fn predict_linear(window: &Window<'_>, seconds: f64, remarks: &mut Remarks<'_>) -> Outcome {
    if !has_two_floats(window, remarks) {
        return Outcome::Nothing;
    }
    let (slope, intercept) = linear_regression(&window.floats, window.time);
    Outcome::Float(slope * seconds + intercept)
}

/// The last value of the floats, smoothed: the smaller `smoothing`, the more former values weigh, and the larger `trend`,
/// the more their last changes.
///
/// # Errors
/// If a factor is not between 0 and 1.
pub(super) fn smooth(
    window: &Window<'_>,
    smoothing: f64,
    trend: f64,
    remarks: &mut Remarks<'_>,
) -> Result<Outcome, QueryError> {
    for (name, short, factor) in [("smoothing", "sf", smoothing), ("trend", "tf", trend)] {
        if factor <= 0.0 || factor >= 1.0 {
            let got = format_float_fixed(factor, 6);
            return Err(QueryError::Execution(format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {got}")));
        }
    }
    if !has_two_floats(window, remarks) {
        return Ok(Outcome::Nothing);
    }
    let values = window.floats.values;
    let (mut before, mut level, mut slope) = (0.0, values[0], values[1] - values[0]);
    for (at, value) in values[1..].iter().enumerate() {
        if at > 0 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        (before, level) = (level, smoothing * value + (1.0 - smoothing) * (level + slope));
    }
    Ok(Outcome::Float(level))
}

/// Whether there are two floats, without which there is no line. Remarks on histograms beside floats.
fn has_two_floats(window: &Window<'_>, remarks: &mut Remarks<'_>) -> bool {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        remarks.add(Remark::IgnoredInMixedRange);
    }
    window.floats.len() >= 2
}

/// Slope per second, and value at a time, of the line with the least squares.
fn linear_regression(floats: &Points<'_, f64>, time: i64) -> (f64, f64) {
    let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [CompensatedSum::default(); 4];
    let first = floats.values[0];
    for (at, value) in floats.times.iter().zip(floats.values) {
        let x = (at - time) as f64 / 1e3;
        sum_x.add(x);
        sum_y.add(*value);
        sum_xy.add(x * value);
        sum_xx.add(x * x);
    }
    if floats.values[1..].iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let n = floats.len() as f64;
    let [x, y, xy, xx] = [sum_x, sum_y, sum_xy, sum_xx].map(CompensatedSum::total);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}
