//! The role that holds shards.
//!
//! An [`Ingester`] belongs to a cluster, holds the replicas of shards that the shard map gives it, takes records in where it
//! leads, answers reads wherever its replica is fresh enough, and, as a leader, cuts and ships blocks.

mod batch;
mod beats;
mod budget;
mod damage;
mod digests;
mod end;
mod ingest_service;
mod late;
mod limits;
mod loads;
mod metrics;
mod node;
mod replica;
mod replicas;
mod scrub;
mod select_service;
mod ship;
mod slots;
mod snapshots;
mod time;

pub use end::End;
pub use limits::limits_of;
pub use node::{Ingester, IngesterConfig, IngesterEnv, IngesterError};
