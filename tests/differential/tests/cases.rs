//! What random queries once found, kept so that it stays mended: scripts, with what the real Prometheus answers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use differential::Mode;
use promqltest::{MemoryBackend, Script, settings};

#[tokio::test]
async fn what_was_found_stays_mended() {
    // Tests run in the folder of their package.
    let folder = Path::new("cases");
    let entries = fs::read_dir(folder).expect("the folder of the cases can be read");
    let mut passed = 0;
    for entry in entries {
        let path = entry.expect("the folder of the cases can be read").path();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut options = settings();
        let mode = Mode::of_script(&text);
        options.lookback = Duration::from_millis(mode.lookback_ms);
        options.features.delayed_name_removal = mode.delayed_name_removal;
        options.features.type_and_unit_labels = mode.type_and_unit_labels;
        let report = script.run(&mut MemoryBackend::new(options)).await;
        assert!(report.failures.is_empty(), "{}: {:#?}", path.display(), report.failures);
        passed += report.passed;
    }
    assert!(passed > 20, "only {passed} cases were found");
}
