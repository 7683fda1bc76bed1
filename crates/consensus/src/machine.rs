//! A [`StateMachine`] as openraft sees one.

use std::io;
use std::sync::Arc;

use futures::{FutureExt, Stream, StreamExt};
use openraft::alias::{SnapshotMetaOf, SnapshotOf};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine, SnapshotMeta};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use proto::raft;
use raftlog::{Answer, Entry, LogId, StoredMembership, TypeConfig};
use stdx::CpuPool;
use tokio::sync::{Mutex, watch};

use crate::files::{SnapshotFolder, SnapshotReader, SnapshotWriter};
use crate::snapshot::{SnapshotData, manifest_of, meta_from_manifest};
use crate::state_machine::{StateMachine, TooNew};

/// The most bytes of commands that are applied before others get at the state.
const APPLY_BYTES: usize = 1 << 20;

/// The state of a group on this node, shared by apply, readers and snapshots.
pub(crate) struct Shared<S> {
    pub(crate) state: Arc<Mutex<Applied<S>>>,
    pub(crate) folder: SnapshotFolder,
    /// Applies entries.
    applying: CpuPool,
    /// Reads and writes snapshots.
    pub(crate) saving: CpuPool,
    /// How many entries are applied: one more than the index of the last one.
    pub(crate) applied: watch::Sender<u64>,
}

pub(crate) struct Applied<S> {
    pub(crate) machine: S,
    last: Option<LogId>,
    membership: StoredMembership,
    /// How many bytes of commands this process has applied: says when a snapshot is due.
    pub(crate) bytes: u64,
}

impl<S: StateMachine> Applied<S> {
    /// Applies one entry, and answers whoever waits for it.
    fn apply(&mut self, entry: Entry, responder: Option<ApplyResponder<TypeConfig>>) -> Result<(), TooNew> {
        let answer = match entry.payload {
            EntryPayload::Blank => Answer::default(),
            EntryPayload::Normal(_) if responder.is_none() && stdx::makes_mistake("skip entries on followers") => {
                Answer::default()
            }
            EntryPayload::Normal(command) => {
                self.bytes += command.0.len() as u64;
                if stdx::makes_mistake("apply twice") {
                    self.machine.apply(entry.log_id.index(), command.0.clone())?;
                }
                Answer(self.machine.apply(entry.log_id.index(), command.0)?)
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                Answer::default()
            }
        };
        self.last = Some(entry.log_id);
        if let Some(responder) = responder {
            responder.send(answer);
        }
        Ok(())
    }

    pub(crate) fn applied_count(&self) -> u64 {
        self.last.map_or(0, |last| last.index() + 1)
    }
}

/// The adapter.
pub(crate) struct Machine<S>(pub(crate) Arc<Shared<S>>);

impl<S: StateMachine> Machine<S> {
    /// Loads the current snapshot, if there is one, into `machine`.
    pub(crate) async fn open(
        machine: S,
        folder: SnapshotFolder,
        applying: CpuPool,
        saving: CpuPool,
    ) -> io::Result<Self> {
        let state = Applied { machine, last: None, membership: StoredMembership::default(), bytes: 0 };
        let (applied, _) = watch::channel(0);
        let shared = Arc::new(Shared { state: Arc::new(Mutex::new(state)), folder, applying, saving, applied });
        if let Some(manifest) = shared.folder.manifest()? {
            shared.folder.sweep(&manifest)?;
            install(&shared, manifest).await?;
        }
        Ok(Self(shared))
    }
}

impl<S: StateMachine> RaftStateMachine<TypeConfig> for Machine<S> {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Builder<S>;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let state = self.0.state.lock().await;
        Ok((state.last, state.membership.clone()))
    }

    async fn apply<T>(&mut self, mut entries: T) -> io::Result<()>
    where
        T: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(first) = entries.next().await {
            let mut batch = vec![first?];
            let mut bytes = command_bytes(&batch[0].0);
            // Whatever else is there already shares the way to the pool.
            while bytes < APPLY_BYTES
                && let Some(Some(next)) = entries.next().now_or_never()
            {
                let next = next?;
                bytes += command_bytes(&next.0);
                batch.push(next);
            }
            let mut state = self.0.state.clone().lock_owned().await;
            if stdx::makes_mistake("apply in another order") {
                batch.reverse();
            }
            let applied = self.0.applying.run(move || {
                let applied = batch.into_iter().try_for_each(|(entry, responder)| state.apply(entry, responder));
                (state.applied_count(), applied)
            });
            let (count, applied) = applied.await;
            self.0.applied.send_replace(count);
            applied.map_err(|error| io::Error::new(io::ErrorKind::Unsupported, error))?;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder<S> {
        Builder(self.0.clone())
    }

    async fn install_snapshot(&mut self, _: &SnapshotMetaOf<TypeConfig>, snapshot: SnapshotData) -> io::Result<()> {
        install(&self.0, snapshot.manifest.clone()).await?;
        self.0.folder.set_manifest(&snapshot.manifest)
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<TypeConfig, SnapshotData>>> {
        let Some(manifest) = self.0.folder.manifest()? else { return Ok(None) };
        let pin = self.0.folder.pin(&manifest);
        SnapshotData::new(manifest, pin).into_snapshot().map(Some).map_err(invalid)
    }
}

/// Saves the state as of the moment when it begins.
pub(crate) struct Builder<S>(Arc<Shared<S>>);

impl<S: StateMachine> RaftSnapshotBuilder<TypeConfig> for Builder<S> {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, SnapshotData>> {
        let (view, meta) = {
            let state = self.0.state.lock().await;
            let meta = SnapshotMeta { last_log_id: state.last, last_membership: state.membership.clone() };
            (state.machine.view(), meta)
        };
        let folder = self.0.folder.clone();
        let saved = self.0.saving.run(move || {
            let mut writer = SnapshotWriter::new(&folder);
            S::save(&view, &mut writer)?;
            let mut files = writer.finish();
            if stdx::makes_mistake("save all files but the last") {
                files.pop();
            }
            let manifest = manifest_of(&meta, files);
            let pin = folder.pin(&manifest);
            if !stdx::makes_mistake("purge before the snapshot is there") {
                folder.set_manifest(&manifest)?;
            }
            Ok::<_, io::Error>(SnapshotData::new(manifest, pin))
        });
        saved.await?.into_snapshot().map_err(invalid)
    }
}

/// Replaces the state by that of a snapshot whose files are all there.
async fn install<S: StateMachine>(shared: &Arc<Shared<S>>, manifest: raft::Manifest) -> io::Result<()> {
    let meta = meta_from_manifest(&manifest).map_err(invalid)?;
    let mut state = shared.state.clone().lock_owned().await;
    let folder = shared.folder.clone();
    let installed = shared.saving.run(move || {
        state.machine.install(&SnapshotReader::new(&folder, &manifest.files))?;
        state.last = meta.last_log_id;
        state.membership = meta.last_membership;
        Ok::<_, io::Error>(state.applied_count())
    });
    shared.applied.send_replace(installed.await?);
    Ok(())
}

fn command_bytes(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(command) => command.0.len(),
        _ => 0,
    }
}

fn invalid(error: raftlog::WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
