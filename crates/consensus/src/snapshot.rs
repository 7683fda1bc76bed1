//! Snapshots as openraft passes them around.

use openraft::alias::{SnapshotMetaOf, SnapshotOf};
use openraft::storage::{Snapshot, SnapshotMeta};
use proto::raft;
use raftlog::{
    TypeConfig, WireError, log_id_from_proto, log_id_to_proto, stored_membership_from_proto, stored_membership_to_proto,
};

use crate::files::Pin;

/// A snapshot: its manifest, and the promise that its files stay.
#[derive(Debug)]
pub(crate) struct SnapshotData {
    pub(crate) manifest: raft::Manifest,
    _pin: Pin,
}

impl SnapshotData {
    pub(crate) fn new(manifest: raft::Manifest, pin: Pin) -> Self {
        Self { manifest, _pin: pin }
    }

    pub(crate) fn into_snapshot(self) -> Result<SnapshotOf<TypeConfig, Self>, WireError> {
        let meta = meta_from_manifest(&self.manifest)?;
        Ok(Snapshot { meta, snapshot: self })
    }
}

pub(crate) fn meta_from_manifest(manifest: &raft::Manifest) -> Result<SnapshotMetaOf<TypeConfig>, WireError> {
    Ok(SnapshotMeta {
        last_log_id: manifest.last.as_ref().map(log_id_from_proto),
        last_membership: stored_membership_from_proto(manifest.membership.as_ref())?,
    })
}

pub(crate) fn manifest_of(meta: &SnapshotMetaOf<TypeConfig>, files: Vec<raft::SnapshotFile>) -> raft::Manifest {
    raft::Manifest {
        last: meta.last_log_id.as_ref().map(log_id_to_proto),
        membership: Some(stored_membership_to_proto(&meta.last_membership)),
        files,
    }
}
