//! What tests of several crates share.
//!
//! Conformance cases and recorded material are not part of the repository: they lie in a folder `shared` beside it, or where
//! the environment variable `RINGWOOD_SHARED` says. Tests use them in place, and are skipped where there are none.

use std::path::{Path, PathBuf};

/// The path of a file or folder in `shared`, such as `conformance/relabel`; `None`, with a line that says so, if it is absent.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = folder().map(|folder| folder.join(path)).filter(|path| is_there(path));
    if found.is_none() {
        println!("skipped: there is no shared/{path}");
    }
    found
}

/// Checks cases one by one and prints how many passed.
///
/// # Panics
/// If a case failed, with what each of the failed ones said.
#[expect(clippy::print_stdout, reason = "a conformance test counts its cases")]
pub fn check_cases<C>(collection: &str, cases: &[C], check: impl Fn(&C) -> Result<(), String>) {
    let failures: Vec<_> = cases.iter().filter_map(|case| check(case).err()).collect();
    println!(
        "{collection}: {} of {} passed",
        cases.len() - failures.len(),
        cases.len()
    );
    assert!(
        failures.is_empty(),
        "{} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("RINGWOOD_SHARED") {
        return Some(folder.into());
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|ancestor| ancestor.join("shared"))
        .find(|folder| is_there(&folder.join("conformance")))
}

fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}
