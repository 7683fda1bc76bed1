//! Starts a real Prometheus and the binary beside each other, asks both the same, and shows where the answers differ.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use sweep::{Pair, PairError, Programs, ask_corpus, cases, start_corpus, start_sweep, sweep, wander};

#[derive(Parser)]
struct Args {
    /// The binary.
    #[arg(long, default_value = "target/release/ringwood")]
    ringwood: PathBuf,
    /// The real Prometheus.
    #[arg(long, default_value = "target/tools/prometheus")]
    prometheus: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Asks every path, as clients do and as they should not.
    Api {
        /// How many requests are made of these by chance, besides.
        #[arg(long, default_value_t = 0)]
        random: usize,
        /// What decides them.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// More switches of both, separated by commas.
        #[arg(long, default_value = "")]
        enable_feature: String,
    },
    /// Asks the queries of dashboards and rules over recorded pages.
    Corpus {
        /// Only each so manieth query.
        #[arg(long, default_value_t = 1)]
        every: usize,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let programs = Programs { prometheus: args.prometheus, ringwood: args.ringwood };
    let outcome = match args.command {
        Command::Api { random, seed, enable_feature } => ask_api(&programs, &enable_feature, random, seed),
        Command::Corpus { every } => ask_queries(&programs, every),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            tell(&format!("{error}: {:?}", std::error::Error::source(&error)));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
fn tell(text: &str) {
    println!("{text}");
}

#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// How many answers are different.
fn ask_api(programs: &Programs, features: &str, random: usize, seed: u64) -> Result<usize, PairError> {
    let (pair, time): (Pair, i64) = start_sweep(programs, now(), features)?;
    let requests = cases::all(time);
    let mut tally = sweep(&pair, &requests);
    for difference in &tally.differences {
        tell(difference);
    }
    tell(&tally.to_string());
    if random > 0 {
        let listed = tally.differences.len();
        tally = wander(&pair, &requests, time, seed, random);
        for difference in &tally.differences {
            tell(difference);
        }
        tell(&format!("by chance, seed {seed}: {tally}"));
        return Ok(listed + tally.differences.len());
    }
    Ok(tally.differences.len())
}

/// How many answers are different.
fn ask_queries(programs: &Programs, every: usize) -> Result<usize, PairError> {
    let (pair, end) = start_corpus(programs, now())?;
    let queries = testkit::read_shared("corpus/queries_resolved.txt").unwrap_or_default();
    let queries: Vec<String> = queries.lines().step_by(every.max(1)).map(str::to_owned).collect();
    let tally = ask_corpus(&pair, &queries, end);
    for difference in &tally.differences {
        tell(difference);
    }
    tell(&tally.to_string());
    Ok(tally.differences.len())
}
