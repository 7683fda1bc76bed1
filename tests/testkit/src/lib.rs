//! What tests of several crates need.

mod cases;
mod shared;

pub use cases::check_cases;
pub use shared::{read_shared, shared_files};
