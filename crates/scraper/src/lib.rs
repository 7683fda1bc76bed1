//! Scrapes targets: fetches their pages, reads them, and ships them to their shards as rows.
//!
//! A [`Scraper`] has a [`Job`] for each `scrape_config`. All scrapers of a cluster discover all targets; each scrapes those
//! that the ring gives it, for as long as its lease lasts. A target has a loop of its own, which knows the layout of its page
//! and says it to the shard once; from then on a scrape is a row of values.
//!
//! A target's planned times depend on nothing but its name and interval, and name its scrapes: so it may change hands, or have
//! two owners for a moment, and no sample is stored twice.

mod acting;
#[doc(hidden)]
pub mod bench;
mod fetch;
mod job;
mod journal;
mod membership;
mod metrics;
mod page;
mod pool;
mod schedule;
mod scrape_loop;
mod scraper;
mod shipment;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod url;

pub use job::{Histograms, Job, Limits};
pub use membership::Cluster;
pub use scraper::{Config, Environment, MakeClient, Scraper};
pub use shipment::Sink;
pub use status::{ActiveTarget, Families, Health, PoolTargets, ScrapeStatus};
pub use target::{Populated, Target, TargetError};
