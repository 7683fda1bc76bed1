//! Prometheus' acceptance tests.

use engine::EngineOptions;
use promqltest::{MemoryBackend, Script, settings};

#[tokio::test]
async fn scripts_pass() {
    let outcome = run_all(settings).await;
    assert!(outcome.failures.is_empty(), "{} passed, but\n{}", outcome.passed, outcome.failures.join("\n"));
}

/// A server lets names go at once, unless it is told otherwise. The scripts are written for the other way; still most of what
/// they say holds.
#[tokio::test]
async fn scripts_mostly_pass_when_names_go_at_once() {
    let outcome = run_all(|| {
        let mut options = settings();
        options.features.delayed_name_removal = false;
        options
    })
    .await;
    let unexpected: Vec<&String> = outcome.failures.iter().filter(|failure| !is_about_names(failure)).collect();
    assert!(unexpected.is_empty(), "{} passed, but {unexpected:#?}", outcome.passed);
}

/// Whether a failure comes from names going at once: remarks no longer name the metric, series become the same, or sets of
/// labels no longer match.
fn is_about_names(failure: &str) -> bool {
    let traces = ["for metric name", "metrics with the same labelset", "type_and_unit.test"];
    traces.iter().any(|trace| failure.contains(trace))
}

#[derive(Default)]
struct Outcome {
    passed: usize,
    failures: Vec<String>,
}

async fn run_all(options: impl Fn() -> EngineOptions) -> Outcome {
    let mut outcome = Outcome::default();
    for path in testkit::shared_files("conformance/promqltest", ".test") {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {name}: {error}"));
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let report = script.run(&mut MemoryBackend::new(options())).await;
        outcome.passed += report.passed;
        outcome.failures.extend(report.failures.iter().map(|failure| format!("{name}: {failure}")));
    }
    outcome
}
