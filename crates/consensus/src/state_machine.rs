//! What a group replicates.

use std::io;

use bytes::Bytes;

use crate::{SnapshotReader, SnapshotWriter};

/// An entry that a replica can't apply, since its binary is older than what the entry says.
///
/// Whoever passed over what it does not know would have another state than the others from then on, and nobody would see it: the
/// replica stops instead. It does not come to that as long as nothing is proposed that some node does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {log_index} of the log is of a later version ({what}): upgrade this binary")]
pub struct TooNew {
    /// Where the entry is.
    pub log_index: u64,
    /// What about it is not known.
    pub what: String,
}

/// The state that every replica of a group has, and how a command changes it.
pub trait StateMachine: Send + Sync + Sized + 'static {
    /// An immutable copy of the state, cheap to make and to keep: what readers and snapshots work on.
    type View: Send + Sync + 'static;

    /// Applies the command of the committed entry at `log_index`, and returns the answer for whoever proposed it.
    ///
    /// Deterministic: state and command alone decide the new state and the answer. No clock, no randomness, no I/O, no
    /// iteration in an order that could differ between replicas. A command that makes no sense is answered, never
    /// refused by a panic: it is committed already, and every replica would die of it.
    ///
    /// # Errors
    /// If the command says what only later versions know. The state is as before; the group stops here.
    fn apply(&mut self, log_index: u64, command: Bytes) -> Result<Bytes, TooNew>;

    /// The state as of the last applied entry.
    fn view(&self) -> Self::View;

    /// Brings a view to the disk: puts or keeps each file that the state is made of. Blocks.
    ///
    /// # Errors
    /// If the disk fails.
    fn save(view: &Self::View, files: &mut SnapshotWriter<'_>) -> io::Result<()>;

    /// Replaces the state by that of a saved snapshot. Blocks.
    ///
    /// # Errors
    /// If the disk fails, or (`InvalidData`) a file is not what it should be. The state is then undefined.
    fn install(&mut self, files: &SnapshotReader<'_>) -> io::Result<()>;
}
