//! The end of a node's identity.

/// The log no longer holds what this node has promised: entries or votes that were synced are gone or unreadable.
///
/// A node that went on could vote for a shorter log and so lose entries that a quorum acknowledged. It must not: its
/// identity ends here, and it comes back as a new node that learns everything from the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Raft log lost what it had synced: {0}")]
pub struct LogLost(pub String);
