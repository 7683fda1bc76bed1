//! Prometheus' own description of its API.

use axum::body::Body;
use http::{Method, Request, StatusCode};

use crate::server::{Server, block_on};

/// What is described and not offered yet.
const MISSING: [&str; 5] =
    ["/otlp/v1/metrics", "/search/label_names", "/search/label_values", "/search/metric_names", "/write"];

/// The paths of a description with their methods.
fn operations(document: &str) -> Vec<(String, Method)> {
    let mut operations = Vec::new();
    let mut path = "";
    let paths = document.lines().skip_while(|line| *line != "paths:").take_while(|line| *line != "components:");
    for line in paths {
        if let Some(found) = line.strip_prefix("    /").and_then(|found| found.strip_suffix(':')) {
            path = found;
        }
        let method = line.strip_prefix("        ").and_then(|found| found.strip_suffix(':')).unwrap_or_default();
        if matches!(method, "get" | "post" | "put" | "delete") {
            operations.push((format!("/{path}"), method.to_uppercase().parse().unwrap()));
        }
    }
    operations
}

#[test]
fn every_described_path_is_answered() {
    for version in ["3.1", "3.2"] {
        let name = format!("conformance/http_api/openapi_{version}_golden.yaml");
        let Some(document) = testkit::read_shared(&name) else { return };
        let server = Server::with_series(1);
        let (offered, missing): (Vec<_>, Vec<_>) =
            operations(&document).into_iter().partition(|(path, _)| !MISSING.contains(&path.as_str()));
        assert!(offered.len() > 30, "only {} operations were found", offered.len());
        testkit::check_cases(
            &format!("operations of OpenAPI {version}, less {} missing", missing.len()),
            &offered,
            |case| {
                let (path, method) = case;
                let uri = format!("/api/v1{}", path.replace("{name}", "job"));
                let request = Request::builder().method(method).uri(&uri).body(Body::empty()).unwrap();
                match block_on(server.ask(request)).status {
                    status @ (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => {
                        Err(format!("{method} {uri}: {status}"))
                    }
                    _ => Ok(()),
                }
            },
        );
    }
}
