//! Hashes of a shard's state, by which a replica is found that differs from the others.
//!
//! The leader writes an entry that asks for one, every replica hashes its state as of that entry, and meta compares what their
//! nodes say.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use proto::entry;
use proto::entry::entry::Entry as Command;
use stdx::CpuPool;

use crate::replica::Replica;

/// The pause between two looks for something to hash.
const LOOK: Duration = Duration::from_secs(1);

/// A hash of the state right after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    /// How many entries had been applied.
    pub(crate) count: u64,
    pub(crate) hash: u128,
}

/// Hashes the state whenever the log asks for it, and has the log ask `every` so often while this node leads and something
/// comes in. For ever.
pub(crate) async fn keep(replica: Arc<Replica>, every: Duration, hashing: CpuPool) {
    let clock = replica.clock().clone();
    let (mut due, mut asked_at) = (clock.now() + every, 0);
    loop {
        clock.sleep_about(LOOK.min(every)).await;
        let (applied, view) = replica.group.view().await;
        if let Some(mark) = view.take_mark() {
            drop(view);
            let count = mark.log_index + 1;
            let hash = hashing.run(move || mark.digest()).await;
            replica.note_digest(Digest { count, hash });
        }
        if clock.now() < due || applied == asked_at || !replica.leads() {
            continue;
        }
        due = clock.now() + every;
        let entry = entry::Entry { entry: Some(Command::Digest(entry::Digest {})) };
        match replica.group.propose(Bytes::from(entry.encode_to_vec())).await {
            Ok(proposed) => asked_at = proposed.log_index + 1,
            Err(error) => tracing::debug!(shard = %replica.shard, %error, "no digest was asked for"),
        }
    }
}
