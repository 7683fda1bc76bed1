//! What a group replicates.

use std::io;

use bytes::Bytes;

use crate::{SnapshotReader, SnapshotWriter};

/// The state that every replica of a group has, and how a command changes it.
pub trait StateMachine: Send + Sync + Sized + 'static {
    /// An immutable copy of the state, cheap to make and to keep: what readers and snapshots work on.
    type View: Send + Sync + 'static;

    /// Applies the command of the committed entry at `log_index`, and returns the answer for whoever proposed it.
    ///
    /// Deterministic: state and command alone decide the new state and the answer. No clock, no randomness, no I/O, no
    /// iteration in an order that could differ between replicas. A command that makes no sense is answered, never
    /// refused by a panic: it is committed already, and every replica would die of it.
    fn apply(&mut self, log_index: u64, command: Bytes) -> Bytes;

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
