//! Finds targets.

mod glob;

pub use glob::matching_files;
