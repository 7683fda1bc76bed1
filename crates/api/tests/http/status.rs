//! What a server says about itself.

use api::{ApiConfig, NotReady};
use axum::body::Body;
use http::{Request, header};

use crate::server::{Process, Server, block_on};

#[test]
fn a_server_describes_itself() {
    let server = Server::with_series(0);
    for (path, data) in [
        ("status/config", r#"{"yaml":"global:\n  scrape_interval: 1m\n"}"#),
        ("status/flags", r#"{"log.level":"info"}"#),
        (
            "status/buildinfo",
            r#"{"version":"3.15.0","revision":"","branch":"","buildUser":"","buildDate":"","goVersion":""}"#,
        ),
        (
            "status/runtimeinfo",
            r#"{"startTime":"1970-01-01T00:00:00Z","CWD":"","hostname":"","serverTime":"1970-01-01T00:10:00Z","reloadConfigSuccess":true,"lastConfigTime":"1970-01-01T00:00:00Z","corruptionCount":0,"goroutineCount":0,"GOMAXPROCS":0,"GOMEMLIMIT":9223372036854775807,"GOGC":"","GODEBUG":"","storageRetention":"15d"}"#,
        ),
        ("status/walreplay", r#"{"min":0,"max":0,"current":0}"#),
        ("status/tsdb/blocks", r#"{"blocks":[]}"#),
        ("notifications", "[]"),
        ("rules?type=alert&exclude_alerts=true&group_limit=10", r#"{"groups":[]}"#),
        ("alerts", r#"{"alerts":[]}"#),
        ("alertmanagers", r#"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#),
        ("metadata", "{}"),
        ("query_exemplars?query=x&start=1600000000000&end=1600000060000", "[]"),
        ("format_query?query=sum(x)by(a)", r#""sum by (a) (x)""#),
        ("parse_query?query=1", r#"{"type":"numberLiteral","val":"1"}"#),
    ] {
        server.check_data(&format!("/api/v1/{path}"), data);
    }
    let version = block_on(server.get("/version"));
    assert!(version.body.starts_with(r#"{"version":"3.15.0","#), "{}", version.body);
}

#[test]
fn series_are_counted_by_their_labels() {
    let server = Server::with_series(3);
    let head = r#""headStats":{"numSeries":3,"numLabelPairs":4,"chunkCount":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808}"#;
    let expected = format!(
        r#"{{{head},"seriesCountByMetricName":[{{"name":"x","value":3}}],"labelValueCountByLabelName":[{{"name":"i","value":3}}],"memoryInBytesByLabelName":[{{"name":"__name__","value":33}}],"seriesCountByLabelValuePair":[{{"name":"__name__=x","value":3}}]}}"#
    );
    server.check_data("/api/v1/status/tsdb?limit=1", &expected);
}

#[test]
fn bad_parameters_are_refused_in_the_words_of_prometheus() {
    let server = Server::with_series(0);
    for (path, message) in [
        ("status/tsdb?limit=0", "limit must be a positive number"),
        ("status/tsdb?limit=10001", "limit must not exceed 10000"),
        ("metadata?limit=x", "limit must be a number"),
        ("metadata?limit_per_metric=x", "limit_per_metric must be a number"),
        (
            "targets/metadata?match_target=%7B",
            "invalid parameter \"match_target\": 1:2: parse error: unexpected end of input inside braces",
        ),
        ("scrape_pools/config", "no scrapePool parameter provided"),
        ("scrape_pools/config?scrapePool=x", "error retrieving scrape config: scrape pool \"x\" not found"),
        ("rules?type=X", "invalid parameter \"type\": not supported value \"x\""),
        (
            "rules?exclude_alerts=x",
            "invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing \"x\": invalid syntax",
        ),
        (
            "rules?group_next_token=x",
            "invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups",
        ),
        ("rules?group_limit=0", "invalid parameter \"group_limit\": group_limit needs to be greater than 0"),
        (
            "rules?group_limit=1&group_next_token=x",
            "invalid parameter \"group_next_token\": invalid group_next_token 'x'. were rule groups changed?",
        ),
        ("query_exemplars?query=x&start=2&end=1", "end timestamp must not be before start timestamp"),
        ("format_query?query=(", "invalid parameter \"query\": 1:2: parse error: unclosed left parenthesis"),
    ] {
        server.check_error(&format!("/api/v1/{path}"), 400, "bad_data", message);
    }
}

#[test]
fn the_api_describes_itself_in_both_versions() {
    let server = Server::with_series(0);
    for (query, version) in [("", "3.1.0"), ("?openapi_version=3.2", "3.2.0"), ("?openapi_version=9", "3.1.0")] {
        let answer = block_on(server.get(&format!("/api/v1/openapi.yaml{query}")));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/yaml; charset=utf-8");
        assert!(answer.body.starts_with(&format!("openapi: {version}\n")), "{query}");
    }
}

#[test]
fn own_metrics_are_chosen_by_their_whole_names() {
    let server = Server::with_series(0);
    server.check_data("/api/v1/status/self_metrics?metric_name_pattern=x", "[]");
    let message = "invalid metric_name_pattern: error parsing regexp: missing closing ): `^(?:()$`";
    server.check_error("/api/v1/status/self_metrics?metric_name_pattern=(", 400, "bad_data", message);
}

#[test]
fn own_metrics_come_in_the_format_and_encoding_that_are_asked_for() {
    let server = Server::with_series(0);
    let text = "# HELP asked_total Questions that were asked.\n# TYPE asked_total counter\nasked_total 1\n";
    let open_metrics = "# HELP asked Questions that were asked.\n# TYPE asked counter\nasked_total 1\n# EOF\n";
    for (accept, content_type, body) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", text),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8,text/plain;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            open_metrics,
        ),
    ] {
        let request = || Request::get("/metrics").header(header::ACCEPT, accept);
        let answer = block_on(server.ask(request().body(Body::empty()).unwrap()));
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, body));
        assert_eq!(answer.headers["content-type"], content_type);
        let packed = request().header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
        assert_eq!(block_on(server.response(packed)).headers()["content-encoding"], "gzip");
    }
}

#[test]
fn exemplars_of_nothing_are_no_content() {
    let answer = block_on(Server::with_series(0).get("/api/v1/query_exemplars?query=1"));
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));
}

#[test]
fn administration_is_off() {
    let server = Server::with_series(0);
    let answer = block_on(server.post("/api/v1/admin/tsdb/delete_series", "match[]=x"));
    let expected = r#"{"status":"error","errorType":"unavailable","error":"admin APIs disabled"}"#;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (500, expected));
}

#[test]
fn the_cluster_is_shown_or_who_did_not_answer() {
    Server::with_series(0).check_error("/api/v1/status/cluster", 500, "internal", "meta: no leader");
    let process = Process { cluster: Some(r#"{"nodes":3}"#.to_owned()), ..Process::default() };
    Server::new(process, ApiConfig::default()).check_data("/api/v1/status/cluster", r#"{"nodes":3}"#);
}

#[test]
fn a_server_that_is_not_ready_says_so() {
    for (why, stopping, text) in [
        (NotReady::Starting("3 of 4 shards have no leader".to_owned()), "false", "3 of 4 shards have no leader"),
        (NotReady::Stopping, "true", "stopping"),
    ] {
        let server = Server::new(Process { not_ready: Some(why), ..Process::default() }, ApiConfig::default());
        for path in ["/-/ready", "/federate", "/api/v1/query?query=1"] {
            let answer = block_on(server.get(path));
            let found = (answer.status.as_u16(), answer.body.as_str());
            assert_eq!(found, (503, format!("Service Unavailable: {text}\n").as_str()), "{path}");
            assert_eq!(answer.headers["x-prometheus-stopping"], stopping);
        }
        for path in ["/-/healthy", "/metrics", "/query", "/api/v1/status/walreplay", "/api/v1/notifications"] {
            assert_eq!(block_on(server.get(path)).status, 200, "{path}");
        }
    }
    let ready = block_on(Server::with_series(0).get("/-/ready"));
    assert_eq!((ready.status.as_u16(), ready.body.as_str()), (200, "Prometheus Server is Ready.\n"));
}

#[test]
fn the_configuration_is_loaded_again_where_that_is_enabled() {
    let enabled = ApiConfig { lifecycle_is_enabled: true, ..ApiConfig::default() };
    let broken = Process { reload_fault: Some("no such file".to_owned()), ..Process::default() };
    for (process, config, status, body) in [
        (Process::default(), ApiConfig::default(), 403, "Lifecycle API is not enabled."),
        (Process::default(), enabled.clone(), 200, ""),
        (broken, enabled, 500, "failed to reload config: no such file\n"),
    ] {
        let answer = block_on(Server::new(process, config).post("/-/reload", ""));
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, body));
    }
    let answer = block_on(Server::with_series(0).get("/-/reload"));
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (405, "Only POST or PUT requests allowed"));
}
