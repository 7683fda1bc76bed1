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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use stdx::RealDisk;

    use super::*;
    use crate::{SnapshotWriter, TooNew};

    /// Some texts, a file for each.
    #[derive(Default)]
    struct Texts(Vec<Bytes>);

    impl StateMachine for Texts {
        type View = Vec<Bytes>;

        fn apply(&mut self, _: u64, command: Bytes) -> Result<Bytes, TooNew> {
            self.0.push(command);
            Ok(Bytes::new())
        }

        fn view(&self) -> Vec<Bytes> {
            self.0.clone()
        }

        fn save(view: &Vec<Bytes>, files: &mut SnapshotWriter<'_>) -> io::Result<()> {
            view.iter().try_for_each(|text| files.put("text", "txt", &[text]).map(drop))
        }

        fn install(&mut self, files: &SnapshotReader<'_>) -> io::Result<()> {
            self.0 = files.files().iter().map(|file| files.read(file)).collect::<io::Result<_>>()?;
            match self.0.iter().any(|text| text.is_empty()) {
                true => Err(io::Error::new(io::ErrorKind::InvalidData, "a text is empty")),
                false => Ok(()),
            }
        }
    }

    fn saved(texts: &[&'static str]) -> (tempfile::TempDir, SnapshotFolder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = SnapshotFolder::new(Arc::new(RealDisk), temporary.path().to_owned());
        let mut writer = SnapshotWriter::new(&folder);
        Texts::save(&texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect(), &mut writer).unwrap();
        let last = Some(raft::LogId { term: 3, log_index: 41 });
        folder.set_manifest(&raft::Manifest { last, files: writer.finish(), ..Default::default() }).unwrap();
        (temporary, folder)
    }

    fn check(folder: &SnapshotFolder) -> SnapshotCheck<Texts> {
        check_snapshot(folder, Texts::default()).unwrap()
    }

    #[test]
    fn a_whole_snapshot_is_loaded_and_strays_are_named() {
        let (_temporary, folder) = saved(&["one", "three"]);
        std::fs::write(folder.path().join("left-behind"), "x").unwrap();
        let found = check(&folder);
        assert_eq!((found.entry_count, found.file_count, found.size_bytes), (42, 2, 8));
        assert_eq!((found.faults, found.strays), (vec![], vec!["left-behind".to_owned()]));
        assert_eq!(found.machine.unwrap().0, ["one", "three"]);
        let nowhere = SnapshotFolder::new(Arc::new(RealDisk), folder.path().join("none"));
        assert!(check(&nowhere).faults.is_empty());
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (_temporary, folder) = saved(&["one", "three", "some more text"]);
        for name in [folder.names().unwrap(), vec!["MANIFEST".to_owned()]].concat() {
            let path = folder.path().join(&name);
            let whole = std::fs::read(&path).unwrap();
            for bit in 0..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                std::fs::write(&path, bytes).unwrap();
                let found = check(&folder);
                assert_eq!(found.faults.len(), 1, "bit {bit} of {name}");
                assert_eq!((&found.faults[0].file, found.machine.is_none()), (&name, true));
            }
            std::fs::write(&path, whole).unwrap();
        }
        assert!(check(&folder).faults.is_empty());
    }

    #[test]
    fn files_that_are_gone_or_make_no_state_are_faults() {
        let (_temporary, folder) = saved(&["one", "three"]);
        let names = folder.names().unwrap();
        for name in &names {
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
        assert_eq!(check(&folder).faults.len(), 2, "all of them are named");
        let (_temporary, folder) = saved(&["one", ""]);
        assert_eq!(check(&folder).faults[0].what, "its files are no state together: a text is empty");
    }
}
