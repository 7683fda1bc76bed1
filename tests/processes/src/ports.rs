//! Free ports of the loopback interface.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that systems give to outgoing connections: one of those may be anybody's by the time a process wants it.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;
/// More ports than a run of the tests takes. Has no divisor in common with their number.
const STRIDE: u32 = 997;

/// How many ports were tried. Tests run beside each other, and each port is given once.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// So many different ports that nobody listens on.
pub fn free_ports(count: usize) -> Vec<u16> {
    // Another run of the tests begins somewhere else, and not next to this one.
    let start = std::process::id().wrapping_mul(STRIDE) % COUNT;
    let tried = std::iter::repeat_with(|| FIRST + (start + TRIED.fetch_add(1, Ordering::Relaxed)) % COUNT);
    let tried = tried.take(COUNT as usize).filter_map(|port| u16::try_from(port).ok());
    tried.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).take(count).collect()
}
