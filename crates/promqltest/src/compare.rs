//! Comparing results.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{MatrixSeries, Value, VectorSample};
use model::{Histogram, Labels, is_stale};

use crate::script::{Expected, ExpectedPoint, ExpectedSeries};

/// How far numbers may differ, relatively.
const EPSILON: f64 = 0.000_001;

/// What is wrong with the result of an instant query; `None` if nothing is.
pub(crate) fn instant_mismatch(expected: &Expected, value: &Value, is_ordered: bool) -> Option<String> {
    match (expected, value) {
        (Expected::Scalar(expected), Value::Scalar(actual)) => {
            (!is_almost(*expected, *actual)).then(|| format!("expected {expected}, got {actual}"))
        }
        (Expected::String(expected), Value::String(actual)) => {
            (expected != actual).then(|| format!("expected {expected:?}, got {actual:?}"))
        }
        (Expected::Series(expected), Value::Vector(vector)) => vector_mismatch(expected, vector, is_ordered),
        (expected, actual) => Some(format!("expected {}, got {actual:?}", kind_of(expected))),
    }
}

/// What is wrong with a matrix whose points are expected at these times: the first one, and those between two; `None` if
/// nothing is.
pub(crate) fn matrix_mismatch(expected: &[ExpectedSeries], value: &Value, (start, step): (i64, i64)) -> Option<String> {
    let Value::Matrix(matrix) = value else { return Some(format!("expected a matrix, got {value:?}")) };
    let matrix: Vec<MatrixSeries> = matrix.iter().collect();
    if let Some(mismatch) = order_mismatch(&matrix) {
        return Some(mismatch);
    }
    let actual: BTreeMap<&Labels, &MatrixSeries> = matrix.iter().map(|series| (&series.labels, series)).collect();
    if let Some(mismatch) = labels_mismatch(expected, actual.keys().copied().collect()) {
        return Some(mismatch);
    }
    expected.iter().find_map(|series| {
        let mismatch = series_mismatch(series, actual.get(&series.labels)?, start, step)?;
        Some(format!("{}: {mismatch}", series.labels))
    })
}

/// The vector that a matrix is at a time.
pub(crate) fn vector_at(matrix: &[MatrixSeries], time: i64) -> Vec<VectorSample> {
    let value_at = |series: &MatrixSeries| {
        let float = series.floats.iter().find(|(at, _)| *at == time).map(|(_, value)| model::Value::Float(*value));
        let histogram = series.histograms.iter().find(|(at, _)| *at == time);
        float.or_else(|| histogram.map(|(_, histogram)| model::Value::Histogram(Arc::clone(histogram))))
    };
    let samples = matrix
        .iter()
        .filter_map(|series| Some(VectorSample { labels: series.labels.clone(), value: value_at(series)? }));
    samples.collect()
}

/// What is wrong with the order of a matrix, which must be that of the labels.
pub(crate) fn order_mismatch(matrix: &[MatrixSeries]) -> Option<String> {
    let is_sorted = matrix.is_sorted_by(|a, b| a.labels < b.labels);
    (!is_sorted).then(|| "the series are not sorted by labels".to_owned())
}

fn kind_of(expected: &Expected) -> String {
    match expected {
        Expected::Scalar(value) => format!("the scalar {value}"),
        Expected::String(text) => format!("the string {text:?}"),
        Expected::Series(series) => format!("a vector of {} series", series.len()),
    }
}

fn vector_mismatch(expected: &[ExpectedSeries], vector: &[VectorSample], is_ordered: bool) -> Option<String> {
    let actual: BTreeMap<&Labels, &VectorSample> = vector.iter().map(|sample| (&sample.labels, sample)).collect();
    if actual.len() != vector.len() {
        return Some("a series comes twice".to_owned());
    }
    if let Some(mismatch) = labels_mismatch(expected, actual.keys().copied().collect()) {
        return Some(mismatch);
    }
    for (at, series) in expected.iter().enumerate() {
        if is_ordered && vector[at].labels != series.labels {
            return Some(format!("expected {} at position {at}, got {}", series.labels, vector[at].labels));
        }
        let [point] = series.points.as_slice() else {
            return Some(format!("{} is expected to have {} points", series.labels, series.points.len()));
        };
        if let Some(mismatch) = point_mismatch(point, &actual.get(&series.labels)?.value) {
            return Some(format!("{}: {mismatch}", series.labels));
        }
    }
    None
}

/// What is wrong with the set of series.
fn labels_mismatch(expected: &[ExpectedSeries], actual: Vec<&Labels>) -> Option<String> {
    if let Some(missing) = expected.iter().find(|series| !actual.contains(&&series.labels)) {
        return Some(format!("missing {} among {} series", missing.labels, actual.len()));
    }
    let unexpected = actual.into_iter().find(|labels| !expected.iter().any(|series| series.labels == **labels))?;
    Some(format!("unexpected {unexpected}"))
}

fn series_mismatch(expected: &ExpectedSeries, actual: &MatrixSeries, start: i64, step: i64) -> Option<String> {
    let mut floats = actual.floats.iter();
    let mut histograms = actual.histograms.iter();
    for (at, point) in expected.points.iter().enumerate() {
        let time = start + at as i64 * step;
        let (actual_time, value) = match point {
            ExpectedPoint::Missing => continue,
            ExpectedPoint::Float(_) => match floats.next() {
                Some((time, value)) => (*time, model::Value::Float(*value)),
                None => return Some(format!("no float at {time} ms")),
            },
            ExpectedPoint::Histogram { .. } => match histograms.next() {
                Some((time, value)) => (*time, model::Value::Histogram(value.clone())),
                None => return Some(format!("no histogram at {time} ms")),
            },
        };
        if actual_time != time {
            return Some(format!("expected a value at {time} ms, got one at {actual_time} ms"));
        }
        if let Some(mismatch) = point_mismatch(point, &value) {
            return Some(format!("at {time} ms: {mismatch}"));
        }
    }
    let more = floats.len() + histograms.len();
    (more > 0).then(|| format!("{more} points more than expected"))
}

fn point_mismatch(expected: &ExpectedPoint, actual: &model::Value) -> Option<String> {
    match (expected, actual) {
        (ExpectedPoint::Float(expected), model::Value::Float(actual)) => {
            (!is_almost(*expected, *actual)).then(|| format!("expected {expected}, got {actual}"))
        }
        (ExpectedPoint::Histogram { histogram, is_hint_given }, model::Value::Histogram(actual)) => {
            let is_hint_right = !is_hint_given || histogram.counter_reset == actual.counter_reset;
            let is_same = is_hint_right && is_almost_histogram(histogram, actual);
            (!is_same).then(|| format!("expected {}, got {}", show(histogram), show(actual)))
        }
        (ExpectedPoint::Missing, _) => Some("expected no value".to_owned()),
        (ExpectedPoint::Float(expected), model::Value::Histogram(_)) => {
            Some(format!("expected {expected}, got a histogram"))
        }
        (ExpectedPoint::Histogram { .. }, model::Value::Float(actual)) => {
            Some(format!("expected a histogram, got {actual}"))
        }
    }
}

fn show(histogram: &Histogram) -> String {
    format!("{histogram:?}")
}

fn is_almost(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let (difference, sum) = ((a - b).abs(), a.abs() + b.abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

fn is_almost_histogram(expected: &Histogram, actual: &Histogram) -> bool {
    let (mut a, mut b) = (expected.clone(), actual.clone());
    a.compact(0);
    b.compact(0);
    let are_almost = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_almost(*a, *b));
    a.schema == b.schema
        && is_almost(a.count, b.count)
        && is_almost(a.sum, b.sum)
        && is_almost(a.zero_count, b.zero_count)
        && a.zero_threshold == b.zero_threshold
        && a.custom_values == b.custom_values
        && a.has_same_spans(&b)
        && are_almost(&a.positive_buckets, &b.positive_buckets)
        && are_almost(&a.negative_buckets, &b.negative_buckets)
}
