//! Federation.

use api::ApiConfig;
use axum::body::Body;
use http::Request;
use model::{Labels, STALE_NAN};
use promqltest::MemoryStorage;
use series::Samples;

use crate::server::{NOW_MS, Process, Server, block_on};

fn storage() -> MemoryStorage {
    let mut storage = MemoryStorage::default();
    for (labels, age_ms, value) in [
        (vec![("__name__", "b"), ("job", "own")], 0, 2.0),
        (vec![("__name__", "a"), ("instance", "i")], 60_000, 1.5),
        (vec![("__name__", "a"), ("instance", "old")], 400_000, 1.0),
        (vec![("__name__", "a"), ("instance", "gone")], 1000, STALE_NAN),
        (vec![("nameless", "x")], 0, 1.0),
    ] {
        let samples = Samples { float_times: vec![NOW_MS - age_ms], floats: vec![value], ..Samples::default() };
        storage.add(Labels::from_pairs(labels), samples);
    }
    storage
}

#[test]
fn the_newest_samples_are_listed_by_metric() {
    let server = Server::over(storage());
    let answer = block_on(server.get("/federate?match[]=%7Bjob=~%22.*%22%7D&match[]=b"));
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
    let expected = "# TYPE a untyped\na{instance=\"i\"} 1.5 540000\n\
                    # TYPE b untyped\nb{job=\"own\",instance=\"\"} 2 600000\n";
    assert_eq!(answer.body, expected);
    assert_eq!(block_on(server.get("/federate")).body, "");
}

#[test]
fn external_labels_are_added_where_they_are_missing() {
    let external_labels = Labels::from_pairs([("job", "external"), ("instance", "here")]);
    let process = Process { storage: storage().into(), ..Process::default() };
    let server = Server::new(process, ApiConfig { external_labels, ..ApiConfig::default() });
    let answer = block_on(server.get("/federate?match[]=b"));
    assert_eq!(answer.body, "# TYPE b untyped\nb{job=\"own\",instance=\"here\"} 2 600000\n");
}

#[test]
fn messages_come_to_those_who_read_them() {
    let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6";
    let request = Request::get("/federate?match[]=b").header("accept", format!("{accept},*/*;q=0.5"));
    let answer = block_on(Server::over(storage()).ask(request.body(Body::empty()).unwrap()));
    assert_eq!(
        answer.headers["content-type"],
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
         escaping=underscores"
    );
    assert!(answer.body.contains("\x0a\x01b\x18\x03"), "a family of untyped metrics: {:?}", answer.body);
}

#[test]
fn bad_selectors_are_refused_in_plain_text() {
    let answer = block_on(Server::over(storage()).get("/federate?match[]=a%7B"));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, "1:3: parse error: unexpected end of input inside braces\n");
}
