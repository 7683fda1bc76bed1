//! Each durable format has a page that records the hash of the source that defines it, so that neither changes alone.
//!
//! A page in `docs/formats/` holds lines `Defined in: <path> (<hash>)`; the hash is that of the file without its tests.

use std::fs;
use std::path::Path;

use super::{Findings, files};

const MARK: &str = "Defined in: ";

pub(super) fn check(root: &Path) -> Findings {
    let mut findings = Findings::new();
    for page in files(&root.join("docs/formats"), &[".md"]) {
        let shown = page.strip_prefix(root).unwrap_or(&page).display().to_string();
        let text = fs::read_to_string(&page).unwrap_or_default();
        let marks: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(MARK)).collect();
        if marks.is_empty() && !shown.ends_with("README.md") {
            findings.push(format!("{shown}: has no line \"{MARK}<path> (<hash>)\""));
        }
        findings.extend(marks.into_iter().filter_map(|mark| check_mark(root, &shown, mark)));
    }
    findings
}

fn check_mark(root: &Path, page: &str, mark: &str) -> Option<String> {
    let (path, rest) = mark.trim().split_once(" (").unwrap_or((mark.trim(), ""));
    let recorded = rest.trim_end_matches(['.', ')']);
    match fs::read_to_string(root.join(path)) {
        Err(error) => Some(format!("{page}: read {path}: {error}")),
        Ok(source) => {
            let actual = hash(&source);
            (actual != recorded).then(|| {
                format!("{page}: {path} has changed: see whether the page is still true, then record ({actual})")
            })
        }
    }
}

/// A hash of the source without its unit tests and without white space at line ends.
fn hash(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<_> = code.lines().map(str::trim_end).collect();
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(lines.join("\n").trim_end().as_bytes()))
}
