//! Answers, as far as JSON can tell them.

use std::collections::BTreeMap;

use engine::{Annotation, MatrixSeries, Severity, Value, VectorSample};
use model::{Histogram, Labels};
use serde_json::Value as Json;

use crate::Answer;

/// An answer, as far as JSON can tell it. Numbers are texts: what is to be compared are digits.
#[derive(Debug, PartialEq)]
pub(super) enum Shown {
    Error(String),
    Value { kind: String, series: Vec<ShownSeries>, warnings: Vec<String>, infos: Vec<String> },
}

#[derive(Debug, PartialEq)]
pub(super) struct ShownSeries {
    labels: BTreeMap<String, String>,
    /// Times in ms and values: floats, then histograms.
    points: Vec<(i64, String)>,
}

pub(super) fn shown(answer: &Answer) -> Shown {
    let remarks = |severity| {
        let wanted = |annotation: &&Annotation| annotation.severity == severity;
        answer.annotations.iter().filter(wanted).map(|annotation| annotation.text.clone()).collect()
    };
    let (kind, series) = match &answer.value {
        Value::Scalar(value) => ("scalar", vec![unnamed(value.to_string().replace("inf", "Inf"))]),
        Value::String(text) => ("string", vec![unnamed(text.clone())]),
        Value::Vector(samples) => ("vector", samples.iter().map(shown_sample).collect()),
        Value::Matrix(series) => ("matrix", series.iter().map(|series| shown_series(&series)).collect()),
    };
    let (warnings, infos) = (remarks(Severity::Warning), remarks(Severity::Info));
    Shown::Value { kind: kind.to_owned(), series, warnings, infos }
}

fn unnamed(value: String) -> ShownSeries {
    let value = if value == "Inf" { "+Inf".to_owned() } else { value };
    ShownSeries { labels: BTreeMap::new(), points: vec![(0, value)] }
}

fn shown_sample(sample: &VectorSample) -> ShownSeries {
    let value = match &sample.value {
        model::Value::Float(value) => number(*value),
        model::Value::Histogram(histogram) => shown_histogram(histogram),
    };
    ShownSeries { labels: pairs(&sample.labels), points: vec![(0, value)] }
}

fn shown_series(series: &MatrixSeries) -> ShownSeries {
    let floats = series.floats.iter().map(|(time, value)| (*time, number(*value)));
    let histograms = series.histograms.iter().map(|(time, histogram)| (*time, shown_histogram(histogram)));
    ShownSeries { labels: pairs(&series.labels), points: floats.chain(histograms).collect() }
}

fn shown_histogram(histogram: &Histogram) -> String {
    let buckets: Vec<String> = histogram
        .buckets()
        .filter(|bucket| bucket.count != 0.0)
        .map(|bucket| {
            let (open, close) = (bucket.includes_lower, bucket.includes_upper);
            format!("{open} {} {} {close} {}", number(bucket.lower), number(bucket.upper), number(bucket.count))
        })
        .collect();
    format!("{} {} {buckets:?}", number(histogram.count), number(histogram.sum))
}

fn number(value: f64) -> String {
    model::format_float_json(value)
}

fn pairs(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What an answer in JSON says; `None` if that is not what answers are like.
pub(super) fn read(json: &Json) -> Option<Shown> {
    if json["status"] == "error" {
        return Some(Shown::Error(text(&json["error"])?));
    }
    let kind = text(&json["data"]["resultType"])?;
    let result = json["data"]["result"].as_array()?;
    let series: Option<Vec<_>> = match kind.as_str() {
        "scalar" | "string" => Some(vec![unnamed(text(result.get(1)?)?)]),
        "vector" => result.iter().map(read_sample).collect(),
        _ => result.iter().map(read_series).collect(),
    };
    let (warnings, infos) = (texts(&json["warnings"])?, texts(&json["infos"])?);
    Some(Shown::Value { kind, series: series?, warnings, infos })
}

fn read_sample(sample: &Json) -> Option<ShownSeries> {
    let value = match sample.get("histogram") {
        Some(histogram) => read_histogram(histogram.get(1)?)?,
        None => text(sample["value"].get(1)?)?,
    };
    Some(ShownSeries { labels: read_labels(sample)?, points: vec![(0, value)] })
}

fn read_series(series: &Json) -> Option<ShownSeries> {
    let mut points = Vec::new();
    for (key, read_value) in [("values", text as fn(&Json) -> Option<String>), ("histograms", read_histogram)] {
        for point in series.get(key).and_then(Json::as_array).into_iter().flatten() {
            let time = (point.get(0)?.as_f64()? * 1000.0).round() as i64;
            points.push((time, read_value(point.get(1)?)?));
        }
    }
    Some(ShownSeries { labels: read_labels(series)?, points })
}

fn read_histogram(histogram: &Json) -> Option<String> {
    let mut buckets = Vec::new();
    for bucket in histogram.get("buckets").and_then(Json::as_array).into_iter().flatten() {
        let rule = bucket.get(0)?.as_u64()?;
        let (open, close) = (matches!(rule, 1 | 3), matches!(rule, 0 | 3));
        let (low, high, count) = (text(bucket.get(1)?)?, text(bucket.get(2)?)?, text(bucket.get(3)?)?);
        buckets.push(format!("{open} {low} {high} {close} {count}"));
    }
    Some(format!("{} {} {buckets:?}", text(&histogram["count"])?, text(&histogram["sum"])?))
}

fn read_labels(series: &Json) -> Option<BTreeMap<String, String>> {
    series["metric"].as_object()?.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

fn text(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

fn texts(json: &Json) -> Option<Vec<String>> {
    json.as_array().into_iter().flatten().map(text).collect()
}
