//! The messages of remote read: `prompb/remote.proto` and `prompb/types.proto` of Prometheus, as far as they are used.

use std::sync::Arc;

use model::{CounterReset, Histogram, Labels};
use prost::{Message, Oneof};
use series::Samples;

/// A way to answer. Its number is that of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum ResponseType {
    /// Samples as they are, all in one answer: what a client gets that names no type.
    Samples = 0,
    /// Chunks, in frames.
    StreamedXorChunks = 1,
}

/// What a client wants.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) queries: Vec<ReadQuery>,
    /// The kinds of answers it understands.
    #[prost(int32, repeated, tag = "2")]
    accepted_response_types: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadQuery {
    #[prost(int64, tag = "1")]
    pub(crate) start_timestamp_ms: i64,
    /// Included.
    #[prost(int64, tag = "2")]
    pub(crate) end_timestamp_ms: i64,
    #[prost(message, repeated, tag = "3")]
    pub(crate) matchers: Vec<LabelMatcher>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LabelMatcher {
    /// `=`, `!=`, `=~`, `!~`, counted from 0.
    #[prost(int32, tag = "1")]
    pub(crate) op: i32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) value: String,
}

/// A series with all samples that were asked for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelPair>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<FloatSample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<HistogramSample>,
}

/// Part of the answer to a query: chunks of one series, or some of them.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChunkedReadResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) chunked_series: Vec<ChunkedSeries>,
    /// Which query it is, counted from 0.
    #[prost(int64, tag = "2")]
    pub(crate) query_index: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChunkedSeries {
    #[prost(message, repeated, tag = "1")]
    pub(crate) labels: Vec<LabelPair>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) chunks: Vec<ChunkMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChunkMessage {
    #[prost(int64, tag = "1")]
    pub(crate) min_time_ms: i64,
    /// Included.
    #[prost(int64, tag = "2")]
    pub(crate) max_time_ms: i64,
    /// The number of [`tsdb::Encoding`].
    #[prost(int32, tag = "3")]
    pub(crate) encoding: i32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct FloatSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramSample {
    #[prost(oneof = "Count", tags = "1, 2")]
    count: Option<Count>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(oneof = "ZeroCount", tags = "6, 7")]
    zero_count: Option<ZeroCount>,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<BucketSpan>,
    /// Each the distance from the bucket before it, of a histogram of integers.
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "10")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "13")]
    positive_counts: Vec<f64>,
    #[prost(int32, tag = "14")]
    reset_hint: i32,
    #[prost(int64, tag = "15")]
    timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    custom_values: Vec<f64>,
}

/// Which one it is tells a histogram of integers from one of floats: it is written even if it is 0.
#[derive(Clone, Copy, PartialEq, Oneof)]
enum Count {
    #[prost(uint64, tag = "1")]
    Whole(u64),
    #[prost(double, tag = "2")]
    Float(f64),
}

#[derive(Clone, Copy, PartialEq, Oneof)]
enum ZeroCount {
    #[prost(uint64, tag = "6")]
    Whole(u64),
    #[prost(double, tag = "7")]
    Float(f64),
}

#[derive(Clone, Copy, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

impl ReadRequest {
    /// The first type that the client understands, and we too.
    ///
    /// # Errors
    /// The message says that there is none.
    pub(crate) fn response_type(&self) -> Result<ResponseType, String> {
        let accepted = &self.accepted_response_types;
        if accepted.is_empty() {
            return Ok(ResponseType::Samples);
        }
        let known = accepted.iter().find_map(|number| ResponseType::try_from(*number).ok());
        known.ok_or_else(|| {
            let accepted: Vec<String> = accepted.iter().map(i32::to_string).collect();
            format!(
                "server does not support any of the requested response types: [{}]; supported: map[SAMPLES:{{}} \
                 STREAMED_XOR_CHUNKS:{{}}]",
                accepted.join(" ")
            )
        })
    }
}

impl ChunkMessage {
    pub(crate) fn new(chunk: tsdb::Chunk) -> Self {
        Self {
            min_time_ms: chunk.min_time_ms,
            max_time_ms: chunk.max_time_ms,
            encoding: chunk.encoding as i32,
            bytes: chunk.bytes,
        }
    }
}

/// Labels as they are sent.
pub(crate) fn label_pairs(labels: &Labels) -> Vec<LabelPair> {
    labels.iter().map(|(name, value)| LabelPair { name: name.to_owned(), value: value.to_owned() }).collect()
}

impl TimeSeries {
    pub(crate) fn new(labels: &Labels, samples: &Samples) -> Self {
        let floats = samples.float_times.iter().zip(&samples.floats);
        let histograms = samples.histogram_times.iter().zip(&samples.histograms);
        Self {
            labels: label_pairs(labels),
            samples: floats.map(|(time, value)| FloatSample { value: *value, timestamp: *time }).collect(),
            histograms: histograms.map(|(time, histogram)| HistogramSample::new(*time, histogram)).collect(),
        }
    }
}

impl HistogramSample {
    /// A histogram of integers if its numbers are: queries see floats only, so whether it was given as one is not known.
    fn new(timestamp: i64, histogram: &Arc<Histogram>) -> Self {
        let sample = Self {
            sum: histogram.sum,
            schema: i32::from(histogram.schema),
            zero_threshold: histogram.zero_threshold,
            negative_spans: spans(&histogram.negative_spans),
            positive_spans: spans(&histogram.positive_spans),
            reset_hint: match histogram.counter_reset {
                CounterReset::Unknown => 0,
                CounterReset::Reset => 1,
                CounterReset::NotReset => 2,
                CounterReset::Gauge => 3,
            },
            timestamp,
            custom_values: histogram.custom_values.clone(),
            ..Self::default()
        };
        if tsdb::is_whole(histogram) {
            Self {
                count: Some(Count::Whole(histogram.count as u64)),
                zero_count: Some(ZeroCount::Whole(histogram.zero_count as u64)),
                negative_deltas: deltas(&histogram.negative_buckets),
                positive_deltas: deltas(&histogram.positive_buckets),
                ..sample
            }
        } else {
            Self {
                count: Some(Count::Float(histogram.count)),
                zero_count: Some(ZeroCount::Float(histogram.zero_count)),
                negative_counts: histogram.negative_buckets.clone(),
                positive_counts: histogram.positive_buckets.clone(),
                ..sample
            }
        }
    }
}

fn deltas(counts: &[f64]) -> Vec<i64> {
    let whole = |count: &f64| *count as i64;
    let before = std::iter::once(0).chain(counts.iter().map(whole));
    counts.iter().map(whole).zip(before).map(|(count, before)| count - before).collect()
}

fn spans(spans: &[model::Span]) -> Vec<BucketSpan> {
    spans.iter().map(|span| BucketSpan { offset: span.offset, length: span.length }).collect()
}
