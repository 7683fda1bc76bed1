//! The metadata group, shard 0: who is there, what belongs where, which blocks exist.
//!
//! [`ClusterState`] is the state; [`MetaMachine`] decides commands and replicates them; [`MetaService`] answers everyone, and
//! leads what has to be led (leases, replacements); [`Client`] is what every role uses: it follows the state by a stream of
//! changes and finds the leader for what changes it.

mod bootstrap;
mod client;
mod digests;
mod feature;
mod identity;
mod leader;
mod machine;
mod mend;
mod placement;
mod service;
mod state;
mod time;
mod wire;

pub use bootstrap::{Bootstrap, BootstrapError};
pub use client::{Client, ClientConfig};
pub use feature::{FEATURE_LEVEL, LEAVING_SCRAPERS};
pub use identity::{Identity, IdentityError, IdentityFile};
pub use leader::{ChangeReplicas, GiveSlot, LEASE, Leader, Patience, ShardSteps};
pub use machine::{MetaMachine, MetaView};
pub use mend::CatalogMend;
pub use service::{FirstMembers, MetaService};
pub use state::{Birth, Block, ClusterState, Node, NodeState, ScraperMember};
