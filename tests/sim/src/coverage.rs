//! What happened, so that a campaign can say what it reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Something that a seed may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A process ended without a word, its connections broke.
    Crash,
    /// A machine lost power: nobody was told.
    PowerLoss,
    /// All machines lost power at once.
    Blackout,
    /// Writes were lost that had not been synced.
    UnsyncedLost,
    /// The last write that was left was torn.
    TornWrite,
    /// A disk was full.
    DiskFull,
    /// Syncs failed.
    SyncFailed,
    /// A link was cut in both directions.
    Partition,
    /// A link was cut in one direction.
    OneWayPartition,
    /// The link of two machines was cut, and both could speak with all others.
    Split,
    /// A link was slow.
    SlowLink,
    /// A link was slow in one direction.
    OneWaySlowLink,
    /// Connections were reset.
    Reset,
    /// A wall clock jumped.
    ClockJump,
    /// The bucket was out of reach.
    BucketDown,
    /// Operations of the bucket failed by chance.
    BucketFaults,
    /// A node was emptied.
    Drain,
    /// A disk was lost for ever.
    Wipe,
    /// A machine was off while its files were damaged.
    Rot,
    /// A bit of a file turned over.
    BitTurned,
    /// An order to move a slot was taken.
    SlotSent,
    /// A slot came to another shard.
    SlotMoved,
    /// A write was acknowledged.
    Acknowledged,
    /// What became of a write is not known.
    UnknownWrite,
    /// A read was answered, and compared.
    ReadCompared,
    /// A read was not answered.
    ReadFailed,
    /// A group had a leader of another term.
    NewTerm,
    /// A block came into the catalog.
    BlockShipped,
}

/// How often each event happened. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Coverage(Arc<Mutex<BTreeMap<Event, u64>>>);

impl Coverage {
    /// It happened.
    pub fn note(&self, event: Event) {
        self.add(event, 1);
    }

    /// It happened so often.
    pub fn add(&self, event: Event, count: u64) {
        if count > 0 {
            *self.0.lock().entry(event).or_default() += count;
        }
    }

    /// What happened, and how often.
    pub fn counts(&self) -> BTreeMap<Event, u64> {
        self.0.lock().clone()
    }
}
