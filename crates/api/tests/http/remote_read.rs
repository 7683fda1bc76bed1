//! Remote read.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use api::ApiConfig;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use model::{Histogram, Labels, Span};
use promqltest::MemoryStorage;
use series::Samples;

use crate::server::{Process, Server, block_on};

/// A message of protobuf, written by hand: what a decoder of our own could not disprove.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn number(mut self, field: u8, value: u8) -> Self {
        assert!(value < 0x80, "longer numbers have more bytes");
        self.0.extend([field << 3, value]);
        self
    }

    fn double(mut self, field: u8, value: f64) -> Self {
        self.0.push(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u8, value: &[u8]) -> Self {
        assert!(value.len() < 0x4000, "longer lengths have more bytes");
        self.0.push(field << 3 | 2);
        match value.len() {
            short @ 0..0x80 => self.0.push(short as u8),
            long => self.0.extend([long as u8 & 0x7f | 0x80, (long >> 7) as u8]),
        }
        self.0.extend(value);
        self
    }

    fn message(self, field: u8, value: Self) -> Self {
        self.bytes(field, &value.0)
    }
}

fn pair(name: &str, value: &str) -> Bytes {
    Bytes::default().bytes(1, name.as_bytes()).bytes(2, value.as_bytes())
}

fn matcher(op: u8, name: &str, value: &str) -> Bytes {
    Bytes::default().number(1, op).bytes(2, name.as_bytes()).bytes(3, value.as_bytes())
}

fn query(matchers: Vec<Bytes>) -> Bytes {
    matchers.into_iter().fold(Bytes::default().number(1, 1).number(2, 3), |query, matcher| query.message(3, matcher))
}

async fn ask(server: &Server, request: Bytes) -> (u16, Vec<u8>) {
    let body = snap::raw::Encoder::new().compress_vec(&request.0).unwrap();
    let request = Request::post("/api/v1/read").body(Body::from(body)).unwrap();
    let response = server.response(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, body.to_vec())
}

fn server() -> Server {
    server_with(ApiConfig::default())
}

fn server_with(config: ApiConfig) -> Server {
    let mut storage = MemoryStorage::default();
    let samples = Samples { float_times: vec![0, 1, 3, 4], floats: vec![0.5, 1.5, 3.5, 4.5], ..Samples::default() };
    storage.add(Labels::from_pairs([("__name__", "a")]), samples);
    let histogram = Histogram {
        count: 3.0,
        sum: 4.5,
        schema: 1,
        positive_spans: vec![Span { offset: -1, length: 2 }],
        positive_buckets: vec![3.0, 2.0],
        ..Histogram::default()
    };
    let samples = Samples { histogram_times: vec![2], histograms: vec![histogram.into()], ..Samples::default() };
    storage.add(Labels::from_pairs([("__name__", "h"), ("cluster", "own")]), samples);
    let external_labels = Labels::from_pairs([("cluster", "c")]);
    let process = Process { storage: storage.into(), ..Process::default() };
    Server::new(process, ApiConfig { external_labels, ..config })
}

#[test]
fn samples_come_with_external_labels_for_each_query() {
    let request = Bytes::default()
        .message(1, query(vec![matcher(0, "__name__", "a"), matcher(0, "cluster", "c")]))
        .message(1, query(vec![matcher(2, "__name__", "h|x")]));
    let sample = |value, time| Bytes::default().double(1, value).number(2, time);
    let floats = Bytes::default()
        .message(1, pair("__name__", "a"))
        .message(1, pair("cluster", "c"))
        .message(2, sample(1.5, 1))
        .message(2, sample(3.5, 3));
    let histogram = Bytes::default()
        .number(1, 3)
        .double(3, 4.5)
        .number(4, 2)
        .number(6, 0)
        .message(11, Bytes::default().number(1, 1).number(2, 2))
        .bytes(12, &[6, 1])
        .number(15, 2);
    let histograms =
        Bytes::default().message(1, pair("__name__", "h")).message(1, pair("cluster", "own")).message(4, histogram);
    let expected = Bytes::default()
        .message(1, Bytes::default().message(1, floats))
        .message(1, Bytes::default().message(1, histograms));
    let (status, body) = block_on(ask(&server(), request));
    assert_eq!((status, snap::raw::Decoder::new().decompress_vec(&body).unwrap()), (200, expected.0));
}

#[test]
fn what_can_not_be_answered_is_refused_in_plain_text() {
    let bad_matcher = query(vec![matcher(2, "a", "(")]);
    let unknown_operator = query(vec![matcher(4, "a", "b")]);
    for (request, message) in [
        (
            Bytes::default().number(2, 7),
            "server does not support any of the requested response types: [7]; \
             supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]\n",
        ),
        (Bytes::default().message(1, bad_matcher), "error parsing regexp: missing closing ): `(`\n"),
        (Bytes::default().message(1, unknown_operator), "unknown type of a label matcher\n"),
    ] {
        let (status, body) = block_on(ask(&server(), request));
        assert_eq!((status, String::from_utf8(body).unwrap().as_str()), (400, message));
    }
    let answer = block_on(server().post("/api/v1/read", "junk"));
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (400, "snappy: corrupt input\n"));
}

/// What a client sends that takes chunks, or else samples.
fn chunks_of(queries: Vec<Bytes>) -> Bytes {
    let accepted = Bytes::default().bytes(2, &[1, 0]);
    queries.into_iter().fold(accepted, |request, query| request.message(1, query))
}

/// The messages of frames whose checksums are right.
fn messages(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while !frames.is_empty() {
        let length = prost::decode_length_delimiter(&mut frames).unwrap();
        let (sum, rest) = frames.split_at(4);
        let (message, rest) = rest.split_at(length);
        assert_eq!(sum, crc32c::crc32c(message).to_be_bytes());
        messages.push(message.to_owned());
        frames = rest;
    }
    messages
}

#[test]
fn chunks_come_in_frames() {
    let request = chunks_of(vec![query(vec![matcher(2, "x", "y")]), query(vec![matcher(2, "__name__", "a|h")])]);
    let (status, body) = block_on(ask(&server(), request));
    assert_eq!(status, 200);
    let value = |value| model::Sample { timestamp: model::Timestamp(1), value: model::Value::Float(value) };
    let chunk = tsdb::encode([value(1.5), model::Sample { timestamp: model::Timestamp(3), ..value(3.5) }]).remove(0);
    let chunk = Bytes::default().number(1, 1).number(2, 3).number(3, 1).bytes(4, &chunk.bytes);
    let series = Bytes::default().message(1, pair("__name__", "a")).message(1, pair("cluster", "c")).message(2, chunk);
    let messages = messages(&body);
    assert_eq!(messages[0], Bytes::default().message(1, series).number(2, 1).0);
    assert_eq!(messages.len(), 2);
}

#[test]
fn samples_come_to_whoever_names_them_first() {
    let request = Bytes::default().bytes(2, &[9, 0, 1]).message(1, query(vec![matcher(0, "__name__", "none")]));
    let (status, body) = block_on(ask(&server(), request));
    assert_eq!((status, snap::raw::Decoder::new().decompress_vec(&body).unwrap()), (200, vec![1 << 3 | 2, 0]));
}

#[test]
fn too_many_samples_are_refused_unless_they_come_in_frames() {
    let server = server_with(ApiConfig { remote_read_sample_limit: 1, ..ApiConfig::default() });
    let question = || query(vec![matcher(0, "__name__", "a")]);
    let (status, body) = block_on(ask(&server, Bytes::default().message(1, question())));
    assert_eq!((status, body.as_slice()), (400, b"exceeded sample limit (1)\n".as_slice()));
    assert_eq!(block_on(ask(&server, chunks_of(vec![question()]))).0, 200);
}

/// Series of every kind, more than a frame of them.
fn all_kinds() -> MemoryStorage {
    let mut storage = MemoryStorage::default();
    let times: Vec<i64> = (0..300).collect();
    let floats = times.iter().map(|time| *time as f64 / 4.0).collect();
    storage.add(
        Labels::from_pairs([("__name__", "floats")]),
        Samples { float_times: times, floats, ..Samples::default() },
    );
    let histogram = |count: f64| Histogram {
        count: count * 3.0,
        zero_count: count,
        zero_threshold: 0.001,
        sum: count * 1.5,
        schema: 1,
        positive_spans: vec![Span { offset: -1, length: 2 }],
        positive_buckets: vec![count, count],
        ..Histogram::default()
    };
    for (name, counts) in [("fractions", [0.5, 1.25]), ("whole", [2.0, 3.0])] {
        let histograms = counts.map(|count| histogram(count).into()).to_vec();
        storage.add(
            Labels::from_pairs([("__name__", name)]),
            Samples { histogram_times: vec![10, 20], histograms, ..Samples::default() },
        );
    }
    storage
}

#[test]
fn prometheus_reads_what_is_streamed() {
    let Some(program) = reader() else { return };
    let process = Process { storage: all_kinds().into(), ..Process::default() };
    let server = Server::new(process, ApiConfig { remote_read_frame_bytes: 300, ..ApiConfig::default() });
    // Until 300.
    let mut all = vec![2 << 3, 0xac, 0x02];
    all.extend(Bytes::default().message(3, matcher(2, "__name__", ".+")).0);
    let (status, body) = block_on(ask(&server, chunks_of(vec![Bytes(all)])));
    assert_eq!(status, 200);
    let frames = messages(&body).len();
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((frames, lines.iter().filter(|line| **line == "frame").count()), (4, 4));
    let floats: Vec<String> = (0..300).map(|time| format!("{time} {}", f64::from(time) / 4.0)).collect();
    let found = lines.iter().filter_map(|line| line.strip_prefix("0 XOR {__name__=\"floats\"} "));
    assert_eq!(found.collect::<Vec<_>>(), floats);
    let histograms: Vec<&str> = lines.into_iter().filter(|line| line.contains("histogram")).collect();
    let expected = |kind: &str, name: &str, rest: &str| format!("0 {kind} {{__name__=\"{name}\"}} {rest}");
    let buckets = |count: f64| {
        format!("[-0.001,0.001]:{count}, (0.5,0.7071067811865475]:{count}, (0.7071067811865475,1]:{count}}}")
    };
    assert_eq!(
        histograms,
        [
            expected("floathistogram", "fractions", &format!("10 {{count:1.5, sum:0.75, {} 0", buckets(0.5))),
            expected("floathistogram", "fractions", &format!("20 {{count:3.75, sum:1.875, {} 2", buckets(1.25))),
            expected("histogram", "whole", &format!("10 {{count:6, sum:3, {} 0", buckets(2.0))),
            expected("histogram", "whole", &format!("20 {{count:9, sum:4.5, {} 2", buckets(3.0))),
        ]
    );
}

/// The program that has Prometheus' own reader; `None`, with a remark, if it is not built.
#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
fn reader() -> Option<PathBuf> {
    let package = std::env::current_dir().expect("cargo runs tests in the folder of their package");
    let built = package.ancestors().map(|folder| folder.join("target/tools/read-chunks")).find(|file| file.is_file());
    if built.is_none() {
        eprintln!("skipped: there is no read-chunks in target/tools");
    }
    built
}
