//! Discoverers at work, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use discovery::{Context, Discovered, Discoverer, FileConfig, HttpConfig, MechanismConfig, Metrics, TargetGroup};
use futures::future::{BoxFuture, FutureExt};
use http_body_util::{BodyExt, Full};
use http_client::{Body, HttpClientConfig, HttpError, Outgoing, Transport};
use model::Labels;
use parking_lot::Mutex;
use stdx::{Clock, Tasks};
use telemetry::Registry;
use tokio::sync::watch;

/// Answers requests from a list, the last one again and again, and remembers what they were.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<http::Response<String>>>,
    seen: Mutex<Vec<String>>,
}

impl Transport for Script {
    fn round_trip(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        let interval = outgoing.request.headers()["x-prometheus-refresh-interval-seconds"].to_str().unwrap();
        self.seen.lock().push(format!("{} {interval}", outgoing.request.uri()));
        let mut answers = self.answers.lock();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let never_fails = |never: std::convert::Infallible| match never {};
        let answer = answer.unwrap().map(|text| Full::from(text).map_err(never_fails).boxed_unsync());
        async move { Ok(answer) }.boxed()
    }
}

fn answer(status: u16, content_type: &str, body: &str) -> http::Response<String> {
    http::Response::builder().status(status).header("content-type", content_type).body(body.to_owned()).unwrap()
}

/// A node with one scrape pool.
struct Node {
    registry: Registry,
    context: Context,
}

fn node(answers: impl IntoIterator<Item = http::Response<String>>) -> (Node, Arc<Script>) {
    let registry = Registry::new();
    let script = Arc::new(Script { answers: Mutex::new(answers.into_iter().collect()), seen: Mutex::default() });
    let context = Context {
        clock: Clock::system(),
        tasks: Tasks::new(),
        metrics: Metrics::register(&registry),
        transport: Some(script.clone()),
    };
    (Node { registry, context }, script)
}

impl Node {
    fn start(&self, configs: Vec<MechanismConfig>) -> (Discoverer, watch::Receiver<Discovered>) {
        let discoverer = Discoverer::start("pool", configs, self.context.clone());
        let groups = discoverer.discovered();
        (discoverer, groups)
    }

    fn metric(&self, line: &str) -> bool {
        self.registry.encode().unwrap().lines().any(|other| other == line)
    }
}

fn fixed(source: &str, address: &str) -> TargetGroup {
    TargetGroup::new(source, [address], Labels::empty())
}

fn files(folder: &Path, pattern: &str) -> MechanismConfig {
    let refresh_interval = Duration::from_secs(300);
    MechanismConfig::File(FileConfig { patterns: vec![folder.join(pattern)], refresh_interval })
}

fn url() -> MechanismConfig {
    let refresh_interval = Duration::from_secs(60);
    let client = HttpClientConfig::default();
    MechanismConfig::Http(Box::new(HttpConfig { url: "http://sd/targets".to_owned(), refresh_interval, client }))
}

/// The next list, as the labels of each target.
async fn next(groups: &mut watch::Receiver<Discovered>) -> Vec<String> {
    groups.changed().await.unwrap();
    let groups = groups.borrow_and_update();
    let sets = groups.groups.iter().flat_map(|group| group.label_sets());
    sets.map(|labels| labels.build().to_string()).collect()
}

/// Waits long enough for any poll and any delay, and checks that nothing new came.
async fn expect_nothing(groups: &mut watch::Receiver<Discovered>) {
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!groups.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn fixed_targets_come_at_once_and_together() {
    let (node, _) = node([]);
    let start = node.context.clock.now();
    let configs = vec![
        MechanismConfig::Static(vec![fixed("0", "b:1"), fixed("1", "a:1")]),
        MechanismConfig::Static(vec![fixed("0", "c:1")]),
    ];
    let (discoverer, mut groups) = node.start(configs);
    let addresses = ["b:1", "a:1", "c:1"].map(|address| format!("{{__address__=\"{address}\"}}"));
    assert_eq!(next(&mut groups).await, addresses);
    assert!(node.context.clock.now() - start < Duration::from_secs(1));
    assert!(node.metric("ringwood_sd_discovered_targets{name=\"scrape\",config=\"pool\"} 3"));
    assert!(node.metric("ringwood_sd_received_updates_total 2"));
    discoverer.stop().await;
    assert!(!node.registry.encode().unwrap().contains("sd_discovered_targets{"));
}

#[tokio::test(start_paused = true)]
async fn a_list_is_complete_when_every_mechanism_has_spoken() {
    let (node, _) = node([answer(500, "text/plain", ""), answer(200, "application/json", "[]")]);
    let start = node.context.clock.now();
    let (_discoverer, mut groups) = node.start(vec![url(), MechanismConfig::Static(vec![fixed("0", "a:1")])]);
    assert_eq!(next(&mut groups).await.len(), 1);
    assert!(!groups.borrow().is_complete, "the server has failed");
    assert_eq!(next(&mut groups).await.len(), 1);
    assert!(groups.borrow().is_complete);
    assert!(node.context.clock.now() - start >= Duration::from_secs(60), "it was asked again");
    let (_discoverer, mut groups) = node.start(vec![]);
    assert!(next(&mut groups).await.is_empty() && groups.borrow().is_complete, "nobody has anything to say");
}

#[tokio::test(start_paused = true)]
async fn reloads_leave_equal_mechanisms_alone() {
    let (node, script) = node([answer(200, "application/json", r#"[{"targets":["h:1"]}]"#)]);
    let (mut discoverer, mut groups) = node.start(vec![url(), MechanismConfig::Static(vec![fixed("0", "a:1")])]);
    let from_url = "{__address__=\"h:1\", __meta_url=\"http://sd/targets\"}";
    assert_eq!(next(&mut groups).await, [from_url, "{__address__=\"a:1\"}"]);
    discoverer.reload(vec![MechanismConfig::Static(vec![fixed("0", "b:1")]), url()]);
    assert_eq!(next(&mut groups).await, ["{__address__=\"b:1\"}", from_url]);
    assert_eq!(*script.seen.lock(), ["http://sd/targets 60"]);
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_wrong_change_nothing() {
    let (node, script) = node([
        answer(200, "application/json", r#"[{"targets":["a:1"]},{"targets":["b:1"],"labels":{"x":"1"}}]"#),
        answer(500, "application/json", "[]"),
        answer(200, "text/plain", "[]"),
        answer(200, "application/json", "[null]"),
        answer(200, "application/json; charset=utf-8", r#"[{"targets":["c:1"]}]"#),
    ]);
    let (_discoverer, mut groups) = node.start(vec![url()]);
    let label = "__meta_url=\"http://sd/targets\"";
    let both = [format!("{{__address__=\"a:1\", {label}}}"), format!("{{__address__=\"b:1\", {label}, x=\"1\"}}")];
    assert_eq!(next(&mut groups).await, both);
    assert_eq!(next(&mut groups).await, [format!("{{__address__=\"c:1\", {label}}}")]);
    assert_eq!(script.seen.lock().len(), 5);
    assert!(node.metric("ringwood_sd_refresh_failures_total{mechanism=\"http\"} 3"));
}

#[tokio::test(start_paused = true)]
async fn settings_that_cannot_be_used_are_counted() {
    let (node, _) = node([]);
    let mut config = url();
    if let MechanismConfig::Http(http) = &mut config {
        http.url = "http://[".to_owned();
    }
    let (_discoverer, mut groups) = node.start(vec![config, MechanismConfig::Static(vec![fixed("0", "a:1")])]);
    assert_eq!(next(&mut groups).await, ["{__address__=\"a:1\"}"]);
    assert!(node.metric("ringwood_sd_failed_configs{name=\"scrape\",config=\"pool\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn files_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yml");
    let write = |text: &str| fs::write(&path, text).unwrap();
    let targets = |addresses: &[&str]| -> Vec<String> {
        let file = path.display();
        addresses.iter().map(|address| format!("{{__address__=\"{address}\", __meta_filepath=\"{file}\"}}")).collect()
    };
    let (node, _) = node([]);
    let (_discoverer, mut groups) = node.start(vec![files(folder.path(), "*.yml")]);
    // That there is nothing is said once.
    assert!(next(&mut groups).await.is_empty() && groups.borrow().is_complete);
    expect_nothing(&mut groups).await;
    write("[{targets: [a:1]}, {targets: [b:1]}]");
    assert_eq!(next(&mut groups).await, targets(&["a:1", "b:1"]));
    write("[{targets: [long:1]}]");
    assert_eq!(next(&mut groups).await, targets(&["long:1"]));
    // A mistake, and other bytes for the same targets, change nothing.
    write("nonsense");
    expect_nothing(&mut groups).await;
    assert!(node.metric("ringwood_sd_refresh_failures_total{mechanism=\"file\"} 1"));
    write("- targets:\n  - long:1");
    expect_nothing(&mut groups).await;
    fs::remove_file(&path).unwrap();
    assert!(next(&mut groups).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn shared_files_are_found_and_refused() {
    let files_of = |ending| testkit::shared_files("conformance/discovery/file_sd", ending);
    let all = [files_of(".json"), files_of(".yml")].concat();
    for path in &all {
        let name = path.file_name().unwrap().to_string_lossy();
        let (node, _) = node([]);
        let (_discoverer, mut groups) = node.start(vec![files(path.parent().unwrap(), &name)]);
        if name.starts_with("invalid") {
            assert!(next(&mut groups).await.is_empty());
            expect_nothing(&mut groups).await;
            assert!(node.metric("ringwood_sd_refresh_failures_total{mechanism=\"file\"} 1"), "{name}");
            continue;
        }
        let found = next(&mut groups).await.len();
        assert_eq!(found, 3, "{name}");
    }
    println_count("discovery files", all.len());
}

#[tokio::test(start_paused = true)]
async fn shared_answers_are_understood() {
    let Some(body) = testkit::read_shared("conformance/discovery/http_sd/http_sd.good.json") else { return };
    let (node, _) = node([answer(200, "application/json", &body)]);
    let (_discoverer, mut groups) = node.start(vec![url()]);
    let expected = "{__address__=\"127.0.0.1:9090\", __meta_datacenter=\"bru1\", __meta_url=\"http://sd/targets\"}";
    assert_eq!(next(&mut groups).await, [expected]);
}

#[expect(clippy::print_stdout, reason = "a conformance test counts its cases")]
fn println_count(what: &str, count: usize) {
    println!("{what}: {count} of {count} passed");
}
