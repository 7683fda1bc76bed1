//! Asks our engine and the real Prometheus' the same questions, and shows where the answers differ: random ones for a while,
//! those of the collections of real queries, or those of a script.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use differential::{
    Campaign, Dice, Mode, Oracle, OracleError, Pair, Tally, demo, expand, exposed, survey, survey_satisfied,
    survey_scripts,
};
use stdx::Clock;

#[derive(Parser)]
struct Args {
    /// For how many seconds random questions are asked.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What decides everything; the same seed asks the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Asks the queries of the corpus and of the compliance tests instead.
    #[arg(long)]
    corpus: bool,
    /// Asks what this script asks instead, whatever it expects.
    #[arg(long)]
    script: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(program) = Oracle::find() else {
        tell("there is no oracle: `make tools` builds it");
        return ExitCode::FAILURE;
    };
    let differences = match &args.script {
        Some(script) => ask_script(&program, script),
        None if args.corpus => ask_collections(&program, args.seed),
        None => ask_at_random(&program, &args),
    };
    match differences {
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

fn tell_of(tally: &Tally, from: usize) {
    for report in &tally.reports[from..] {
        tell(&format!("----------------------------------------\n{report}"));
    }
}

/// How many differences there were.
fn ask_at_random(program: &Path, args: &Args) -> Result<usize, OracleError> {
    let mut pair = Pair::start(program)?;
    let mut campaign = Campaign::new(args.seed, corpus());
    let clock = Clock::system();
    let end = clock.now() + Duration::from_secs(args.seconds);
    let mut shown = 0;
    while clock.now() < end {
        campaign.round(&mut pair)?;
        tell_of(campaign.tally(), shown);
        shown = campaign.tally().reports.len();
    }
    tell(&campaign.tally().to_string());
    Ok(campaign.tally().differences.values().sum())
}

/// How many differences there were.
fn ask_script(program: &Path, script: &Path) -> Result<usize, OracleError> {
    let read = std::fs::read_to_string(script);
    let text = read.map_err(|source| OracleError::Talk { program: script.to_owned(), source })?;
    let tally = survey_scripts(&mut Pair::start(program)?, &text, Mode::of_script(&text))?;
    tell_of(&tally, 0);
    tell(&tally.to_string());
    Ok(tally.differences.values().sum())
}

/// How many differences there were.
fn ask_collections(program: &Path, seed: u64) -> Result<usize, OracleError> {
    let mut pair = Pair::start(program)?;
    let mut dice = Dice::from_seed(seed);
    let queries = corpus();
    let compliance = testkit::read_shared("conformance/compliance/promql-test-queries.yml").unwrap_or_default();
    let compliance = expand(&compliance).unwrap_or_default();
    let mut differences = 0;
    let mut show = |name: &str, tally: &Tally| {
        tell_of(tally, 0);
        tell(&format!("{name}: {tally}"));
        differences += tally.differences.values().sum::<usize>();
    };
    for path in testkit::shared_files("conformance/promqltest", ".test") {
        let script = std::fs::read_to_string(&path).unwrap_or_default();
        for delayed in [false, true] {
            let mode = Mode { delayed_name_removal: delayed, ..Mode::default() };
            let (tally, name) = (survey_scripts(&mut pair, &script, mode)?, path.display());
            show(&format!("{name}, delayed name removal {delayed}"), &tally);
        }
    }
    let data = demo(&mut dice);
    show("compliance templates", &survey(&mut pair, &data, &compliance)?);
    show("corpus over series made for each query", &survey_satisfied(&mut pair, &queries, seed)?);
    let data = exposed(&mut dice, &pages());
    tell(&format!("{} series of recorded pages", data.series.len()));
    show("corpus over recorded pages", &survey(&mut pair, &data, &queries)?);
    Ok(differences)
}

fn corpus() -> Vec<String> {
    let text = testkit::read_shared("corpus/queries_resolved.txt").unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Recorded pages, by the names of their files.
fn pages() -> Vec<(String, Vec<u8>)> {
    let files = [".prom", ".om.txt"].into_iter().flat_map(|ending| testkit::shared_files("corpus/expositions", ending));
    let read = |file: std::path::PathBuf| {
        let name = file.file_name()?.to_string_lossy().trim_end_matches(".prom").trim_end_matches(".txt").to_owned();
        Some((name, std::fs::read(&file).ok()?))
    };
    files.filter_map(read).collect()
}
