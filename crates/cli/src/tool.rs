//! `ringwood tool`.

mod client;
mod promqltest;
mod query;

use std::process::ExitCode;

use crate::flags::{Tool, ToolCommand};

/// Runs a tool.
pub(crate) fn run(tool: Tool) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("start the runtime: {error}"))?;
    match tool.command {
        ToolCommand::Promqltest(options) => runtime.block_on(promqltest::run(&options)),
        ToolCommand::FormatQuery { expression } => {
            let parsed = promql::parse(&expression, &promql::ParseOptions::ALL).map_err(|error| error.to_string())?;
            println!("{}", promql::prettify(&parsed));
            Ok(ExitCode::SUCCESS)
        }
        question => runtime.block_on(query::run(question)),
    }
}
