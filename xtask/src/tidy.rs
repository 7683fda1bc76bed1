//! The rules of the house that neither rustc nor clippy knows.

mod floors;
mod formats;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What is wrong, a line each; or a summary of what was checked.
pub(crate) type Findings = Vec<String>;

pub(crate) fn check() -> Result<String, Findings> {
    let metadata = metadata().map_err(|error| vec![error])?;
    let root = PathBuf::from(metadata["workspace_root"].as_str().unwrap_or("."));
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let mut findings = floors::check(&packages);
    findings.extend(formats::check(&root));
    findings.extend(sources::check(&root));
    if findings.is_empty() { Ok(format!("tidy: {} packages are in order", packages.len())) } else { Err(findings) }
}

fn metadata() -> Result<Value, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--locked"])
        .output()
        .map_err(|error| format!("run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("read cargo metadata: {error}"))
}

/// Every file below `folder` with one of these endings, in order of their paths.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !matches!(&*name, "target" | "data" | ".git" | "node_modules") {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}
