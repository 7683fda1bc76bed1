//! Whole clusters in one process, from seeds: ingesters on a net, on disks and over a bucket in memory, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod bucket;
mod campaign;
mod cluster;
mod coverage;
mod disk;
mod invariants;
mod log;
mod logs;
mod machine;
mod mistakes;
mod nemesis;
mod oracle;
mod outsider;
mod plan;
mod scrape;
mod scrapers;
mod time;
mod trace;
mod universe;
mod wires;
mod world;

pub use bucket::Outage;
pub use campaign::{Tally, live_or_panic, run, shrink};
pub use coverage::{Coverage, Event};
pub use disk::SimDisk;
pub use log::SimLog;
pub use logs::note_logs;
pub use machine::{Machine, SkewedClock};
pub use mistakes::Mistake;
pub use oracle::{Fate, Oracle, SERIES};
pub use outsider::{Appended, Outsider, is_stored};
pub use plan::{Fault, Plan, Planned};
pub use scrape::FakeTarget;
pub use scrapers::{CounterPages, ScraperNode, TimePages};
pub use time::virtual_clock;
pub use trace::Trace;
pub use universe::{Ending, live};
pub use wires::Wires;
pub use world::{Node, REPLACE_AFTER, World};
