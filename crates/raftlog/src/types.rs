//! openraft's types, as this project instantiates them.

use std::fmt;

use bytes::Bytes;
use openraft::impls::{EmptyNode, leader_id_std};

openraft::declare_raft_types!(
    /// One configuration for every group: commands and answers are bytes, which each state machine reads in its own way.
    ///
    /// Leader ids are those of the Raft paper (one leader a term), so that a log id is (term, index) and nothing else.
    /// Nodes carry no address: the transport knows where a node lives today, a log would know where it lived once.
    pub TypeConfig:
        D = Command,
        R = Answer,
        NodeId = u64,
        Node = EmptyNode,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = crate::runtime::Runtime,
);

/// A log entry.
pub type Entry = openraft::alias::EntryOf<TypeConfig>;
/// The identity of a log entry.
pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
/// A vote.
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
/// Voters and learners of a group.
pub type Membership = openraft::Membership<u64, EmptyNode>;
/// A membership and the entry that set it.
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;

/// The log id of the entry at `log_index`, proposed in `term`.
pub fn log_id(term: u64, log_index: u64) -> LogId {
    LogId::new_term_index(term, log_index)
}

/// The term in which an entry was proposed.
pub fn term_of(log_id: &LogId) -> u64 {
    log_id.committed_leader_id().term
}

/// What an entry asks of the state machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Command(pub Bytes);

/// What the state machine replied.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Answer(pub Bytes);

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.0.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes)", self.0.len())
    }
}
