//! Targets in files.

use std::time::Duration;

use model::quote;
use yaml::{At, record};

use crate::values::FilePath;

record! {
    /// Targets in files that are watched.
    pub struct FileSd: plain "*file.SDConfig", check = validate {
        /// Files, or patterns with a star in their last part.
        pub files: Vec<FilePath> => always,
        /// How often to look again, whatever else says that files changed.
        pub refresh_interval: Duration = Duration::from_secs(300),
    }
}

impl FileSd {
    fn validate(&mut self, at: &mut At<'_>) {
        if self.files.is_empty() {
            at.invalid("file service discovery config must contain at least one path name");
        }
        // The paths in the document: those in `self` are joined with a folder that may have stars of its own.
        let written = at.node().get("files");
        for (index, path) in written.into_iter().flat_map(|files| files.items()).enumerate() {
            let path = path.text().unwrap_or_default();
            if !is_allowed(path) {
                at.invalid_item("files", index, format!("path name {} is not valid for file discovery", quote(path)));
            }
        }
    }
}

/// Whether a path has its star, if any, in its last part, and an ending that says how to read it.
fn is_allowed(path: &str) -> bool {
    let endings = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];
    let stem = endings.iter().find_map(|ending| path.strip_suffix(ending));
    stem.is_some_and(is_pattern)
}

/// Whether a pattern has at most one star, in its last part.
pub(crate) fn is_pattern(path: &str) -> bool {
    path.split_once('*').is_none_or(|(_, after)| !after.contains('/'))
}
