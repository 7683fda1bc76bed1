//! What those need who start a cluster as processes of one machine.

mod ports;
mod status;

pub use ports::free_ports;
pub use status::{is_settled, list, node_at};
