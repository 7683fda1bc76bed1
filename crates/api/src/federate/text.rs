//! The text format, version 0.0.4.

use std::fmt::Write;

use exposition::EscapingScheme;
use model::{BUCKET_LABEL, Histogram, Sample, Timestamp, Value, format_float_g, is_legacy_metric_name};

use super::page::{Kind, Pairs, cumulative_counts};

/// A page that is being written.
pub(super) struct Text {
    text: String,
    escaping: EscapingScheme,
}

impl Text {
    pub(super) fn new(escaping: EscapingScheme) -> Self {
        Self { text: String::new(), escaping }
    }

    /// Gives away what has been written.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text).into_bytes()
    }

    pub(super) fn begin_family(&mut self, metric: &str, kind: Kind) {
        let name = shown(&self.escaping.escape(metric));
        let type_name = match kind {
            Kind::Untyped => "untyped",
            Kind::Histogram | Kind::GaugeHistogram => "histogram",
        };
        push(&mut self.text, format_args!("# TYPE {name} {type_name}\n"));
    }

    /// Adds a sample to the family. Native histograms must have custom buckets.
    pub(super) fn write(&mut self, metric: &str, pairs: &Pairs<'_>, sample: &Sample) {
        let metric = self.escaping.escape(metric).into_owned();
        let pair = |(name, value): &(&str, &str)| format!("{}={}", shown(&self.escaping.escape(name)), quoted(value));
        let pairs: Vec<String> = pairs.iter().map(pair).collect();
        match &sample.value {
            Value::Float(value) => self.line(&metric, &pairs, *value, sample.timestamp),
            Value::Histogram(histogram) => self.write_histogram(&metric, pairs, histogram, sample.timestamp),
        }
    }

    fn write_histogram(&mut self, metric: &str, mut pairs: Vec<String>, histogram: &Histogram, time: Timestamp) {
        let bounds = histogram.custom_values.iter().copied().chain([f64::INFINITY]);
        let counts = cumulative_counts(histogram).into_iter().chain([histogram.count]);
        for (bound, count) in bounds.zip(counts) {
            pairs.push(format!("{BUCKET_LABEL}=\"{}\"", number(bound)));
            self.line(&format!("{metric}_bucket"), &pairs, count, time);
            pairs.pop();
        }
        self.line(&format!("{metric}_sum"), &pairs, histogram.sum, time);
        self.line(&format!("{metric}_count"), &pairs, histogram.count, time);
    }

    fn line(&mut self, metric: &str, pairs: &[String], value: f64, time: Timestamp) {
        let (name, pairs, value) = (shown(metric), pairs.join(","), number(value));
        match (is_legacy_metric_name(metric), pairs.is_empty()) {
            (false, true) => push(&mut self.text, format_args!("{{{name}}} {value} {time}\n")),
            (false, false) => push(&mut self.text, format_args!("{{{name},{pairs}}} {value} {time}\n")),
            (true, true) => push(&mut self.text, format_args!("{name} {value} {time}\n")),
            (true, false) => push(&mut self.text, format_args!("{name}{{{pairs}}} {value} {time}\n")),
        }
    }
}

/// A number; a zero never has a sign.
fn number(value: f64) -> String {
    format_float_g(if value == 0.0 { 0.0 } else { value })
}

/// A name of a metric or label, in quotes if old versions of the format could not hold it.
fn shown(name: &str) -> String {
    if is_legacy_metric_name(name) { name.to_owned() } else { quoted(name) }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string never fails");
}

/// A text in quotes, with the escapes of the format.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
