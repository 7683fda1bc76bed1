//! Whether a cluster of real processes stands, in figures.
//!
//! `stands figures` lets ingesters be lost, restarted, emptied and idle, and prints how long everything took as a table of
//! Markdown. `stands soak` has targets come and go for an hour, ten times as many series as there is room for among them, and
//! prints what the processes take.

#![expect(clippy::print_stdout, reason = "a command line tool prints its result")]
#![expect(clippy::print_stderr, reason = "and says what it is doing meanwhile")]

mod cluster;
mod figures;
mod page;
mod soak;

use std::path::PathBuf;

use clap::Parser;

/// Measures clusters of real processes on this machine.
#[derive(Debug, Parser)]
struct Flags {
    #[command(subcommand)]
    command: Command,
    #[arg(long, global = true, default_value = "target/release/ringwood")]
    ringwood: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// How fast a cluster heals, and what it costs when nothing happens.
    Figures(figures::Flags),
    /// What a cluster takes while targets come and go.
    Soak(soak::Flags),
}

fn main() -> anyhow::Result<()> {
    let Flags { command, ringwood } = Flags::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Figures(flags) => runtime.block_on(figures::run(&ringwood, &flags)),
        Command::Soak(flags) => runtime.block_on(soak::run(&ringwood, &flags)),
    }
}
