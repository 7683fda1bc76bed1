//! What is allowed in a configuration, but not acted on.

use std::fmt;
use std::path::{Path, PathBuf};

use yaml::Node;

/// Something that users should know about a configuration that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 if there is none.
    pub line: usize,
    /// Where in the file: `scrape_configs[2].dns_sd_configs`.
    pub path: String,
    /// What to know.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file.display(), self.line, self.path, self.message)
    }
}

/// The settings that Prometheus acts on and Ringwood does not yet, with all that is below them. A star stands for any
/// letters, but not for a dot; two stars at the beginning stand for anything.
///
/// Whoever makes a setting work takes it out of this table, which is the only place that knows.
const INACTIVE: &[&str] = &[
    "global.evaluation_interval",
    "global.rule_query_offset",
    "global.scrape_failure_log_file",
    "scrape_configs.scrape_failure_log_file",
    "runtime",
    "alerting",
    "rule_files",
    "storage",
    "tracing",
    "remote_write",
    "remote_read",
    "otlp",
    "scrape_configs.*_sd_configs",
    // Names of secrets, for a secret manager.
    "**_ref",
    // What only the grant for JSON web tokens needs.
    "**oauth2.client_certificate_key",
    "**oauth2.client_certificate_key_file",
    "**oauth2.client_certificate_key_id",
    "**oauth2.signature_algorithm",
    "**oauth2.iss",
    "**oauth2.audience",
    "**oauth2.claims",
];

/// Keys that the table's patterns match and that are acted on all the same.
const ACTIVE: &[&str] = &["scrape_configs.file_sd_configs", "scrape_configs.http_sd_configs"];

/// A notice for each kind of setting in the document `root` that is not acted on: the first place of each.
pub(crate) fn inactive_settings(file: &Path, root: &Node) -> Vec<Notice> {
    let mut found = Finder { file, notices: Vec::new(), patterns: Vec::new() };
    found.walk(root, "", "");
    found.notices
}

struct Finder<'a> {
    file: &'a Path,
    notices: Vec<Notice>,
    /// The settings that have a notice, without the places in lists.
    patterns: Vec<String>,
}

impl Finder<'_> {
    /// Looks at a node at `path`, which is `pattern` without the places in lists.
    fn walk(&mut self, node: &Node, path: &str, pattern: &str) {
        for (index, item) in node.items().enumerate() {
            self.walk(item, &format!("{path}[{index}]"), pattern);
        }
        for (key, value) in node.entries() {
            let Some(name) = key.text() else { continue };
            let separator = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{separator}{name}");
            let pattern = format!("{pattern}{separator}{name}");
            if is_inactive(&pattern) && !value.is_null() {
                self.note(key.line, path, pattern);
            } else {
                self.walk(value, &path, &pattern);
            }
        }
    }

    fn note(&mut self, line: usize, path: String, pattern: String) {
        if !self.patterns.contains(&pattern) {
            self.patterns.push(pattern);
            let message = "is valid, but Ringwood does not act on it yet".to_owned();
            self.notices.push(Notice { file: self.file.to_owned(), line, path, message });
        }
    }
}

fn is_inactive(path: &str) -> bool {
    INACTIVE.iter().any(|pattern| matches(pattern, path)) && !ACTIVE.contains(&path)
}

fn matches(pattern: &str, path: &str) -> bool {
    if let Some(ending) = pattern.strip_prefix("**") {
        return path.ends_with(ending);
    }
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, after)) => {
            let middle = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            middle.is_some_and(|middle| !middle.contains('.'))
        }
    }
}
