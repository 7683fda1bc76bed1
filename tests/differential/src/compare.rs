//! How two answers differ.

use std::fmt;

use engine::{MatrixSeries, Value};
use model::{CounterReset, Histogram, Labels};

use crate::Outcome;
use crate::notation::histogram_text;

/// How far numbers may differ, relatively: both sides add and multiply in different orders here and there.
const EPSILON: f64 = 1e-6;

/// How two answers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What kind it is.
    pub kind: Kind,
    /// What the oracle says.
    pub expected: String,
    /// What we say.
    pub got: String,
}

/// What differs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Our engine panicked.
    Panic,
    /// One failed, or both with different messages.
    Failure,
    /// The type of the result.
    Type,
    /// Which series there are.
    Series,
    /// The order of the series.
    Order,
    /// At which times a series has values, and whether they are floats.
    Times,
    /// A number.
    Number,
    /// A native histogram.
    Histogram,
    /// What a native histogram says about resets.
    Hint,
    /// A warning.
    Warning,
    /// An info.
    Info,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}\nexpected: {}\ngot:      {}", self.kind, self.expected, self.got)
    }
}

/// How our answer to a query differs from that of the oracle.
///
/// Series of instant vectors have no order, unless the outermost function gives them one.
pub fn compare(query: &str, expected: &Outcome, got: &Outcome) -> Option<Difference> {
    match (expected, got) {
        (Outcome::Failed(expected), Outcome::Failed(got)) => {
            let kind = if got == "PANIC" { Kind::Panic } else { Kind::Failure };
            differ(kind, expected, got)
        }
        (Outcome::Failed(message), Outcome::Answered { value, .. }) => {
            difference(Kind::Failure, message, format!("{value:?}"))
        }
        (Outcome::Answered { value, .. }, Outcome::Failed(message)) => {
            let kind = if message == "PANIC" { Kind::Panic } else { Kind::Failure };
            difference(kind, format!("{value:?}"), message)
        }
        (
            Outcome::Answered { value: expected, warnings: expected_warnings, infos: expected_infos },
            Outcome::Answered { value: got, warnings, infos },
        ) => compare_values(expected, got, order_of(query, expected))
            .or_else(|| differ(Kind::Warning, format!("{expected_warnings:?}"), format!("{warnings:?}")))
            .or_else(|| differ(Kind::Info, uncounted(expected_infos), uncounted(infos))),
    }
}

/// Infos without the number of samples of which one tells: in a range query Prometheus counts those of earlier steps again
/// at each step, so that it doubles and soon overflows. We count each once.
fn uncounted(infos: &[String]) -> String {
    let uncounted = |info: &String| match info.split_once(", over ") {
        Some((before, counted)) => {
            format!("{before}, over{}", counted.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-'))
        }
        None => info.clone(),
    };
    format!("{:?}", infos.iter().map(uncounted).collect::<Vec<_>>())
}

fn differ(kind: Kind, expected: impl Into<String>, got: impl Into<String>) -> Option<Difference> {
    let (expected, got) = (expected.into(), got.into());
    (!is_same_text(&expected, &got)).then_some(Difference { kind, expected, got })
}

/// Whether two texts are the same, but for the last digits of numbers.
fn is_same_text(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split(' '), b.split(' '));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                let [a, b] = [a, b].map(|word| word.trim_end_matches(',').parse::<f64>());
                match (a, b) {
                    (Ok(a), Ok(b)) if is_almost(a, b) => {}
                    _ => return false,
                }
            }
            _ => return false,
        }
    }
}

fn difference(kind: Kind, expected: impl Into<String>, got: impl Into<String>) -> Option<Difference> {
    Some(Difference { kind, expected: expected.into(), got: got.into() })
}

/// What the outermost function says about the order of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// None.
    Any,
    /// Values decide; of equal ones any may come first.
    ByValue,
    /// Labels decide.
    Given,
}

/// What the outermost function says about the order of its result.
///
/// Prometheus compares nothing with a label that a series lacks, so that those series come anywhere.
fn order_of(query: &str, value: &Value) -> Order {
    let Ok(expr) = promql::parse(query, &promql::ParseOptions::ALL) else { return Order::Any };
    let Value::Vector(vector) = value else { return Order::Any };
    match expr.without_parens() {
        promql::Expr::Call(call) if call.function.name.starts_with("sort_by_label") => {
            let mut labels = call.args.iter().filter_map(|arg| match arg {
                promql::Expr::String(string) => Some(string.value.as_str()),
                _ => None,
            });
            let has_all = labels.all(|label| vector.iter().all(|sample| sample.labels.get(label).is_some()));
            if has_all { Order::Given } else { Order::Any }
        }
        promql::Expr::Call(call) if call.function.name.starts_with("sort") => Order::ByValue,
        promql::Expr::Aggregation(aggregation) => {
            let is_top = matches!(aggregation.op, promql::AggregateOp::Topk | promql::AggregateOp::Bottomk);
            let has_groups = aggregation.grouping.without || !aggregation.grouping.labels.is_empty();
            if is_top && !has_groups { Order::ByValue } else { Order::Any }
        }
        _ => Order::Any,
    }
}

fn compare_values(expected: &Value, got: &Value, order: Order) -> Option<Difference> {
    match (expected, got) {
        (Value::Scalar(expected), Value::Scalar(got)) => {
            (!is_almost(*expected, *got)).then(|| differ(Kind::Number, expected.to_string(), got.to_string()))?
        }
        (Value::String(expected), Value::String(got)) => differ(Kind::Type, expected, got),
        (Value::Vector(_), Value::Vector(_)) => {
            let (mut expected, mut got) = (rows(expected), rows(got));
            if order == Order::ByValue
                && let Some(difference) = compare_value_order(&expected, &got)
            {
                return Some(difference);
            }
            if order != Order::Given {
                expected.sort_by(|a, b| a.labels.cmp(&b.labels));
                got.sort_by(|a, b| a.labels.cmp(&b.labels));
            }
            compare_rows(&expected, &got)
        }
        (Value::Matrix(expected), Value::Matrix(got)) => {
            compare_rows(&expected.iter().collect::<Vec<_>>(), &got.iter().collect::<Vec<_>>())
        }
        (expected, got) => difference(Kind::Type, format!("{expected:?}"), format!("{got:?}")),
    }
}

/// Whether the values come in the same order, whatever series they belong to.
fn compare_value_order(expected: &[MatrixSeries], got: &[MatrixSeries]) -> Option<Difference> {
    let values = |rows: &[MatrixSeries]| {
        rows.iter().map(|row| row.floats.first().map_or(f64::NAN, |(_, value)| *value)).collect()
    };
    let (expected, got): (Vec<f64>, Vec<f64>) = (values(expected), values(got));
    let is_same = expected.len() == got.len() && expected.iter().zip(&got).all(|(a, b)| is_almost(*a, *b));
    (!is_same).then(|| difference(Kind::Order, format!("{expected:?}"), format!("{got:?}")))?
}

/// A vector as a matrix.
fn rows(value: &Value) -> Vec<MatrixSeries> {
    let Value::Vector(vector) = value else { return Vec::new() };
    let row = |sample: &engine::VectorSample| {
        let (floats, histograms) = match &sample.value {
            model::Value::Float(value) => (vec![(0, *value)], Vec::new()),
            model::Value::Histogram(histogram) => (Vec::new(), vec![(0, histogram.clone())]),
        };
        MatrixSeries { labels: sample.labels.clone(), floats, histograms }
    };
    vector.iter().map(row).collect()
}

fn compare_rows(expected: &[MatrixSeries], got: &[MatrixSeries]) -> Option<Difference> {
    let names = |rows: &[MatrixSeries]| rows.iter().map(|row| row.labels.clone()).collect::<Vec<Labels>>();
    let (expected_names, got_names) = (names(expected), names(got));
    if expected_names != got_names {
        let sorted = |mut names: Vec<Labels>| {
            names.sort();
            names
        };
        let is_same_set = sorted(expected_names.clone()) == sorted(got_names.clone());
        let kind = if is_same_set { Kind::Order } else { Kind::Series };
        return difference(kind, show(&expected_names), show(&got_names));
    }
    expected.iter().zip(got).find_map(|(expected, got)| compare_points(expected, got))
}

fn show(names: &[Labels]) -> String {
    names.iter().map(Labels::to_string).collect::<Vec<_>>().join(" ")
}

fn compare_points(expected: &MatrixSeries, got: &MatrixSeries) -> Option<Difference> {
    let times = |row: &MatrixSeries| {
        let floats: Vec<i64> = row.floats.iter().map(|(time, _)| *time).collect();
        let histograms: Vec<i64> = row.histograms.iter().map(|(time, _)| *time).collect();
        format!("{} floats at {floats:?}, histograms at {histograms:?}", row.labels)
    };
    if let Some(difference) = differ(Kind::Times, times(expected), times(got)) {
        return Some(difference);
    }
    for ((time, expected_value), (_, value)) in expected.floats.iter().zip(&got.floats) {
        if !is_almost(*expected_value, *value) {
            let at = format!("{} at {time}:", expected.labels);
            return difference(Kind::Number, format!("{at} {expected_value}"), format!("{at} {value}"));
        }
    }
    for ((time, expected_value), (_, value)) in expected.histograms.iter().zip(&got.histograms) {
        let at = |value: &Histogram| format!("{} at {time}: {}", expected.labels, histogram_text(value));
        if !is_almost_histogram(expected_value, value) {
            return difference(Kind::Histogram, at(expected_value), at(value));
        }
        // The first histogram of a chunk does not know whether there was a reset, and we have no chunks of Prometheus' size.
        let known = |value: &Histogram| match value.counter_reset {
            CounterReset::NotReset => CounterReset::Unknown,
            other => other,
        };
        if known(expected_value) != known(value) {
            return difference(Kind::Hint, at(expected_value), at(value));
        }
    }
    None
}

fn is_almost(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= EPSILON * a.abs().max(b.abs()).min(f64::MAX)
}

fn is_almost_histogram(expected: &Histogram, got: &Histogram) -> bool {
    let (mut a, mut b) = (expected.clone(), got.clone());
    a.compact(0);
    b.compact(0);
    let are_almost = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_almost(*a, *b));
    // Empty buckets, which Prometheus' chunks add, are seen once they were multiplied with infinity or with NaN.
    if !a.count.is_finite() {
        return a.schema == b.schema && is_almost(a.count, b.count) && is_almost(a.sum, b.sum);
    }
    a.schema == b.schema
        && is_almost(a.count, b.count)
        && is_almost(a.sum, b.sum)
        // With custom buckets there is no zero bucket, whatever the field says.
        && (a.has_custom_buckets() || is_almost(a.zero_count, b.zero_count))
        && is_almost(a.zero_threshold, b.zero_threshold)
        && are_almost(&a.custom_values, &b.custom_values)
        && a.has_same_spans(&b)
        && are_almost(&a.positive_buckets, &b.positive_buckets)
        && are_almost(&a.negative_buckets, &b.negative_buckets)
}
