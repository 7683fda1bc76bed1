//! Prometheus' acceptance tests.

use promqltest::{MemoryBackend, Script};

#[tokio::test]
async fn scripts_pass() {
    let mut failures = Vec::new();
    let mut passed = 0;
    for path in testkit::shared_files("conformance/promqltest", ".test") {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).unwrap();
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let report = script.run(&mut MemoryBackend::default()).await;
        println!("{name}: {report}");
        passed += report.passed;
        failures.extend(report.failures.iter().map(|failure| format!("{name}: {failure}")));
    }
    println!("{passed} passed, {} failed", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
