//! The binary: `ringwood`.
//!
//! Reads flags and becomes a server of some roles, or one of the tools for operators and scripts.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to whoever called it")]

mod backend;
mod check;
mod ctl;
mod external_url;
mod features;
mod flags;
mod jobs;
mod peers;
mod queries;
mod reload;
mod server;
mod settings;
mod sources;
mod table;
mod tool;

use std::process::ExitCode;

use clap::Parser;

use crate::flags::{Cli, Command};

/// Queries free on one thread what others have made. Of those that were tried this one gives most of that back: see
/// docs/adr/0005-jemalloc.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => server::run(cli.server),
        Some(Command::CheckConfig { file }) => check::run(&file),
        Some(Command::Ctl(ctl)) => ctl::run(ctl),
        Some(Command::Tool(tool)) => tool::run(tool),
    };
    match outcome {
        Ok(code) => code,
        Err(message) => {
            eprintln!("ringwood: {message}");
            ExitCode::FAILURE
        }
    }
}
