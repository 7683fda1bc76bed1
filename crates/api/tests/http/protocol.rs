//! What is the same for all paths.

use std::time::Duration;

use api::ApiConfig;
use axum::body::Body;
use http::{Method, Request, header};
use proptest::prelude::*;

use crate::server::{Answer, Process, Server, block_on};

fn from_origin(server: &Server, method: Method, path: &str, origin: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header(header::ORIGIN, origin);
    block_on(server.ask(request.body(Body::empty()).unwrap()))
}

#[test]
fn pages_of_other_origins_may_ask() {
    let server = Server::with_series(0);
    let answer = from_origin(&server, Method::GET, "/api/v1/labels", "http://a");
    for (name, value) in [
        ("access-control-allow-origin", "http://a"),
        ("access-control-allow-headers", "Accept, Authorization, Content-Type, Origin"),
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
        ("access-control-expose-headers", "Date"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let answer = from_origin(&server, Method::OPTIONS, "/api/v1/any/thing", "http://a");
    assert!(!answer.headers.contains_key(header::ALLOW));
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["access-control-allow-origin"]),
        (204, &"http://a".parse().unwrap())
    );
    assert!(!block_on(server.get("/api/v1/labels")).headers.contains_key("access-control-allow-origin"));
    let answer = from_origin(&server, Method::OPTIONS, "/api/v1/labels", "http://a");
    assert!(!answer.headers.contains_key(header::ALLOW));
}

#[test]
fn origins_can_be_chosen() {
    let config = ApiConfig { cors_origin: "https?://(a|b)".to_owned(), ..ApiConfig::default() };
    let server = Server::new(Process::default(), config);
    let allowed = from_origin(&server, Method::GET, "/api/v1/labels", "http://a");
    assert_eq!(allowed.headers["access-control-allow-origin"], "http://a");
    let refused = from_origin(&server, Method::GET, "/api/v1/labels", "http://aa");
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
}

#[test]
fn what_is_nowhere_does_not_speak_of_origins() {
    let server = Server::with_series(0);
    for (method, path) in [(Method::GET, "/api/v1/x"), (Method::PUT, "/api/v1/labels"), (Method::POST, "/api/v1/write")]
    {
        let answer = from_origin(&server, method, path, "http://a");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
        assert!(answer.headers.get_all(header::VARY).iter().all(|value| value != "Origin"), "{path}");
    }
}

#[test]
fn odd_paths_lead_to_clean_ones() {
    let server = Server::with_series(0);
    for (path, location) in [
        ("//api/v1/query?query=1&time=2", "/api/v1/query?query=1&time=2"),
        ("/api/v1/./labels", "/api/v1/labels"),
        ("/api/v1", "/api/v1/"),
    ] {
        let answer = block_on(server.get(path));
        assert_eq!(answer.status, 307, "{path}");
        assert_eq!(answer.headers[header::LOCATION], location, "{path}");
    }
    let page = block_on(server.get("//x?a&b")).body;
    assert_eq!(page, "<a href=\"/x?a&amp;b\">Temporary Redirect</a>.\n\n");
    assert_eq!(block_on(server.post("//api/v1/query", "query=1")).body, "");
    assert_eq!(block_on(server.get("/api/v1/label/a%2Fb/values")).status, 404);
}

#[test]
fn unknown_paths_and_methods_are_refused_as_by_prometheus() {
    let server = Server::with_series(0);
    for path in ["/x", "/api/v1/x", "/api/v2/query", "/config/v1/rules"] {
        let answer = block_on(server.get(path));
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, "404 page not found\n"), "{path}");
    }
    for (method, path, allowed) in [
        (Method::POST, "/api/v1/metadata", "GET, OPTIONS"),
        (Method::DELETE, "/api/v1/query", "GET, OPTIONS, POST"),
        (Method::HEAD, "/api/v1/query", "GET, OPTIONS, POST"),
        (Method::PUT, "/-/healthy", "GET, HEAD, OPTIONS"),
    ] {
        let request = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
        let answer = block_on(server.ask(request));
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.headers[header::ALLOW], allowed, "{method} {path}");
    }
    let answer = block_on(server.post("/api/v1/metadata", ""));
    assert_eq!(answer.body, "Method Not Allowed\n");
    for (method, path, status) in
        [(Method::OPTIONS, "/federate", 200), (Method::OPTIONS, "/x", 404), (Method::HEAD, "/-/healthy", 200)]
    {
        let request = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
        assert_eq!(block_on(server.ask(request)).status, status, "{method} {path}");
    }
}

#[test]
fn receivers_say_that_they_are_not_enabled() {
    let server = Server::with_series(0);
    for (path, message) in [
        ("write", "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n"),
        ("otlp/v1/metrics", "otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n"),
    ] {
        let answer = block_on(server.post(&format!("/api/v1/{path}"), ""));
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, message));
    }
}

#[test]
fn everything_can_stand_below_a_prefix() {
    let config = ApiConfig { route_prefix: "/a/b/".to_owned(), ..ApiConfig::default() };
    let server = Server::new(Process::default(), config);
    for (path, status) in [("/a/b/api/v1/labels", 200), ("/a/b/-/healthy", 200), ("/a/b/query", 200), ("/x", 404)] {
        assert_eq!(block_on(server.get(path)).status, status, "{path}");
    }
    for path in ["/", "/a/b", "/a/b/"] {
        let answer = block_on(server.get(path));
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["location"]),
            (302, &"/a/b/query".parse().unwrap()),
            "{path}"
        );
    }
}

#[test]
fn the_page_is_whole() {
    let server = Server::with_series(0);
    let home = block_on(server.get("/"));
    assert_eq!(
        (&home.headers["location"], home.body.as_str()),
        (&"/query".parse().unwrap(), "<a href=\"/query\">Found</a>.\n\n")
    );
    assert_eq!(block_on(server.get("/graph?g0.expr=up")).headers["location"], "/query?g0.expr=up");
    let page = block_on(server.get("/query"));
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    for part in ["page.css", "page.js", "favicon.svg"] {
        assert!(page.body.contains(part));
        assert_eq!(block_on(server.get(&format!("/{part}"))).status, 200);
    }
}

#[test]
fn answers_are_compressed_for_those_who_want_it() {
    let server = Server::with_series(200);
    for (accept, encoding) in [("gzip, deflate", "gzip"), ("zstd", "zstd"), ("deflate", "deflate"), ("br", "")] {
        let request = Request::get("/api/v1/query?query=x").header(header::ACCEPT_ENCODING, accept);
        let answer = block_on(server.ask(request.body(Body::empty()).unwrap()));
        let found = answer.headers.get(header::CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap());
        assert_eq!(found, encoding);
        assert!(answer.headers.get_all(header::VARY).iter().any(|vary| vary == "accept-encoding"), "{answer:?}");
    }
}

#[test]
fn a_large_answer_comes_whole() {
    let server = Server::with_series(3000);
    let answer = block_on(server.get("/api/v1/query_range?query=x&start=0&end=600&step=10"));
    let read: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let result = read["data"]["result"].as_array().unwrap();
    assert_eq!(result.len(), 3000);
    assert!(result.iter().all(|series| series["values"].as_array().unwrap().len() == 61));
}

#[test]
fn queries_wait_for_their_turn_and_no_longer_than_they_may() {
    let config = ApiConfig { max_concurrent_queries: 1, ..ApiConfig::default() };
    let server = Server::new(Process { answers_never: true, ..Process::default() }, config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (first, second) = runtime.block_on(async {
        let first = server.get("/api/v1/query?query=x&timeout=10");
        let second = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            server.get("/api/v1/query?query=x&timeout=5").await
        };
        tokio::join!(first, second)
    });
    let error = |during| format!(r#"{{"status":"error","errorType":"timeout","error":"query timed out in {during}"}}"#);
    assert_eq!((first.status.as_u16(), first.body), (503, error("expression evaluation")));
    assert_eq!((second.status.as_u16(), second.body), (503, error("query queue")));
}

#[test]
fn a_query_ends_when_its_client_goes_away() {
    let process = Process { answers_never: true, ..Process::default() };
    let server = Server::new(process, ApiConfig::default());
    let running = || server.registry.encode().unwrap().contains("ringwood_api_queries_running 1\n");
    block_on(async {
        let mut request = Box::pin(server.get("/api/v1/query?query=x"));
        assert!(futures::poll!(&mut request).is_pending());
        assert!(running());
        drop(request);
        assert!(!running());
    });
}

#[test]
fn requests_are_counted_by_the_pattern_of_their_path() {
    let server = Server::with_series(0);
    for path in ["/api/v1/label/a/values", "/api/v1/label/b/values?limit=x", "/nowhere"] {
        block_on(server.get(path));
    }
    let metrics = server.registry.encode().unwrap();
    for (handler, code) in [("/api/v1/label/{name}/values", 200), ("/api/v1/label/{name}/values", 400), ("none", 404)] {
        let line = format!("ringwood_api_requests_total{{handler=\"{handler}\",code=\"{code}\"}} 1\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

const PATHS: [&str; 19] = [
    "query",
    "query_range",
    "query_exemplars",
    "format_query",
    "parse_query",
    "labels",
    "label/a/values",
    "series",
    "metadata",
    "targets",
    "targets/metadata",
    "scrape_pools",
    "rules",
    "alerts",
    "alertmanagers",
    "status/config",
    "status/tsdb",
    "features",
    "status/runtimeinfo",
];
const NAMES: [&str; 13] = [
    "query",
    "time",
    "start",
    "end",
    "step",
    "limit",
    "timeout",
    "match[]",
    "lookback_delta",
    "stats",
    "metric",
    "type",
    "state",
];

fn parameters() -> impl Strategy<Value = String> {
    let value =
        prop_oneof!["[0-9]{1,5}", "[a-z0-9{}()%+;=~\".\\[\\]]{0,12}", Just("x".to_owned()), Just("1h".to_owned())];
    let pair = (prop::sample::select(&NAMES), value).prop_map(|(name, value)| format!("{name}={value}"));
    prop::collection::vec(pair, 0..6).prop_map(|pairs| pairs.join("&"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_request_is_answered_in_json(
        path in prop::sample::select(&PATHS),
        query in parameters(),
        form in prop_oneof![parameters(), ".{0,40}"],
        posts: bool,
    ) {
        let server = Server::with_series(2);
        let query: String = query.chars().filter(|c| !"{}\"[]\\".contains(*c)).collect();
        let path = format!("/api/v1/{path}?{query}");
        let answer = block_on(async { if posts { server.post(&path, &form).await } else { server.get(&path).await } });
        if !matches!(answer.status.as_u16(), 204 | 405) {
            let read: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            let expected = if answer.status == 200 { "success" } else { "error" };
            prop_assert_eq!(&read["status"], expected);
            prop_assert!(answer.status != 500, "{}", answer.body);
        }
    }
}
