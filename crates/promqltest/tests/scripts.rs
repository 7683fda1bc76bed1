//! Scripts that are wrong, and what is told about them.

use promqltest::{MemoryBackend, Script};
use proptest::prelude::*;

/// Runs a script and returns what went wrong.
async fn failures(script: &str) -> Vec<String> {
    let report = Script::parse(script).expect("the script is one").run(&mut MemoryBackend::default()).await;
    report.failures.iter().map(ToString::to_string).collect()
}

const LOAD: &str = "load 1m\n  up{job=\"a\"} 1 2 3\n  up{job=\"b\"} 4 5 6\n\n";

#[tokio::test]
async fn what_is_expected_holds() {
    let script = format!(
        "{LOAD}eval instant at 1m sum(up)\n  {{}} 7\n\neval range from 0 to 2m step 1m up{{job=\"a\"}}\n  up{{job=\"a\"}} 1+1x2\n\
         \neval_fail instant at 1m up + on() up\n\neval instant at 0 1 + 1\n  2\n\neval instant at 0 \"a\"\n  expect string \"a\"\n\
         \nclear\n\neval instant at 1m up\n"
    );
    assert_eq!(failures(&script).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_hold_is_told_with_its_line() {
    for (assertion, told) in [
        ("eval instant at 1m sum(up)\n  {} 8", "line 5: sum(up) at 60000 ms: {}: expected 8, got 7"),
        ("eval instant at 1m sum(up)", "line 5: sum(up) at 60000 ms: unexpected {}"),
        ("eval instant at 1m up{job=\"c\"}\n  {} 1", "line 5: up{job=\"c\"} at 60000 ms: missing {} among 0 series"),
        ("eval range from 0 to 1m step 1m sum(up)\n  {} 5 _", "line 5: sum(up): {}: 1 points more than expected"),
        (
            "eval instant at 1m rate(up[5m])\n  expect no_info",
            "expected no info, got [\"PromQL info: metric might not be a counter",
        ),
        ("eval instant at 1m up + on() up", "failed: found duplicate series for the match group {}"),
        ("eval instant at 1m sum(up)\n  expect fail", "expected a failure, got Vector"),
    ] {
        let failures = failures(&format!("{LOAD}{assertion}\n")).await;
        assert!(failures.len() == 1 && failures[0].contains(told), "{assertion}: {failures:#?}");
    }
}

#[test]
fn faults_are_told_with_their_line() {
    for (script, told) in [
        ("\nfoo", "line 2: invalid command \"foo\""),
        ("load 1x\n", "line 1: "),
        ("load 1m\n  up 1\n  up{", "line 3: "),
        ("load 1m\n  up@st -1m\n", "line 2: start timestamps without a series"),
        ("eval instant at 1m sum(", "line 1: "),
        ("eval range from 1m to 0 step 1m up", "line 1: the range ends before it starts"),
        ("eval instant at 1m up\n  expect nothing", "line 2: "),
        ("load 1m\n  up 1x99999999999", "line 2: a series has more than"),
    ] {
        let error = Script::parse(script).unwrap_err().to_string();
        assert!(error.starts_with(told), "{script}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(load|eval instant at|eval range from|expect|clear|  |[a-z{}\"=0-9@_x+: ]{0,12}|\n){0,30}") {
        let _ = Script::parse(&text);
    }

    #[test]
    fn no_characters_make_the_parser_panic(text in any::<String>()) {
        let _ = Script::parse(&text);
    }
}
