//! One Raft group: a pure state machine, replicated.
//!
//! A [`Group`] runs a [`StateMachine`] under openraft: proposals become entries, committed entries are applied, a snapshot
//! is a list of immutable files of which a follower fetches only those it lacks.
//! [`Groups`] answers the calls that other nodes make to the groups of this one; how calls travel is for whoever
//! implements [`Network`].
//!
//! With `raftlog`, one of the two doorways to openraft: no type of it appears in this crate's interface.

mod check;
mod config;
mod error;
mod files;
mod following;
mod group;
mod groups;
mod handover;
mod machine;
mod network;
mod pace;
mod promise;
mod pulse;
mod receive;
mod serve;
mod snapshot;
mod state_machine;
mod succession;
mod wire;

pub use check::{SnapshotCheck, SnapshotFault, check_snapshot};
pub use config::{LOG_TAIL, Timing};
pub use error::{GroupError, ProposeError};
pub use files::{SnapshotFolder, SnapshotReader, SnapshotWriter};
pub use group::{Group, GroupEnv, GroupStatus, Proposed, Standing, Step};
pub use groups::Groups;
pub use network::{AppendStream, Duplex, Network, SnapshotStream, Unreachable};
pub use state_machine::{StateMachine, TooNew};
