//! Where things belong.
//!
//! Pure functions of versioned maps: which scraper owns a target ([`ScraperRing`]), which shard a key belongs to and who
//! holds its replicas ([`ShardMap`]), and where replicas should be born ([`place`]).
//! Everyone who has the same version of a map gives the same answer.

mod place;
mod scrapers;
mod shard_map;

pub use place::{Host, place};
pub use scrapers::ScraperRing;
pub use shard_map::{Shard, ShardMap, ShardMapError, SlotMove, part_of, slot_of_series, slot_of_target};
