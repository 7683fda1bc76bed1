//! Values in the notation of test scripts.

use std::fmt::Write;

use model::{CounterReset, Histogram, Span, format_float_g};

/// A float: `1.5`, `NaN`, `-Inf`.
pub(crate) fn float_text(value: f64) -> String {
    if value == f64::INFINITY { "Inf".to_owned() } else { format_float_g(value) }
}

/// A native histogram: `{{schema:1 count:3 sum:5 buckets:[1 2]}}`.
pub(crate) fn histogram_text(histogram: &Histogram) -> String {
    let mut text = format!(
        "{{{{schema:{} count:{} sum:{}",
        histogram.schema,
        float_text(histogram.count),
        float_text(histogram.sum)
    );
    let mut add = |key: &str, value: String| write!(text, " {key}:{value}").expect("a text takes everything");
    if histogram.zero_threshold != 0.0 {
        add("z_bucket_w", float_text(histogram.zero_threshold));
    }
    if histogram.zero_count != 0.0 {
        add("z_bucket", float_text(histogram.zero_count));
    }
    if !histogram.custom_values.is_empty() {
        add("custom_values", list(&histogram.custom_values));
    }
    for (buckets, spans, key, offset_key) in [
        (&histogram.positive_buckets, &histogram.positive_spans, "buckets", "offset"),
        (&histogram.negative_buckets, &histogram.negative_spans, "n_buckets", "n_offset"),
    ] {
        let (offset, counts) = dense(spans, buckets);
        if offset != 0 {
            add(offset_key, offset.to_string());
        }
        if !counts.is_empty() {
            add(key, list(&counts));
        }
    }
    match histogram.counter_reset {
        CounterReset::Unknown => {}
        CounterReset::Reset => add("counter_reset_hint", "reset".to_owned()),
        CounterReset::NotReset => add("counter_reset_hint", "not_reset".to_owned()),
        CounterReset::Gauge => add("counter_reset_hint", "gauge".to_owned()),
    }
    text + "}}"
}

fn list(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().copied().map(float_text).collect();
    format!("[{}]", values.join(" "))
}

/// The index of the first bucket, and all counts from there on: the notation has no gaps.
fn dense(spans: &[Span], buckets: &[f64]) -> (i32, Vec<f64>) {
    let Some(first) = spans.first() else { return (0, Vec::new()) };
    let mut counts = Vec::new();
    let mut buckets = buckets.iter().copied();
    for (at, span) in spans.iter().enumerate() {
        if at > 0 {
            counts.extend((0..span.offset).map(|_| 0.0));
        }
        counts.extend(buckets.by_ref().take(span.length as usize));
    }
    (first.offset, counts)
}
