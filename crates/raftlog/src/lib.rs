//! The Raft log of a node.
//!
//! All groups of a node share one [`LogDevice`]: every append, vote and truncation of every group goes through one queue,
//! in order, and one fsync makes all that is waiting durable. Recent entries stay in memory, so replication and apply
//! read the device only when they are far behind.
//!
//! With `consensus`, one of the two doorways to openraft, and the only one to RocksDB.

mod device;
mod force;
mod group_log;
mod identity;
mod memory;
mod removal;
mod rocks;
mod runtime;
mod types;
mod wire;

pub use device::{Completion, GroupState, LogDevice, Write};
pub use force::force_sole_voter;
pub use group_log::{GroupLog, GroupLogReader};
pub use identity::LogLost;
pub use memory::MemoryDevice;
pub use removal::{forget_group, remove_group};
pub use rocks::{Durability, GroupCheck, LogCheck, LogFault, LogMetrics, OpenError, RocksDevice, check_log};
pub use runtime::seed_thread;
pub use types::{Answer, Command, Entry, LogId, Membership, StoredMembership, TypeConfig, Vote, log_id, term_of};
pub use wire::{
    WireError, entry_from_proto, entry_to_proto, log_id_from_proto, log_id_to_proto, membership_from_proto,
    membership_to_proto, stored_membership_from_proto, stored_membership_to_proto, vote_from_proto, vote_to_proto,
};
