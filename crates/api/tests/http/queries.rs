//! Instant and range queries.

use crate::server::{Server, block_on};

#[test]
fn an_instant_query_answers_what_the_expression_is() {
    let server = Server::with_series(1);
    for (path, expected) in [
        ("query=1%2B1&time=4", r#"{"resultType":"scalar","result":[4,"2"]}"#),
        ("query=1e21&time=4.25", r#"{"resultType":"scalar","result":[4.25,"1000000000000000000000"]}"#),
        ("query=%22a%3Cb%22&time=0.1", r#"{"resultType":"string","result":[0.1,"a\u003cb"]}"#),
        ("query=x", r#"{"resultType":"vector","result":[{"metric":{"__name__":"x","i":"0"},"value":[600,"10"]}]}"#),
        (
            "query=x/3&time=60.5",
            r#"{"resultType":"vector","result":[{"metric":{"i":"0"},"value":[60.500,"0.3333333333333333"]}]}"#,
        ),
        ("query=x/0&time=60", r#"{"resultType":"vector","result":[{"metric":{"i":"0"},"value":[60,"+Inf"]}]}"#),
        ("query=nothing", r#"{"resultType":"vector","result":[]}"#),
        ("query=nothing[5m]", r#"{"resultType":"matrix","result":[]}"#),
        (
            "query=x[2m]&time=120",
            r#"{"resultType":"matrix","result":[{"metric":{"__name__":"x","i":"0"},"values":[[60,"1"],[120,"2"]]}]}"#,
        ),
    ] {
        server.check_data(&format!("/api/v1/query?{path}"), expected);
    }
}

#[test]
fn a_range_query_answers_a_matrix() {
    let server = Server::with_series(2);
    for (path, expected) in [
        (
            "query=x&start=0&end=60&step=30s",
            r#"{"resultType":"matrix","result":[{"metric":{"__name__":"x","i":"0"},"values":[[0,"0"],[30,"0"],[60,"1"]]},{"metric":{"__name__":"x","i":"1"},"values":[[0,"0"],[30,"0"],[60,"1"]]}]}"#,
        ),
        (
            "query=1&start=0.05&end=0.6&step=0.5",
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[0.050,"1"],[0.550,"1"]]}]}"#,
        ),
        ("query=nothing&start=0&end=60&step=30", r#"{"resultType":"matrix","result":[]}"#),
    ] {
        server.check_data(&format!("/api/v1/query_range?{path}"), expected);
    }
}

#[test]
fn parameters_of_body_and_url_count_together() {
    let server = Server::with_series(1);
    let answer = block_on(server.post("/api/v1/query?time=60&query=ignored", "query=x%5B1m%5D&stats="));
    let expected = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x","i":"0"},"values":[[60,"1"]]}]}}"#;
    assert_eq!(answer.body, expected);
}

#[test]
fn limits_cut_off_and_say_so() {
    let server = Server::with_series(3);
    let truncated = r#","warnings":["results truncated due to limit"]}"#;
    server.check(
        "/api/v1/query?query=count+by(i)(x)&limit=1&time=0",
        &format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{"i":"0"}},"value":[0,"1"]}}]}}{truncated}"#),
    );
    let answer = block_on(server.get("/api/v1/query_range?query=x&start=0&end=0&step=1&limit=2"));
    assert!(answer.body.ends_with(truncated), "{}", answer.body);
    let answer = block_on(server.get("/api/v1/query_range?query=x&start=0&end=0&step=1&limit=3"));
    assert!(!answer.body.contains("warnings"), "{}", answer.body);
}

#[test]
fn bad_parameters_are_refused_in_the_words_of_prometheus() {
    let server = Server::with_series(1);
    for (path, message) in [
        ("query", "invalid parameter \"query\": unknown position: parse error: no expression found in input"),
        ("query?query=up%7B", "invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"),
        (
            "query?query=x&time=y",
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"y\" to a valid timestamp",
        ),
        ("query?query=x&timeout=y", "invalid parameter \"timeout\": cannot parse \"y\" to a valid duration"),
        (
            "query?query=x&lookback_delta=y",
            "error parsing lookback delta duration: cannot parse \"y\" to a valid duration",
        ),
        ("query?query=x&limit=y", "invalid parameter \"limit\": strconv.Atoi: parsing \"y\": invalid syntax"),
        ("query_range?query=x", "invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
        ("query_range?query=x&start=0", "invalid parameter \"end\": cannot parse \"\" to a valid timestamp"),
        ("query_range?query=x&start=1&end=0", "invalid parameter \"end\": end timestamp must not be before start time"),
        (
            "query_range?query=x&start=0&end=1&step=a",
            "invalid parameter \"step\": cannot parse \"a\" to a valid duration",
        ),
        (
            "query_range?query=x&start=0&end=1&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "query_range?query=x&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            "query_range?query=x%5B1m%5D&start=0&end=1&step=1",
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
        ),
    ] {
        server.check_error(&format!("/api/v1/{path}"), 400, "bad_data", message);
    }
}

#[test]
fn failures_have_their_types_and_codes() {
    let server = Server::with_series(2);
    let message = "query timed out in query execution";
    server.check_error("/api/v1/query?query=x&timeout=0", 503, "timeout", message);
    let answer = block_on(server.get("/api/v1/query?query=x*on()x"));
    assert_eq!(answer.status, 422);
    assert!(answer.body.starts_with(r#"{"status":"error","errorType":"execution","error":""#), "{}", answer.body);
}

#[test]
fn statistics_are_shown_when_asked_for() {
    let server = Server::with_series(1);
    let answer = block_on(server.get("/api/v1/query?query=x&stats=all"));
    let read: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let stats = &read["data"]["stats"];
    assert_eq!(stats["samples"]["totalQueryableSamples"], 1);
    assert_eq!(stats["samples"]["totalQueryableSamplesPerStep"], serde_json::Value::Null);
    assert!(stats["timings"]["execTotalTime"].is_number());
    let answer = block_on(server.get("/api/v1/query?query=1&stats=yes"));
    let warning = r#","warnings":["value \"yes\" for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\""]}"#;
    assert!(answer.body.contains(r#""stats":{"timings""#) && answer.body.ends_with(warning), "{}", answer.body);
}

#[test]
fn headers_choose_tenant_and_consistency() {
    let server = Server::with_series(1);
    for (name, value, status) in [
        ("x-scope-orgid", "team-a", 200),
        ("x-scope-orgid", "a|b", 400),
        ("x-scope-orgid", "", 400),
        ("x-read-consistency", "strong", 200),
        ("x-read-consistency", "weak", 400),
    ] {
        let request = http::Request::get("/api/v1/query?query=1").header(name, value);
        let answer = block_on(server.ask(request.body(axum::body::Body::empty()).unwrap()));
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}
