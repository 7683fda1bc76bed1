//! Data for Ringwood and others, the ways in which they come in, and systems as processes that are measured.

pub mod data;
pub mod load;
pub mod system;
