//! `ringwood tool promqltest`.

mod cluster;

use std::path::Path;
use std::process::ExitCode;

use futures::{StreamExt, stream};
use promqltest::{Backend, Compared, MemoryBackend, Report, Script, settings};

use crate::flags::Promqltest;
use cluster::{Options, ScriptCluster};

/// How many scripts run at a time. Clusters mostly wait: for elections, and for it to be time to ship.
const SCRIPTS_AT_ONCE: usize = 8;

/// Runs scripts and says what became of them.
///
/// # Errors
/// If a script can't be read.
pub(super) async fn run(options: &Promqltest) -> Result<ExitCode, String> {
    let mut total = Report::default();
    let mut reports = stream::iter(&options.files)
        .map(|file| async move { (file.display(), run_file(file, options).await) })
        .buffered(if options.cluster { SCRIPTS_AT_ONCE } else { 1 });
    while let Some((name, report)) = reports.next().await {
        let report = report.map_err(|error| format!("{name}: {error}"))?;
        for failure in &report.failures {
            println!("{name}:{failure}");
        }
        total.passed += report.passed;
        total.failures.extend(report.failures);
    }
    println!("{total}");
    Ok(if total.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_file(file: &Path, options: &Promqltest) -> Result<Report, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let script = Script::parse(&text).map_err(|error| error.to_string())?;
    if !options.cluster {
        return Ok(script.run(&mut MemoryBackend::new(settings())).await);
    }
    let options = Options { shards: options.shards, ship: options.ship };
    let mut backend = Compared::new(settings(), ScriptCluster::new(options));
    let report = script.run(&mut backend).await;
    // The cluster ends, and takes its folder along.
    backend.clear().await?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts of which a whole cluster must make the same as the engine by itself.
    const SCRIPTS: [&str; 4] = ["staleness.test", "range_queries.test", "fill-modifier.test", "at_modifier.test"];

    fn check(shards: u32, ship: bool) {
        let files = testkit::shared_files("conformance/promqltest", ".test");
        let is_wanted = |file: &std::path::PathBuf| SCRIPTS.iter().any(|name| file.ends_with(name));
        let files = files.into_iter().filter(is_wanted).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let code = runtime.block_on(run(&Promqltest { files, cluster: true, shards, ship })).unwrap();
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    }

    #[test]
    fn scripts_come_to_the_same_in_one_shard() {
        check(1, false);
    }

    #[test]
    fn scripts_come_to_the_same_in_four_shards_and_a_bucket() {
        check(4, true);
    }
}
