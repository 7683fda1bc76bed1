//! Looking at a group's snapshot on a disk, without changing anything.

use std::collections::BTreeSet;
use std::io;

use proto::raft;

use crate::files::SnapshotFolder;
use crate::snapshot::meta_from_manifest;
use crate::{SnapshotReader, StateMachine};

/// What a snapshot has, and what is wrong with it.
#[derive(Debug)]
pub struct SnapshotCheck<S> {
    /// How many entries are in it; 0: there is no snapshot.
    pub entry_count: u64,
    /// How many files it has.
    pub file_count: usize,
    /// How many bytes they have.
    pub size_bytes: u64,
    /// All that is wrong.
    pub faults: Vec<SnapshotFault>,
    /// Files that no snapshot names: they are swept when the group is opened.
    pub strays: Vec<String>,
    /// The state, if it can be loaded.
    pub machine: Option<S>,
}

/// Something that is wrong with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFault {
    /// The file within the snapshot's folder.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

/// Reads all of a snapshot: the manifest, every file with its size and its hash, and the state that they are together, into
/// `machine`. Changes nothing. Blocks.
///
/// # Errors
/// If the disk fails. Damage is no error.
pub fn check_snapshot<S: StateMachine>(folder: &SnapshotFolder, mut machine: S) -> io::Result<SnapshotCheck<S>> {
    let mut check = SnapshotCheck {
        entry_count: 0,
        file_count: 0,
        size_bytes: 0,
        faults: Vec::new(),
        strays: Vec::new(),
        machine: None,
    };
    let manifest = match damaged(folder.manifest())? {
        Ok(Some(manifest)) => manifest,
        Ok(None) => {
            check.strays = folder.others(&raft::Manifest::default())?;
            check.machine = Some(machine);
            return Ok(check);
        }
        Err(what) => {
            check.fault("MANIFEST", what);
            return Ok(check);
        }
    };
    check.entry_count = manifest.last.as_ref().map_or(0, |last| last.log_index + 1);
    if let Err(error) = meta_from_manifest(&manifest) {
        check.fault("MANIFEST", error.to_string());
    }
    let reader = SnapshotReader::new(folder, &manifest.files);
    for file in &manifest.files {
        check.file_count += 1;
        check.size_bytes += file.size_bytes;
        if let Err(what) = damaged(reader.read(file))? {
            check.fault(&file.name, what);
        }
    }
    if check.faults.is_empty() {
        match damaged(machine.install(&reader))? {
            Ok(()) => check.machine = Some(machine),
            Err(what) => check.fault("MANIFEST", format!("its files are no state together: {what}")),
        }
    }
    check.strays = folder.others(&manifest)?;
    Ok(check)
}

impl<S> SnapshotCheck<S> {
    fn fault(&mut self, file: &str, what: String) {
        self.faults.push(SnapshotFault { file: file.to_owned(), what });
    }
}

/// Damage, in words, apart from failures of the disk. A file that is missing is damage, too.
fn damaged<T>(read: io::Result<T>) -> io::Result<Result<T, String>> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

impl SnapshotFolder {
    /// The files that are not in a manifest, ascending.
    fn others(&self, manifest: &raft::Manifest) -> io::Result<Vec<String>> {
        let named: BTreeSet<&str> = manifest.files.iter().map(|file| &*file.name).collect();
        let mut others = self.names()?;
        others.retain(|name| !named.contains(&**name));
        others.sort_unstable();
        Ok(others)
    }
}
