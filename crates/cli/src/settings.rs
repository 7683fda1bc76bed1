//! The configuration of a process: the file that it was told, or what it does without one.

use std::path::Path;

use config::{Errors, Loaded, Mode, RealFiles};

/// Where node_exporter usually is.
pub(crate) const NODE_EXPORTER: &str = "localhost:9100";

/// Reads a configuration file.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load(path: &Path) -> Result<Loaded, Errors> {
    config::load(path, Mode::Server, &RealFiles)
}

/// What a process does that was told nothing: it scrapes itself, and a node_exporter that is there.
pub(crate) fn without_file(own_address: &str, has_node_exporter: bool) -> Result<Loaded, Errors> {
    let mut text = format!(
        "global: {{scrape_interval: 15s}}\nscrape_configs:\n\
         - job_name: ringwood\n  static_configs: [{{targets: ['{own_address}']}}]\n"
    );
    if has_node_exporter {
        text.push_str(&format!("- job_name: node\n  static_configs: [{{targets: ['{NODE_EXPORTER}']}}]\n"));
    }
    config::parse(&text, Path::new("built-in.yml"), Mode::Server, &RealFiles)
}
