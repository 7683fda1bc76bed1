//! Asks our engine and the real Prometheus' the same random questions for a while, and shows where the answers differ.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use differential::{Campaign, Oracle, OracleError, Pair};
use stdx::Clock;

#[derive(Parser)]
struct Args {
    /// For how many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What decides everything; the same seed asks the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}: {:?}", std::error::Error::source(&error));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
fn run(args: &Args) -> Result<ExitCode, OracleError> {
    let Some(program) = Oracle::find() else {
        println!("there is no oracle: `make tools` builds it");
        return Ok(ExitCode::FAILURE);
    };
    let mut pair = Pair::start(&program)?;
    let corpus = testkit::read_shared("corpus/queries_resolved.txt").unwrap_or_default();
    let mut campaign = Campaign::new(args.seed, corpus.lines().map(str::to_owned).collect());
    let clock = Clock::system();
    let end = clock.now() + Duration::from_secs(args.seconds);
    let mut shown = 0;
    while clock.now() < end {
        campaign.round(&mut pair)?;
        for report in &campaign.tally().reports[shown..] {
            println!("----------------------------------------\n{report}");
        }
        shown = campaign.tally().reports.len();
    }
    let tally = campaign.tally();
    println!(
        "{} questions, {} with an answer, {} that fail, {} undecided; differences: {:?}",
        tally.asked, tally.answered, tally.failed, tally.undecided, tally.differences
    );
    Ok(if tally.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
