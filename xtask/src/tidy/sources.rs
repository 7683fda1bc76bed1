//! Rules about single source files.

use std::fs;
use std::path::Path;

use super::{Findings, files};

/// Lines of code (without unit tests) above which a file must say why it is one idea.
const LONG_FILE: usize = 600;
/// What such a file says, followed by the reason: a flat list may be long, a mind may not.
const LONG_ON_PURPOSE: &str = "// tidy: long because";

pub(super) fn check(root: &Path) -> Findings {
    let mut findings = Findings::new();
    for path in files(root, &[".rs"]) {
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let Ok(text) = fs::read_to_string(&path) else {
            findings.push(format!("{shown}: is no UTF-8 text"));
            continue;
        };
        if path.ends_with("mod.rs") {
            findings.push(format!("{shown}: is called foo.rs beside foo/, not foo/mod.rs"));
        }
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count();
        if code > LONG_FILE && !text.contains(LONG_ON_PURPOSE) && !shown.starts_with("tests/") {
            findings.push(format!(
                "{shown}: {code} lines; split it, or say \"{LONG_ON_PURPOSE} …\" if it is one flat list"
            ));
        }
    }
    findings
}
