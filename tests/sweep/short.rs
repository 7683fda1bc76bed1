//! The sweep in its short form, if the real Prometheus is at hand: `make tools` builds it. `make sweep` and `make corpus` ask
//! more.

#![expect(clippy::print_stderr, reason = "whoever reads a failure wants the counts")]

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use sweep::{Programs, ask_corpus, cases, start_corpus, start_sweep, sweep, wander};

/// How many requests are made by chance, and by which seed.
const RANDOM: usize = 500;
const SEED: u64 = 1;
/// Each so manieth query of the corpus.
const EVERY: usize = 20;

/// Both programs; `None`, with a remark, if there is no real Prometheus.
fn programs() -> Option<Programs> {
    let test = std::env::current_exe().expect("a test has a path");
    // The binary that cargo built for this test is beside the folder of the test itself, wherever that is now.
    let ringwood = test.parent().and_then(Path::parent).map(|folder| folder.join("ringwood")).unwrap_or_default();
    match Programs::find_prometheus() {
        Some(prometheus) => Some(Programs { prometheus, ringwood }),
        None => {
            eprintln!("skipped: there is no real Prometheus, which `make tools` builds");
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64)
}

#[test]
fn every_path_answers_as_in_prometheus() {
    let Some(programs) = programs() else { return };
    let (pair, time) = start_sweep(&programs, now(), "").expect("both servers start");
    let requests = cases::all(time);
    for tally in [sweep(&pair, &requests), wander(&pair, &requests, time, SEED, RANDOM)] {
        eprintln!("{tally}");
        assert!(tally.differences.is_empty(), "{}", tally.differences.join("\n"));
    }
}

#[test]
fn queries_of_dashboards_answer_as_in_prometheus() {
    let Some(programs) = programs() else { return };
    let Some(queries) = testkit::read_shared("corpus/queries_resolved.txt") else { return };
    let queries: Vec<String> = queries.lines().step_by(EVERY).map(str::to_owned).collect();
    let (pair, end) = start_corpus(&programs, now()).expect("both servers start");
    let tally = ask_corpus(&pair, &queries, end);
    eprintln!("{tally}");
    assert_eq!(tally.parsed, queries.len());
    assert!(tally.differences.is_empty(), "{}", tally.differences.join("\n"));
}
