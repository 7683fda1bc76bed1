//! Test data that is not part of the repository: conformance cases and a corpus of real queries, rules and pages.
//!
//! It lies in a folder `shared`, which the variable `RINGWOOD_SHARED` names, or which stands beside the repository or
//! beside a folder around it. Without it the tests that need it pass, and say that they saw nothing.

use std::env;
use std::fs;
use std::path::PathBuf;

/// The text of a file in the shared folder; `None`, with a remark, if there is none.
///
/// # Panics
/// If the folder is there and the file cannot be read.
pub fn read_shared(path: &str) -> Option<String> {
    let path = shared_folder(path)?.join(path);
    Some(fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display())))
}

/// The files in a folder of the shared folder whose names end so, in order of their names; none, with a remark, if there
/// is no shared folder.
///
/// # Panics
/// If the shared folder is there and the folder in it cannot be read.
pub fn shared_files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let Some(folder) = shared_folder(folder).map(|shared| shared.join(folder)) else {
        return Vec::new();
    };
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("read {}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap_or_else(|error| panic!("read {}: {error}", folder.display())).path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
fn shared_folder(wanted: &str) -> Option<PathBuf> {
    let found = match env::var_os("RINGWOOD_SHARED") {
        Some(folder) => Some(PathBuf::from(folder)),
        // Asked when it runs: what was compiled for one checkout may run for another with the same target folder.
        None => env::current_dir()
            .unwrap_or_else(|error| panic!("the working folder: {error}"))
            .ancestors()
            .map(|folder| folder.join("shared"))
            .find(|shared| shared.join("conformance").is_dir()),
    };
    if found.is_none() {
        eprintln!("skipped, 0 cases: there is no shared folder with {wanted}");
    }
    found
}
