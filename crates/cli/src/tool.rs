//! `ringwood tool`.

use std::process::ExitCode;

use promqltest::{MemoryBackend, Report, Script, settings};

use crate::flags::{Tool, ToolCommand};

/// Runs a tool.
pub(crate) fn run(tool: Tool) -> Result<ExitCode, String> {
    match tool.command {
        ToolCommand::Promqltest { files } => promqltest(&files),
        ToolCommand::FormatQuery { expression } => {
            let parsed = promql::parse(&expression, &promql::ParseOptions::ALL).map_err(|error| error.to_string())?;
            println!("{}", promql::prettify(&parsed));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn promqltest(files: &[std::path::PathBuf]) -> Result<ExitCode, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let mut total = Report::default();
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        let script = Script::parse(&text).map_err(|error| format!("{name}: {error}"))?;
        let report = runtime.block_on(script.run(&mut MemoryBackend::new(settings())));
        for failure in &report.failures {
            println!("{name}:{failure}");
        }
        total.passed += report.passed;
        total.failures.extend(report.failures);
    }
    println!("{} passed, {} failed", total.passed, total.failures.len());
    Ok(if total.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
