//! What can go wrong with a group.

use std::io;

use model::{NodeId, ShardId};

/// Why a proposal has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This replica can't propose now. The leader is a hint: it may be stale, or unknown.
    #[error("group {0} is led by another replica")]
    NotLeader(ShardId, Option<NodeId>),
    /// The leader changed while the entry was under way: it may be committed yet, or never. Repeating must be harmless.
    #[error("the outcome in group {0} is unknown: its leader changed")]
    Unknown(ShardId),
    /// The group has stopped on this node.
    #[error("group {0} has stopped on this node")]
    Stopped(ShardId),
    /// The change of membership is not possible now.
    #[error("group {0} can't change its members: {1}")]
    Membership(ShardId, String),
}

/// Why a group could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The disk failed.
    #[error("open group {0}")]
    Io(ShardId, #[source] io::Error),
    /// The snapshot on the disk is damaged: this replica no longer has what it acknowledged.
    #[error("the snapshot of group {0} is damaged: {1}")]
    Damaged(ShardId, String),
    /// openraft refused to start or has stopped.
    #[error("group {0} can't run: {1}")]
    Fatal(ShardId, String),
}
