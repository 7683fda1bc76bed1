//! Where the log lies.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use proto::raft;
use tokio::sync::oneshot;

use crate::LogLost;

/// A change of one group's log.
#[derive(Clone, Debug)]
pub enum Write {
    /// Entries with consecutive indexes, encoded, the first at `first`.
    Append {
        /// The group.
        group: u32,
        /// The index of the first entry.
        first: u64,
        /// The entries.
        entries: Vec<Bytes>,
    },
    /// The group's vote.
    Vote {
        /// The group.
        group: u32,
        /// The vote.
        vote: raft::Vote,
    },
    /// How far the group is known to be committed. May be lost: it only shortens a restart.
    Committed {
        /// The group.
        group: u32,
        /// The last committed entry.
        log_id: raft::LogId,
    },
    /// Drops all entries from `from` on.
    Truncate {
        /// The group.
        group: u32,
        /// The first index that goes.
        from: u64,
    },
    /// Drops all entries up to and with `upto`. May be lost: the entries are then dropped another time.
    Purge {
        /// The group.
        group: u32,
        /// The last entry that goes.
        upto: raft::LogId,
    },
    /// Drops everything of a group but what is named here.
    Remove {
        /// The group.
        group: u32,
        /// The vote that stays.
        vote: Option<raft::Vote>,
        /// What [`GroupState::promised`] is from now on.
        promised: Option<raft::LogId>,
    },
}

impl Write {
    /// Whether the write must be durable before it is reported complete.
    pub fn must_be_durable(&self) -> bool {
        match self {
            Self::Append { .. } | Self::Vote { .. } | Self::Truncate { .. } | Self::Remove { .. } => true,
            Self::Committed { .. } | Self::Purge { .. } => false,
        }
    }

    /// About how many bytes it puts on the device.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Append { entries, .. } => entries.iter().map(|entry| entry.len() + 12).sum(),
            _ => 32,
        }
    }
}

/// Called once with the outcome of a write.
pub type Completion = Box<dyn FnOnce(io::Result<()>) + Send>;

/// What a device knows of a group beside its entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupState {
    /// The last vote.
    pub vote: Option<raft::Vote>,
    /// How far the group was known to be committed.
    pub committed: Option<raft::LogId>,
    /// The last purged entry.
    pub purged: Option<raft::LogId>,
    /// The last entry that this node had acknowledged when the group was removed from it. Until its log has come so far again,
    /// it stands for no election, and whoever lacks that entry gets no vote.
    pub promised: Option<raft::LogId>,
    /// The indexes of the first and the last entry, if there is an entry.
    pub entries: Option<(u64, u64)>,
}

/// Durable storage for the logs of all groups of a node.
///
/// Writes of all groups are done in the order of the calls. Once a write has failed, every later one fails too: a node
/// that can't write must stop, never go on as if it had written.
pub trait LogDevice: Send + Sync + 'static {
    /// Queues a write. `done` is called when it is as durable as it must be, or has failed.
    fn submit(&self, write: Write, done: Completion);

    /// The entries of a group in `range`, up to the first one that is missing; possibly fewer, if together they are
    /// larger than `limit_bytes`, but at least one if there is one.
    ///
    /// # Errors
    /// If reading fails. Blocks.
    fn entries(&self, group: u32, range: Range<u64>, limit_bytes: usize) -> io::Result<Vec<Bytes>>;

    /// What is known of a group; all absent for a new one.
    ///
    /// # Errors
    /// If reading fails. Blocks.
    fn state(&self, group: u32) -> io::Result<GroupState>;

    /// Waits until everything submitted so far is written, then lets go of the files. Later writes fail.
    ///
    /// # Errors
    /// [`LogLost`] if the device had failed before.
    fn close(&self) -> Result<(), LogLost>;
}

impl dyn LogDevice {
    /// Hands over a write and waits until it is as durable as it must be.
    ///
    /// # Errors
    /// If it fails.
    pub async fn write(&self, write: Write) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.submit(
            write,
            Box::new(move |result| {
                // A caller that no longer waits no longer cares.
                drop(sender.send(result));
            }),
        );
        receiver.await.map_err(|_| io::Error::other("the log device dropped a write"))?
    }
}
