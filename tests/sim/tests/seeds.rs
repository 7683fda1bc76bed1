//! Universes from seeds: the short form of `make sim`.

#![expect(clippy::print_stderr, reason = "whoever reads a failure wants to see it again")]

use sim::{Mistake, Plan, Tally, live, run};

/// How many seeds are lived through; `make sim` goes on from there.
const FIRST: u64 = 30;

/// Seeds that failed once.
fn failed_once() -> impl Iterator<Item = u64> {
    include_str!("../failed_once.txt").lines().filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

fn tell(seed: u64, violations: &[String]) {
    eprintln!("seed {seed} failed: {violations:?}; see it with `make sim-one SEED={seed}`");
}

fn assert_passed(tally: &Tally) {
    assert!(tally.failures.is_empty(), "{} of {} seeds failed", tally.failures.len(), tally.seeds);
}

#[test]
fn a_seed_is_replayed_to_the_microsecond() {
    for seed in [1, 2, 3] {
        let [first, second] = [(); 2].map(|()| live(&Plan::from_seed(seed), Mistake::NONE));
        assert_eq!(first.trace.digest(), second.trace.digest(), "seed {seed}");
    }
}

#[test]
fn seeds_that_failed_once_pass() {
    let mut count = 0;
    for seed in failed_once() {
        assert_passed(&run(seed, 1, 1, Mistake::NONE, false, tell));
        count += 1;
    }
    assert!(count > 0, "tests/sim/failed_once.txt names none");
}

#[test]
fn the_first_seeds_pass() {
    assert_passed(&run(1, FIRST, 2, Mistake::NONE, false, tell));
}
