//! Whether all of a node's data directory is whole.
//!
//! [`check_node`] reads everything that an ingester left behind, and changes nothing.

mod fault;
mod node;

pub use fault::Fault;
pub use node::{NodeCheck, SnapshotSize, check_node};
