//! Methods, forms, encodings, origins, and the paths beside the API.

use crate::Request;

use super::{API, Cases};

/// Paths below the root of the API that are asked with every method.
const PATHS: [&str; 31] = [
    "query",
    "query_range",
    "labels",
    "series",
    "metadata",
    "targets",
    "scrape_pools",
    "rules",
    "alerts",
    "status/config",
    "status/flags",
    "label/job/values",
    "format_query",
    "parse_query",
    "query_exemplars",
    "features",
    "status/tsdb",
    "notifications",
    "read",
    "write",
    "otlp/v1/metrics",
    "admin/tsdb/delete_series",
    "admin/tsdb/clean_tombstones",
    "admin/tsdb/snapshot",
    "search/metric_names",
    "search/label_names",
    "search/label_values",
    "status/walreplay",
    "targets/metadata",
    "nothing",
    "alertmanagers",
];

/// Paths beside the API.
const PAGES: [&str; 17] = [
    "/",
    "/graph",
    "/graph?a=b",
    "/-/healthy",
    "/-/ready",
    "/version",
    "/x",
    "/api",
    "/api/v1",
    "/api/v2/query",
    "/federate",
    "/user/x",
    "/-/reload",
    "//api/v1/query",
    "/api/v1//query",
    "/federate/",
    "/metrics/",
];

/// What clients can decompress.
const ENCODINGS: [&str; 11] = [
    "gzip",
    "deflate",
    "zstd",
    "br",
    "*",
    "gzip, zstd",
    "gzip;q=0",
    "zstd;q=0.5, gzip",
    "identity",
    "",
    "deflate, gzip",
];

/// Formats of federation.
const FORMATS: [&str; 9] = [
    "*/*",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    "text/plain",
    "text/plain;version=0.0.4;escaping=allow-utf-8",
    "text/plain;escaping=dots",
    "text/plain;escaping=values",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=values",
    "application/openmetrics-text;version=1.0.0",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.2,text/plain;q=0.5",
];

/// What is federated.
const FEDERATED: [&str; 7] =
    ["temp", r#"{"a.b"}"#, "nat", "natg", "lat", "req_total", r#"{job=~"page|native|nhcb",__name__!~"up|scrape_.*"}"#];

pub(super) fn add(cases: &mut Cases) {
    for path in PATHS {
        for method in ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
            let request = Request::new(method, &format!("{API}{path}"));
            let has_body = matches!(method, "POST" | "PUT" | "PATCH");
            cases.requests.push(if has_body { request.with_body("") } else { request });
        }
    }
    for path in PAGES {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE"] {
            // That one changes the servers.
            if (path, method) != ("/-/reload", "POST") {
                cases.requests.push(Request::new(method, path));
            }
        }
    }
    forms(cases);
    pairs(cases);
    encodings(cases);
    for format in FORMATS {
        for selector in FEDERATED {
            cases.requests.push(Request::get("/federate", &[("match[]", selector)]).with("Accept", format));
        }
    }
}

/// A `POST` request below the API's root.
fn post(cases: &mut Cases, path: &str, body: &str) {
    cases.requests.push(Request::new("POST", &format!("{API}{path}")).with_body(body));
}

fn forms(cases: &mut Cases) {
    let (time, start) = (cases.before(0), cases.before(100));
    post(cases, "query", &format!("query=temp&time={time}"));
    post(cases, &format!("query?query=1&time={time}"), "query=2");
    post(cases, &format!("query?time={time}"), "query=temp%7Bi%3D%221%22%7D&limit=1");
    for (path, body, content_type) in [
        ("query".to_owned(), "query=1".to_owned(), "application/json"),
        ("query".to_owned(), "query=1".to_owned(), "text/plain"),
        (format!("query?query=1&time={time}"), "x".to_owned(), "multipart/form-data"),
        (format!("query?query=1&time={time}"), "x".to_owned(), "garbage;;"),
        ("query".to_owned(), format!("query=1&time={time}"), "application/x-www-form-urlencoded; charset=utf-8"),
    ] {
        let request = Request::new("POST", &format!("{API}{path}")).with_body(&body);
        cases.requests.push(request.with("Content-Type", content_type));
    }
    for (path, body) in [
        ("labels", format!("match[]=temp&start={start}")),
        ("series", format!("match[]=temp&start={start}")),
        ("format_query", "query=a+%2B+b".to_owned()),
        ("query_exemplars", format!("query=req_total&start={start}&end={time}")),
    ] {
        post(cases, path, &body);
    }
}

/// Pairs that can't be decoded.
fn pairs(cases: &mut Cases) {
    let (time, start) = (cases.before(0), cases.before(100));
    post(cases, "series", "match[]=%zz");
    post(cases, "series", "match[]=temp&a;b");
    for path in [
        format!("{API}series?match[]=temp&x=%zz&start={start}"),
        format!("{API}labels?x=%zz"),
        format!("{API}query?query=1&x=%zz&time={time}"),
        format!("{API}query?query=%ff"),
        format!("{API}query?query=1;2&time={time}"),
        format!("{API}format_query?query=%ff"),
        "/federate?match[]=%zz".to_owned(),
        format!("{API}labels?match[]=%zz"),
    ] {
        cases.raw(&path);
    }
}

fn encodings(cases: &mut Cases) {
    let (time, start) = (cases.before(0), cases.before(100));
    let (query, labels) = (format!("{API}query?query=temp&time={time}"), format!("{API}labels?start={start}"));
    for encoding in ENCODINGS {
        for path in [&query, &labels, "/federate", "/-/healthy"] {
            cases.requests.push(Request::new("GET", path).with("Accept-Encoding", encoding));
        }
    }
    for origin in ["http://a", "null", "https://b:1"] {
        for (method, path) in [
            ("GET", labels.as_str()),
            ("OPTIONS", "/api/v1/labels"),
            ("GET", "/api/v1/nothing"),
            ("PUT", "/api/v1/labels"),
            ("GET", "/api/v1/query"),
            ("GET", "/federate"),
            ("GET", "/api/v1/status/walreplay"),
            ("OPTIONS", "/federate"),
        ] {
            cases.requests.push(Request::new(method, path).with("Origin", origin));
        }
    }
    for accepted in
        ["application/json", "text/html", "*/*", "application/xml", "application/json;q=0", "text/*, application/json"]
    {
        cases.requests.push(Request::new("GET", &format!("{API}query?query=1&time={time}")).with("Accept", accepted));
    }
}
