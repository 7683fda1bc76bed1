//! The alerts and dashboards about Ringwood itself, in `deploy/monitoring`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use promql::ParseOptions;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::http::get;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rules() -> String {
    fs::read_to_string(root().join("deploy/monitoring/rules.yml")).unwrap()
}

/// The queries of the alerts: behind `expr:`, or on the lines after it, up to the next key.
fn rule_queries() -> Vec<String> {
    let text = rules();
    let blocks = text.split("expr: ").skip(1).map(|block| block.split(" for:").next().unwrap());
    blocks.map(|block| block.trim_start_matches('|').trim().to_owned()).collect()
}

/// The queries of all dashboards, as Grafana would ask them, each with the dashboard and panel that it is of.
fn dashboard_queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for file in fs::read_dir(root().join("deploy/monitoring/dashboards")).unwrap() {
        let dashboard: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let place = format!("{}, {}", dashboard["title"], panel["title"]);
            for target in panel["targets"].as_array().unwrap() {
                let query = target["expr"].as_str().unwrap();
                let query = query.replace("$__rate_interval", "1m").replace("$job", "ringwood");
                queries.push((place.clone(), query));
            }
        }
    }
    queries
}

/// What stands behind a key, on lines of its own.
fn values<'a>(text: &'a str, key: &str) -> BTreeSet<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(str::trim).collect()
}

/// Checks that every metric of ours that the alerts and dashboards ask for is one that some process has.
pub(crate) fn check_metrics(cluster: &Cluster) {
    let pages: Vec<String> =
        cluster.ports().map(|port| get(port, "/metrics").expect("it answers /metrics").1).collect();
    let queries = rule_queries().into_iter().chain(dashboard_queries().into_iter().map(|(_, query)| query));
    let queries: Vec<String> = queries.collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_ours = |word: &&str| word.starts_with("ringwood_") || word.starts_with("process_");
    let words = queries.iter().flat_map(|query| query.split(|c| !is_name(c)));
    let names: BTreeSet<&str> = words.filter(is_ours).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        let has = |page: &String| {
            page.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_name)))
        };
        assert!(pages.iter().any(has), "an alert or a dashboard asks for {name}, which no process has");
    }
}

#[test]
fn every_query_of_alerts_and_dashboards_parses() {
    let alerts = rule_queries().into_iter().map(|query| ("an alert".to_owned(), query));
    let queries: Vec<_> = alerts.chain(dashboard_queries()).collect();
    assert!(queries.len() > 60, "{}", queries.len());
    for (place, query) in queries {
        if let Err(error) = promql::parse(&query, &ParseOptions::default()) {
            panic!("{place}: {query}: {error}");
        }
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let text = rules();
    let alerts = values(&text, "- alert:");
    let pages = fs::read_dir(root().join("docs/runbooks")).unwrap();
    let pages: BTreeSet<String> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(pages, alerts.iter().map(|alert| format!("{alert}.md")).collect());
    for runbook in values(&text, "runbook:") {
        let page = fs::read_to_string(root().join(runbook)).unwrap();
        let alert = Path::new(runbook).file_stem().unwrap().to_str().unwrap();
        assert!(page.starts_with(&format!("# {alert}\n")), "{runbook}");
    }
    assert_eq!(values(&text, "runbook:").len(), alerts.len());
}

#[test]
fn promtool_passes_the_alerts_and_their_tests() {
    let promtool = root().join("target/tools/promtool");
    if !promtool.is_file() {
        eprintln!("skipped: {} is not there (`make real-parts`)", promtool.display());
        return;
    }
    for arguments in [["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]] {
        let checked = Command::new(&promtool).args(arguments).current_dir(root().join("deploy/monitoring")).output();
        let checked = checked.unwrap();
        let said = [checked.stdout, checked.stderr].concat();
        assert!(checked.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
    let (text, tests) = (rules(), fs::read_to_string(root().join("deploy/monitoring/rules_test.yml")).unwrap());
    let tested: BTreeSet<&str> = values(&tests, "alertname:");
    let untested: Vec<&str> = values(&text, "- alert:").into_iter().filter(|alert| !tested.contains(alert)).collect();
    assert!(untested.is_empty(), "no test fires {untested:?}");
}
