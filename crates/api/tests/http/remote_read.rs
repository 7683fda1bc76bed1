//! Remote read.

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
    let mut storage = MemoryStorage::default();
    let samples = Samples { float_times: vec![0, 1, 3, 4], floats: vec![0.5, 1.5, 3.5, 4.5], ..Samples::default() };
    storage.add(Labels::from_pairs([("__name__", "a")]), samples);
    let histogram = Histogram {
        count: 3.0,
        sum: 4.5,
        schema: 1,
        positive_spans: vec![Span { offset: -1, length: 1 }],
        positive_buckets: vec![3.0],
        ..Histogram::default()
    };
    let samples = Samples { histogram_times: vec![2], histograms: vec![histogram.into()], ..Samples::default() };
    storage.add(Labels::from_pairs([("__name__", "h"), ("cluster", "own")]), samples);
    let external_labels = Labels::from_pairs([("cluster", "c")]);
    let process = Process { storage: storage.into(), ..Process::default() };
    Server::new(process, ApiConfig { external_labels, ..ApiConfig::default() })
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
        .double(2, 3.0)
        .double(3, 4.5)
        .number(4, 2)
        .double(7, 0.0)
        .message(11, Bytes::default().number(1, 1).number(2, 1))
        .bytes(13, &3.0f64.to_le_bytes())
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
            Bytes::default().number(2, 1),
            "server does not support any of the requested response types; supported: SAMPLES\n",
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
