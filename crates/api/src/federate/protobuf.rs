//! The protobuf format: `io.prometheus.client.MetricFamily`, each behind its length.

use exposition::EscapingScheme;
use model::{Histogram, Sample, Value};
use prost::Message;

use super::page::{Kind, Pairs, cumulative_counts};

/// A page that is being written.
pub(super) struct Messages {
    bytes: Vec<u8>,
    escaping: EscapingScheme,
    /// The one that is not whole yet.
    family: Option<MetricFamily>,
}

impl Messages {
    pub(super) fn new(escaping: EscapingScheme) -> Self {
        Self { bytes: Vec::new(), escaping, family: None }
    }

    /// Gives away the families that are whole.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub(super) fn begin_family(&mut self, metric: &str, kind: Kind) {
        self.end_family();
        let metric_type = match kind {
            Kind::Untyped => MetricType::Untyped,
            Kind::Histogram => MetricType::Histogram,
            Kind::GaugeHistogram => MetricType::GaugeHistogram,
        };
        let name = self.escaping.escape(metric).into_owned();
        self.family =
            Some(MetricFamily { name: Some(name), metric_type: Some(metric_type as i32), metrics: Vec::new() });
    }

    pub(super) fn end_family(&mut self) {
        if let Some(family) = self.family.take() {
            family.encode_length_delimited(&mut self.bytes).expect("a vector has room for any message");
        }
    }

    /// Adds a sample to the family.
    pub(super) fn write(&mut self, pairs: &Pairs<'_>, sample: &Sample) {
        let label = |(name, value): &(&str, &str)| LabelPair {
            name: Some(self.escaping.escape(name).into_owned()),
            value: Some((*value).to_owned()),
        };
        let mut metric = Metric {
            labels: pairs.iter().map(label).collect(),
            timestamp_ms: Some(sample.timestamp.as_ms()),
            ..Metric::default()
        };
        match &sample.value {
            Value::Float(value) => metric.untyped = Some(Untyped { value: Some(*value) }),
            Value::Histogram(histogram) if histogram.has_custom_buckets() => {
                metric.histogram = Some(classic(histogram));
            }
            Value::Histogram(histogram) => metric.histogram = Some(native(histogram)),
        }
        self.family.as_mut().expect("a family is begun before its samples").metrics.push(metric);
    }
}

fn classic(histogram: &Histogram) -> HistogramMessage {
    let bucket = |(bound, count)| Bucket { upper_bound: Some(bound), cumulative_count_float: Some(count) };
    let bounds = histogram.custom_values.iter().copied();
    HistogramMessage {
        sample_count_float: Some(histogram.count),
        sample_sum: Some(histogram.sum),
        buckets: bounds.zip(cumulative_counts(histogram)).map(bucket).collect(),
        ..HistogramMessage::default()
    }
}

fn native(histogram: &Histogram) -> HistogramMessage {
    let spans = |spans: &[model::Span]| {
        spans.iter().map(|span| BucketSpan { offset: Some(span.offset), length: Some(span.length) }).collect()
    };
    HistogramMessage {
        sample_count_float: Some(histogram.count),
        sample_sum: Some(histogram.sum),
        schema: Some(i32::from(histogram.schema)),
        zero_threshold: Some(histogram.zero_threshold),
        zero_count_float: Some(histogram.zero_count),
        negative_spans: spans(&histogram.negative_spans),
        negative_counts: histogram.negative_buckets.clone(),
        positive_spans: spans(&histogram.positive_spans),
        positive_counts: histogram.positive_buckets.clone(),
        ..HistogramMessage::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum MetricType {
    Untyped = 3,
    Histogram = 4,
    GaugeHistogram = 5,
}

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(enumeration = "MetricType", optional, tag = "3")]
    metric_type: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelPair>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Untyped>,
    #[prost(int64, optional, tag = "6")]
    timestamp_ms: Option<i64>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<HistogramMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Untyped {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

/// A histogram, classic or native. Lists of numbers are not packed: the protocol is older than that.
#[derive(Clone, PartialEq, Message)]
struct HistogramMessage {
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<Bucket>,
    #[prost(double, optional, tag = "4")]
    sample_count_float: Option<f64>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(double, optional, tag = "8")]
    zero_count_float: Option<f64>,
    #[prost(message, repeated, tag = "9")]
    negative_spans: Vec<BucketSpan>,
    #[prost(double, repeated, packed = "false", tag = "11")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    positive_spans: Vec<BucketSpan>,
    #[prost(double, repeated, packed = "false", tag = "14")]
    positive_counts: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Bucket {
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(double, optional, tag = "4")]
    cumulative_count_float: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}
