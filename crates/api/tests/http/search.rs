//! Searching names and values.

use std::collections::BTreeSet;

use api::ApiConfig;
use model::{Labels, Metadata, MetricType};
use promqltest::MemoryStorage;
use series::Samples;

use crate::server::{NOW_MS, Process, Server, block_on};

fn server(config: ApiConfig) -> Server {
    let mut storage = MemoryStorage::default();
    for (name, job) in [("go_gc", "a"), ("go_goroutines", "b"), ("up", "a"), ("<x>", "c"), ("Go_up", "a")] {
        let samples = Samples { float_times: vec![NOW_MS], floats: vec![1.0], ..Samples::default() };
        storage.add(Labels::from_pairs([("__name__", name), ("job", job)]), samples);
    }
    let counter = Metadata { metric_type: MetricType::Counter, help: "Runs <b>".into(), unit: "".into() };
    let metadata = [("go_gc".into(), BTreeSet::from([counter]))].into();
    Server::new(Process { storage: storage.into(), metadata, ..Process::default() }, config)
}

fn searching() -> Server {
    server(ApiConfig { search_is_enabled: true, search_max_limit: 200, ..ApiConfig::default() })
}

#[track_caller]
fn check(path: &str, lines: &[&str]) {
    let answer = block_on(searching().get(&format!("/api/v1/search/{path}")));
    assert_eq!(answer.body.lines().collect::<Vec<_>>(), lines, "{path}");
    assert_eq!(answer.status, 200, "{path}");
    assert_eq!(answer.headers["content-type"], "application/x-ndjson; charset=utf-8", "{path}");
}

const END: &str = r#"{"status":"success","has_more":false}"#;
const MORE: &str = r#"{"status":"success","has_more":true}"#;

#[test]
fn hits_come_in_batches() {
    let names = r#"{"name":"\u003cx\u003e"},{"name":"Go_up"},{"name":"go_gc"},{"name":"go_goroutines"},{"name":"up"}"#;
    check("metric_names", &[&format!(r#"{{"results":[{names}]}}"#), END]);
    check(
        "metric_names?match[]=%7Bjob=~%22a|b%22%7D&batch_size=2&limit=3",
        &[r#"{"results":[{"name":"Go_up"},{"name":"go_gc"}]}"#, r#"{"results":[{"name":"go_goroutines"}]}"#, MORE],
    );
    check("metric_names?batch_size=1&limit=1", &[r#"{"results":[{"name":"\u003cx\u003e"}]}"#, MORE]);
    check("metric_names?search[]=nothing", &[r#"{"results":[]}"#, END]);
    check("metric_names?sort_by=alpha&sort_dir=dsc&limit=1", &[r#"{"results":[{"name":"up"}]}"#, MORE]);
    check("label_names", &[r#"{"results":[{"name":"__name__"},{"name":"job"}]}"#, END]);
    check("label_values?label=job", &[r#"{"results":[{"value":"a"},{"value":"b"},{"value":"c"}]}"#, END]);
    check("label_values?label=job&match[]=up&match[]=go_goroutines&limit=1", &[r#"{"results":[{"value":"a"}]}"#, MORE]);
}

#[test]
fn hits_have_scores_and_metadata() {
    check(
        "metric_names?search[]=up&sort_by=score&include_score=1&fuzz_alg=jarowinkler",
        &[r#"{"results":[{"name":"up","score":1},{"name":"Go_up","score":0.09999999999999998}]}"#, END],
    );
    check(
        "metric_names?search[]=GO_G&case_sensitive=F&include_metadata=true",
        &[
            r#"{"results":[{"name":"go_gc","type":"counter","help":"Runs \u003cb\u003e"},{"name":"go_goroutines"}]}"#,
            END,
        ],
    );
}

#[test]
fn bad_parameters_are_refused() {
    let server = searching();
    for (path, message) in [
        ("metric_names?start=x", "invalid time value for 'start': cannot parse \"x\" to a valid timestamp"),
        ("metric_names?start=2&end=1", "end timestamp must not be before start timestamp"),
        ("metric_names?match[]=%7B%7D", "match[] must contain at least one non-empty matcher"),
        ("metric_names?fuzz_threshold=101", "invalid fuzz_threshold \"101\": must be 0-100"),
        ("metric_names?fuzz_alg=x", "unsupported fuzz_alg \"x\": must be one of [subsequence jarowinkler]"),
        ("metric_names?case_sensitive=yes", "invalid case_sensitive \"yes\": must be boolean"),
        ("metric_names?sort_dir=asc", "sort_dir is only valid when sort_by is set"),
        ("metric_names?sort_by=score&sort_dir=asc", "sort_dir is not supported for sort_by=score"),
        ("metric_names?sort_by=alpha&sort_dir=up", "invalid sort_dir \"up\": must be \"asc\" or \"dsc\""),
        ("metric_names?sort_by=score", "sort_by=score requires search[] to be set"),
        ("label_names?sort_by=x", "invalid sort_by \"x\" for label_names: must be \"alpha\" or \"score\""),
        ("metric_names?limit=0", "invalid limit \"0\": must be a positive integer"),
        ("metric_names?limit=201", "limit 201 exceeds the configured maximum (200, see --web.search.max-limit)"),
        ("metric_names?batch_size=-1", "invalid batch_size \"-1\": must be a positive integer"),
        ("metric_names?include_metadata=x", "invalid include_metadata \"x\": must be boolean"),
        ("label_values", "missing required parameter \"label\""),
    ] {
        server.check_error(&format!("/api/v1/search/{path}"), 400, "bad_data", message);
    }
    let terms = "search[]=a&".repeat(33);
    let message = "too many search[] terms: got 33, maximum is 32";
    server.check_error(&format!("/api/v1/search/label_names?{terms}"), 400, "bad_data", message);
    self::server(ApiConfig::default()).check_error(
        "/api/v1/search/label_names",
        500,
        "unavailable",
        "search API disabled",
    );
}
