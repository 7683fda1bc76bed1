//! Label names, label values, series.

use api::ApiConfig;
use model::Labels;
use promqltest::MemoryStorage;
use series::Samples;
use stdx::ByteSize;

use crate::server::{Process, Server, block_on};

#[test]
fn names_and_values_are_sorted_and_cut() {
    let server = Server::with_series(3);
    server.check_data("/api/v1/labels", r#"["__name__","i"]"#);
    server.check_data("/api/v1/labels?match[]=nothing", "[]");
    server.check_data("/api/v1/label/i/values", r#"["0","1","2"]"#);
    server.check_data("/api/v1/label/U__i/values?match[]=x%7Bi=%222%22%7D&match[]=x%7Bi=%220%22%7D", r#"["0","2"]"#);
    server.check(
        "/api/v1/label/i/values?limit=2",
        r#"{"status":"success","data":["0","1"],"warnings":["results truncated due to limit"]}"#,
    );
    let answer = block_on(server.post("/api/v1/labels", "match%5B%5D=x&limit=2"));
    assert_eq!(answer.body, r#"{"status":"success","data":["__name__","i"]}"#);
}

#[test]
fn series_are_label_sets() {
    let server = Server::with_series(3);
    server.check_data(
        "/api/v1/series?match[]=x%7Bi=%221%22%7D&match[]=x%7Bi!=%220%22%7D",
        r#"[{"__name__":"x","i":"1"},{"__name__":"x","i":"2"}]"#,
    );
    server.check_data("/api/v1/series?match[]=x&start=3600", "[]");
    server.check(
        "/api/v1/series?match[]=x&limit=1",
        r#"{"status":"success","data":[{"__name__":"x","i":"0"}],"warnings":["results truncated due to limit"]}"#,
    );
}

#[test]
fn bad_selectors_are_refused() {
    let server = Server::with_series(1);
    for (path, message) in [
        ("series", "no match[] parameter provided"),
        ("series?match[]=x&a=%zz", "error parsing form values: invalid URL escape \"%zz\""),
        ("series?match[]=%7B%7D", "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"),
        ("labels?match[]=%7Ba=~%22.*%22%7D", "match[] must contain at least one non-empty matcher"),
        (
            "labels?start=x",
            "invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp",
        ),
        ("label/i/values?limit=-1", "invalid parameter \"limit\": limit must be non-negative"),
        ("label/U__/values", "invalid label name: \"\""),
        ("label/a%ff/values", "invalid label name: \"a\\xff\""),
    ] {
        server.check_error(&format!("/api/v1/{path}"), 400, "bad_data", message);
    }
}

#[test]
fn labels_that_are_too_large_are_refused_by_name() {
    let mut storage = MemoryStorage::default();
    for number in 0..10 {
        let samples = Samples { float_times: vec![0], floats: vec![1.0], ..Samples::default() };
        storage.add(Labels::from_pairs([("__name__", "x"), ("i", format!("{number:0100}").as_str())]), samples);
    }
    let process = Process { storage: storage.into(), ..Process::default() };
    let config = ApiConfig { query_memory: ByteSize::kib(1), search_is_enabled: true, ..ApiConfig::default() };
    let server = Server::new(process, config);
    let message = "query needs more than its 1024 bytes of memory: the labels of {__name__=\"x\"}";
    for path in ["label/i/values?match[]=x", "search/label_values?label=i&match[]=x&search[]=0"] {
        server.check_error(&format!("/api/v1/{path}"), 422, "execution", message);
    }
    server.check_data("/api/v1/labels", r#"["__name__","i"]"#);
}
