//! A whole cluster in one process, for tests: ingesters on a net in memory, blocks in memory, a querier.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod bucket;
mod scrape;
mod scrapers;
mod time;
mod world;

pub use bucket::Outage;
pub use scrape::FakeTarget;
pub use scrapers::{CounterPages, ScraperNode, TimePages};
pub use time::virtual_clock;
pub use world::{Node, Outsider, REPLACE_AFTER, World};
