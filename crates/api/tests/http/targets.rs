//! Targets and what they say about their metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::{ActiveTarget, ApiConfig, DroppedTarget, Health, MetadataByMetric, TargetMetadata, Targets};
use model::{Labels, Metadata, MetricType, NameScheme, Timestamp};
use relabel::{Rule, RuleConfig};

use crate::server::{Process, Server};

fn server() -> Server {
    let scraped = ActiveTarget {
        discovered_labels: Labels::from_pairs([("__address__", "h:1")]),
        labels: Labels::from_pairs([("job", "a<b")]),
        scrape_pool: "p".to_owned(),
        scrape_url: "http://h:1/metrics?a=1&b=2".to_owned(),
        global_url: "http://h:1/metrics".to_owned(),
        last_error: "no <answer>".to_owned(),
        last_scrape: Some(Timestamp(1500)),
        last_scrape_duration: Duration::from_millis(12),
        health: Health::Down,
        scrape_interval: "15s".to_owned(),
        scrape_timeout: "10s".to_owned(),
    };
    let new = ActiveTarget { scrape_pool: "q".to_owned(), ..ActiveTarget::default() };
    let dropped = DroppedTarget { discovered_labels: Labels::from_pairs([("a", "b")]), scrape_pool: "p".to_owned() };
    let metadata = |metric_type, help: &str| Metadata { metric_type, help: help.into(), unit: "".into() };
    let metadata = MetadataByMetric::from([
        ("a".into(), BTreeSet::from([metadata(MetricType::Counter, "A."), metadata(MetricType::Gauge, "B.")])),
        ("b".into(), BTreeSet::from([metadata(MetricType::Unknown, "")])),
    ]);
    let targets = Targets {
        active: vec![new, scraped],
        dropped: vec![dropped],
        dropped_counts: BTreeMap::from([("p".to_owned(), 1)]),
    };
    Server::new(Process { targets, metadata, ..Process::default() }, ApiConfig::default())
}

#[test]
fn targets_are_shown_by_state_and_pool() {
    let down = r#"{"discoveredLabels":{"__address__":"h:1"},"labels":{"job":"a<b"},"scrapePool":"p","scrapeUrl":"http://h:1/metrics?a=1\u0026b=2","globalUrl":"http://h:1/metrics","lastError":"no \u003canswer\u003e","lastScrape":"1970-01-01T00:00:01.5Z","lastScrapeDuration":0.012,"health":"down","scrapeInterval":"15s","scrapeTimeout":"10s"}"#;
    let new = r#"{"discoveredLabels":{},"labels":{},"scrapePool":"q","scrapeUrl":"","globalUrl":"","lastError":"","lastScrape":"0001-01-01T00:00:00Z","lastScrapeDuration":0,"health":"unknown","scrapeInterval":"","scrapeTimeout":""}"#;
    let dropped = r#"{"discoveredLabels":{"a":"b"},"scrapePool":"p"}"#;
    let server = server();
    for (query, active, dropped, counts) in [
        ("state=active&scrapePool=p", down.to_owned(), "", "null"),
        ("", format!("{new},{down}"), dropped, r#"{"p":1}"#),
        ("state=DROPPED", String::new(), dropped, r#"{"p":1}"#),
        ("state=other", String::new(), "", "null"),
    ] {
        let expected =
            format!(r#"{{"activeTargets":[{active}],"droppedTargets":[{dropped}],"droppedTargetCounts":{counts}}}"#);
        server.check_data(&format!("/api/v1/targets?{query}"), &expected);
    }
    server.check_data("/api/v1/scrape_pools", r#"{"scrapePools":["p","q"]}"#);
}

#[test]
fn metadata_are_limited_as_asked() {
    let server = server();
    let (counter, gauge) = (r#"{"type":"counter","unit":"","help":"A."}"#, r#"{"type":"gauge","unit":"","help":"B."}"#);
    let b = r#""b":[{"type":"unknown","unit":"","help":""}]"#;
    for (query, expected) in [
        ("", format!(r#"{{"a":[{counter},{gauge}],{b}}}"#)),
        ("limit=1", format!(r#"{{"a":[{counter},{gauge}]}}"#)),
        ("limit=0", "{}".to_owned()),
        ("limit=-1&limit_per_metric=1", format!(r#"{{"a":[{counter}],{b}}}"#)),
        ("metric=b", format!("{{{b}}}")),
        ("metric=c", "{}".to_owned()),
    ] {
        server.check_data(&format!("/api/v1/metadata?{query}"), &expected);
    }
    server.check_data("/api/v1/targets/metadata", "[]");
}

#[test]
fn targets_say_what_their_metrics_are() {
    let said = |target: &str, metric: &str| TargetMetadata {
        target: Labels::from_pairs([("job", target)]),
        metric: metric.into(),
        metadata: Metadata { metric_type: MetricType::Counter, help: "A <b>.".into(), unit: "s".into() },
    };
    let target_metadata = vec![said("k", "a"), said("j", "b"), said("j", "a")];
    let server = Server::new(Process { target_metadata, ..Process::default() }, ApiConfig::default());
    let shown = |target: &str, metric: &str| {
        let metric = if metric.is_empty() { String::new() } else { format!(r#""metric":"{metric}","#) };
        format!(r#"{{"target":{{"job":"{target}"}},{metric}"type":"counter","help":"A \u003cb\u003e.","unit":"s"}}"#)
    };
    let all = [shown("j", "a"), shown("j", "b"), shown("k", "a")];
    for (query, expected) in [
        ("", all.join(",")),
        // What a target says stays together.
        ("limit=1", all[..2].join(",")),
        ("limit=2", all[..2].join(",")),
        ("limit=3", all.join(",")),
        ("limit=0", String::new()),
        ("limit=-1&metric=a", [shown("j", ""), shown("k", "")].join(",")),
        ("match_target=%7Bjob=%22k%22%7D", all[2].clone()),
    ] {
        server.check_data(&format!("/api/v1/targets/metadata?{query}"), &format!("[{expected}]"));
    }
}

#[test]
fn rules_are_shown_step_by_step() {
    let rule = |config| Rule::new(config, NameScheme::Utf8).unwrap();
    let replace = RuleConfig {
        source_labels: Some(vec!["a".to_owned()]),
        target_label: "b".to_owned(),
        replacement: "<$1>".to_owned(),
        ..RuleConfig::default()
    };
    let drop = RuleConfig { action: "drop".parse().ok(), regex: Some("x".to_owned()), ..replace.clone() };
    let relabel_rules = vec![rule(replace), rule(drop)];
    let server = Server::new(Process { relabel_rules, ..Process::default() }, ApiConfig::default());
    let first = r#"{"rule":{"source_labels":["a"],"separator":";","regex":"(.*)","target_label":"b","replacement":"\u003c$1\u003e","action":"replace"},"output":{"a":"x","b":"<x>"},"keep":true}"#;
    let second = r#"{"rule":{"source_labels":["a"],"separator":";","regex":"x","target_label":"b","replacement":"\u003c$1\u003e","action":"drop"},"output":{},"keep":false}"#;
    let path = "/api/v1/targets/relabel_steps?scrapePool";
    server.check_data(&format!("{path}=p&labels=%7B%22a%22:%22x%22%7D"), &format!(r#"{{"steps":[{first},{second}]}}"#));
    for (query, message) in [
        ("=", "no scrapePool parameter provided"),
        ("=q", "no labels parameter provided"),
        ("=q&labels=x", "error parsing labels: invalid character 'x' looking for beginning of value"),
        ("=q&labels=null", "error retrieving scrape config: scrape pool \"q\" not found"),
    ] {
        server.check_error(&format!("{path}{query}"), 400, "bad_data", message);
    }
}
