//! Tests of the crate as a whole, and what they need.

mod cluster;
mod growth;
mod scraping;
mod server;
mod shard;

pub(crate) use cluster::FakeCluster;
pub(crate) use shard::{FakeShard, Samples};
