//! openraft's own suite for log stores, on both devices.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::io;
use std::sync::Arc;

use futures::{Stream, TryStreamExt};
use openraft::alias::SnapshotOf;
use openraft::storage::{EntryResponder, RaftStateMachine, Snapshot, SnapshotMeta};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, StorageError};
use parking_lot::Mutex;
use raftlog::{
    Answer, Durability, GroupLog, LogDevice, LogId, LogMetrics, MemoryDevice, RocksDevice, StoredMembership, TypeConfig,
};
use stdx::CpuPool;
use telemetry::Registry;

type Meta = openraft::alias::SnapshotMetaOf<TypeConfig>;

/// A state machine that remembers nothing but how far it is.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<Progress>>);

#[derive(Default)]
struct Progress {
    last: Option<LogId>,
    membership: StoredMembership,
    snapshot: Option<Meta>,
}

impl RaftSnapshotBuilder<TypeConfig> for Counting {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, ()>> {
        let mut state = self.0.lock();
        let meta = SnapshotMeta { last_log_id: state.last, last_membership: state.membership.clone() };
        state.snapshot = Some(meta.clone());
        Ok(Snapshot { meta, snapshot: () })
    }
}

impl RaftStateMachine<TypeConfig> for Counting {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let state = self.0.lock();
        Ok((state.last, state.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let mut state = self.0.lock();
            state.last = Some(entry.log_id);
            if let EntryPayload::Membership(membership) = entry.payload {
                state.membership = StoredMembership::new(Some(entry.log_id), membership);
            }
            drop(state);
            if let Some(responder) = responder {
                responder.send(Answer::default());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &Meta, (): ()) -> io::Result<()> {
        *self.0.lock() =
            Progress { last: meta.last_log_id, membership: meta.last_membership.clone(), snapshot: Some(meta.clone()) };
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<TypeConfig, ()>>> {
        Ok(self.0.lock().snapshot.clone().map(|meta| Snapshot { meta, snapshot: () }))
    }
}

/// Builds stores whose log is group 7 of a fresh device.
struct Fresh<F>(F);

impl<F, G: Send> StoreBuilder<TypeConfig, GroupLog, Counting, G> for Fresh<F>
where
    F: Fn() -> (G, Arc<dyn LogDevice>) + Send + Sync,
{
    async fn build(&self) -> Result<(G, GroupLog, Counting), StorageError<TypeConfig>> {
        let (guard, device) = (self.0)();
        let log = GroupLog::open(7, device, CpuPool::inline()).unwrap();
        Ok((guard, log, Counting::default()))
    }
}

#[tokio::test]
async fn a_log_in_memory_passes() {
    let fresh = Fresh(|| ((), Arc::new(MemoryDevice::new()) as Arc<dyn LogDevice>));
    Suite::test_all(fresh).await.unwrap();
}

#[tokio::test]
async fn a_log_on_rocksdb_passes() {
    let fresh = Fresh(|| {
        let folder = tempfile::tempdir().unwrap();
        let metrics = LogMetrics::new(&Registry::new());
        let device = RocksDevice::open(folder.path(), Durability::Fsync, metrics).unwrap();
        (folder, Arc::new(device) as Arc<dyn LogDevice>)
    });
    Suite::test_all(fresh).await.unwrap();
}
