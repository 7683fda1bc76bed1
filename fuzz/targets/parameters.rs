//! Any text as the parameters of each endpoint, in the URL and as a form: every answer is JSON, and no failure of the server's.
#![no_main]

mod server;

use axum::body::Body;
use http::{Request, header};

const PATHS: [&str; 14] = [
    "query",
    "query_range",
    "query_exemplars",
    "format_query",
    "parse_query",
    "labels",
    "series",
    "metadata",
    "targets",
    "targets/metadata",
    "rules",
    "status/tsdb",
    "search/metric_names",
    "search/label_values",
];

libfuzzer_sys::fuzz_target!(|input: (u8, &str)| {
    let (path, text) = input;
    let path = format!("/api/v1/{}", PATHS[usize::from(path) % PATHS.len()]);
    let form = Request::post(&path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let form = form.body(Body::from(text.to_owned())).expect("the request is valid");
    let in_url = Request::get(format!("{path}?{text}")).body(Body::empty());
    for request in [Some(form), in_url.ok()].into_iter().flatten() {
        let (status, body) = server::ask(request);
        // An evaluation may take too long or too much, which is said so.
        assert!(matches!(status.as_u16(), 200 | 204 | 400 | 405 | 422 | 503), "{path} {status}: {body:?}");
    }
});
