//! Scripts of our own, beside those of Prometheus: what must hold even where theirs are not at hand.

use promqltest::{MemoryBackend, Script};

async fn check(script: &str) {
    let script = Script::parse(script).expect("the script is one");
    let report = script.run(&mut MemoryBackend::default()).await;
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn series_find_each_other() {
    check(include_str!("scripts/joins.test")).await;
}

#[tokio::test]
async fn functions_answer() {
    check(include_str!("scripts/functions.test")).await;
}

#[tokio::test]
async fn histograms_are_calculated_with() {
    check(include_str!("scripts/histograms.test")).await;
}
