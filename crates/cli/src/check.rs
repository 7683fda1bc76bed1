//! `ringwood check-config`.

use std::path::Path;
use std::process::ExitCode;

use crate::jobs::{ScrapeFeatures, job_of};
use crate::settings;

/// Says everything that is wrong with a configuration file: runs what a server runs when it starts.
pub(crate) fn run(file: &Path) -> Result<ExitCode, String> {
    println!("Checking {}", file.display());
    let loaded = match settings::load(file) {
        Ok(loaded) => loaded,
        Err(errors) => {
            let mut count = 0;
            for (file, mistake) in errors.mistakes() {
                println!("  {}: {mistake}", file.display());
                count += 1;
            }
            if count == 0 {
                println!("  {errors}");
                count = errors.0.len();
            }
            println!("  FAILED: {count} mistake(s)");
            return Ok(ExitCode::FAILURE);
        }
    };
    for scrape_config in &loaded.scrape_configs {
        job_of(scrape_config, ScrapeFeatures::default())
            .map_err(|error| format!("job {}: {error}", scrape_config.job_name))?;
    }
    for notice in &loaded.notices {
        println!("  WARNING: {notice}");
    }
    println!("  SUCCESS: {} is valid, {} scrape configuration(s)", file.display(), loaded.scrape_configs.len());
    Ok(ExitCode::SUCCESS)
}
