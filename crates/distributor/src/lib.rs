//! Takes records to the leaders of their shards.
//!
//! Everyone who produces records (scraper, receiver, ruler) has a [`Distributor`]. It sorts records by shard, sends them in
//! batches, one stream per node, and finds the leader wherever it is by now. What it could not deliver it repeats, for
//! records are idempotent: a record ends with an answer of its shard, or is counted as dropped because the buffer is full.
//!
//! A record waits in one of two lanes of its shard. Records go out in order; but once some have waited for so long that what
//! they tell is no longer news, they move to the lane of the backlog, and news no longer waits behind them. When the buffer
//! is full, the oldest records are dropped.

mod batch;
mod buffer;
mod config;
mod delivery;
mod distributor;
mod link;
mod metrics;
mod moved;
mod pushed;
mod route;
mod window;

pub use batch::{Delivery, Dropped, Outgoing};
pub use config::Config;
pub use distributor::{Appended, Distributor};
pub use pushed::PushedSeries;
pub use route::Routes;
