//! `sim`: whole clusters from seeds.

#![expect(clippy::print_stdout, reason = "it is a command")]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sim::{Mistake, Plan, Tally, live_or_panic, note_logs, run, shrink};

/// Lets clusters live through faults, each decided by a seed, and checks that nothing acknowledged is lost.
#[derive(Parser)]
struct Options {
    /// How many seeds to live through.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How many at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Lives through this seed alone, and shows what happened.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: only these of its faults, by their numbers from 0.
    #[arg(long, value_delimiter = ',')]
    faults: Option<Vec<usize>>,
    /// With --seed: drops faults as long as it still fails.
    #[arg(long)]
    shrink: bool,
    /// With --seed: also shows what nodes log, such as --log=info or --log=openraft=debug.
    #[arg(long)]
    log: Option<String>,
    /// Ends after the first failure.
    #[arg(long)]
    stop_early: bool,
    /// A mistake to be made on purpose.
    #[arg(long, value_parser = parse_mistake, default_value = "")]
    mistake: Mistake,
    /// Makes one mistake after the other, each for up to --seeds seeds, and says when it was noticed.
    #[arg(long, conflicts_with_all = ["seed", "mistake"])]
    mistakes: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match options.seed {
        Some(seed) => one(seed, &options),
        None if options.mistakes => prove_that_it_bites(&options),
        None => many(&options),
    }
}

fn parse_mistake(name: &str) -> Result<Mistake, String> {
    if name.is_empty() {
        return Ok(Mistake::NONE);
    }
    let names = || Mistake::all().map(|mistake| format!("{:?}", mistake.name())).collect::<Vec<_>>().join(", ");
    Mistake::find(name).ok_or_else(|| format!("there are these: {}", names()))
}

fn prove_that_it_bites(options: &Options) -> ExitCode {
    let mut unnoticed = 0;
    println!("| mistake | noticed after so many seeds | by |\n| --- | --- | --- |");
    for mistake in Mistake::all() {
        let tally = run(options.first, options.seeds, options.jobs, mistake, true, |_, _| {});
        let (after, by) = match tally.failures.values().flatten().next() {
            Some(violation) => (tally.seeds.to_string(), violation.as_str()),
            None => (format!("not in {}", tally.seeds), ""),
        };
        unnoticed += u64::from(tally.failures.is_empty());
        println!("| {} | {after} | {by} |", mistake.name());
    }
    println!("{} passed, {unnoticed} failed", Mistake::all().count() as u64 - unnoticed);
    if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, options: &Options) -> ExitCode {
    let mut plan = Plan::from_seed(seed);
    if let Some(numbers) = &options.faults {
        plan = plan.only(numbers);
    }
    if options.shrink {
        plan = shrink(&plan, options.mistake);
    }
    if let Some(Err(error)) = options.log.as_deref().map(note_logs) {
        println!("--log: {error}");
        return ExitCode::FAILURE;
    }
    for planned in &plan.faults {
        println!("planned: {planned}");
    }
    match live_or_panic(&plan, options.mistake) {
        Ok(ending) => {
            ending.trace.lines().iter().for_each(|line| println!("{line}"));
            println!("trace {:016x}", ending.trace.digest());
            ending.violations.iter().for_each(|violation| println!("violated: {violation}"));
            if ending.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(panic) => {
            println!("{panic}");
            ExitCode::FAILURE
        }
    }
}

fn many(options: &Options) -> ExitCode {
    let started = stdx::Clock::system().now();
    let tell = |seed: u64, violations: &[String]| {
        println!("seed {seed} failed; see it with `make sim-one SEED={seed}`");
        violations.iter().for_each(|violation| println!("  {violation}"));
    };
    let tally = run(options.first, options.seeds, options.jobs, options.mistake, options.stop_early, tell);
    report(&tally, started.elapsed());
    if tally.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(tally: &Tally, took: Duration) {
    println!("reached:");
    for (event, count) in &tally.events {
        println!("  {count:>10}  {event:?}");
    }
    let per_minute = tally.seeds as f64 / took.as_secs_f64() * 60.0;
    println!("{per_minute:.0} seeds per minute");
    println!("{} passed, {} failed", tally.seeds - tally.failures.len() as u64, tally.failures.len());
}
