//! What tests of several crates need.

mod shared;

pub use shared::{read_shared, shared_files};
