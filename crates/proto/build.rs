//! Compiles `proto/` without protoc.

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    // Relative, for this program may have been compiled for another checkout that shares the target folder.
    let root = Path::new("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(root.join("ringwood"))? {
        files.push(entry?.path());
    }
    files.sort();
    let descriptors = protox::compile(files, [root])?;
    // Every `bytes` field is a slice of the frame it came in: payloads are never copied on their way in.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
