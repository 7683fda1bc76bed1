//! Batteries the standard library lacks.
//!
//! Everything the outside world does to a program (time, chance, disks, tasks, threads) comes through a handle of this
//! crate, so that a whole cluster can run in one process from one seed.
//! Nothing here knows a noun of the domain.

mod backoff;
mod byte_size;
mod clock;
mod cpu_pool;
mod disk;
mod driven;
mod mistakes;
mod paged_vec;
mod rng;
mod tasks;
mod throttle;

pub use backoff::Backoff;
pub use byte_size::{ByteSize, ParseByteSizeError};
pub use clock::{Clock, Instant, TimeSource};
pub use cpu_pool::CpuPool;
pub use disk::{Disk, RealDisk};
pub use driven::Driven;
pub use mistakes::*;
pub use paged_vec::PagedVec;
pub use rng::Rng;
pub use tasks::Tasks;
pub use throttle::Throttle;
