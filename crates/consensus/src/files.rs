//! The files of a group's snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use proto::raft;
use stdx::Disk;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Names the current snapshot: an encoded manifest and the xxh3 of its bytes, 8 bytes little endian.
const MANIFEST: &str = "MANIFEST";

/// The folder that holds the snapshot files of one group.
///
/// Files are never changed. Their names hold a hash of their content, so a file that two snapshots share is stored once,
/// and two replicas that have the same data have the same files.
#[derive(Clone)]
pub struct SnapshotFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// How many users each file has beside the current manifest. See [`Pin`].
    pins: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl SnapshotFolder {
    /// The folder at `path`, which need not exist.
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path, pins: Arc::default() }
    }

    /// The manifest of the current snapshot, if there is one.
    ///
    /// # Errors
    /// If the disk fails, or (`InvalidData`) the manifest is damaged.
    pub(crate) fn manifest(&self) -> io::Result<Option<raft::Manifest>> {
        let bytes = match self.disk.map(&self.path.join(MANIFEST)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{MANIFEST}: {what}"));
        let (body, check) = bytes.split_last_chunk::<8>().ok_or_else(|| damaged("it is too short"))?;
        if xxh3_64(body).to_le_bytes() != *check {
            return Err(damaged("its checksum is wrong"));
        }
        raft::Manifest::decode(body).map(Some).map_err(|error| damaged(&error.to_string()))
    }

    /// Makes `manifest` the current snapshot, and removes the files that nobody needs any more.
    pub(crate) fn set_manifest(&self, manifest: &raft::Manifest) -> io::Result<()> {
        let body = manifest.encode_to_vec();
        let check = xxh3_64(&body).to_le_bytes();
        self.disk.write_atomic(&self.path.join(MANIFEST), &[&body, &check])?;
        self.sweep(manifest)
    }

    /// Removes all files that are neither in `manifest` nor pinned.
    pub(crate) fn sweep(&self, manifest: &raft::Manifest) -> io::Result<()> {
        let needed: BTreeSet<&str> = manifest.files.iter().map(|file| &*file.name).collect();
        for name in self.disk.list(&self.path)? {
            if name != MANIFEST && !needed.contains(&*name) && !self.pins.lock().contains_key(&name) {
                self.disk.remove(&self.path.join(&name))?;
            }
        }
        Ok(())
    }

    /// All files but the manifest.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let names = self.disk.list(&self.path)?;
        Ok(names.into_iter().filter(|name| name != MANIFEST).collect())
    }

    /// Keeps the files of a manifest from being swept as long as the pin lives.
    pub(crate) fn pin(&self, manifest: &raft::Manifest) -> Pin {
        let names: Vec<_> = manifest.files.iter().map(|file| file.name.clone()).collect();
        let mut pins = self.pins.lock();
        for name in &names {
            *pins.entry(name.clone()).or_default() += 1;
        }
        Pin { names, pins: self.pins.clone() }
    }

    /// Whether the folder has this very file, as far as name and size tell.
    pub(crate) fn has(&self, file: &raft::SnapshotFile) -> bool {
        self.path_of(&file.name)
            .and_then(|path| self.disk.map(&path))
            .is_ok_and(|bytes| bytes.len() as u64 == file.size_bytes)
    }

    /// The bytes of a file, mapped.
    pub(crate) fn map(&self, file: &raft::SnapshotFile) -> io::Result<Bytes> {
        let bytes = self.disk.map(&self.path_of(&file.name)?)?;
        if bytes.len() as u64 != file.size_bytes {
            let text = format!("{} has {} bytes instead of {}", file.name, bytes.len(), file.size_bytes);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(bytes)
    }

    /// Stores a file that another replica sent.
    ///
    /// # Errors
    /// If the disk fails, or (`InvalidData`) the bytes are not those that the manifest promised.
    pub(crate) fn store(&self, file: &raft::SnapshotFile, bytes: &[u8]) -> io::Result<()> {
        if hash_of(&[bytes]).to_be_bytes()[..] != file.hash[..] || bytes.len() as u64 != file.size_bytes {
            let text = format!("{} was damaged on its way", file.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.disk.write_atomic(&self.path_of(&file.name)?, &[bytes])
    }

    /// The path of a file; refuses names that another node could use to reach out of the folder.
    fn path_of(&self, name: &str) -> io::Result<PathBuf> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if name.is_empty() || name.starts_with('.') || name == MANIFEST || !name.bytes().all(fine) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name:?} is no name of a snapshot file")));
        }
        Ok(self.path.join(name))
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Keeps files from being swept while it lives.
#[derive(Debug)]
pub(crate) struct Pin {
    names: Vec<String>,
    pins: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.lock();
        for name in &self.names {
            if let Some(count) = pins.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    pins.remove(name);
                }
            }
        }
    }
}

/// Collects the files of a snapshot that is being saved.
pub struct SnapshotWriter<'a> {
    folder: &'a SnapshotFolder,
    files: Vec<raft::SnapshotFile>,
}

impl<'a> SnapshotWriter<'a> {
    pub(crate) fn new(folder: &'a SnapshotFolder) -> Self {
        Self { folder, files: Vec::new() }
    }

    /// Adds the file made of `parts`; its name is `stem`, a hash of its content and `ending`. Returns it, mapped.
    ///
    /// A file that is there already is not written again.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn put(&mut self, stem: &str, ending: &str, parts: &[&[u8]]) -> io::Result<(raft::SnapshotFile, Bytes)> {
        let hash = hash_of(parts);
        let file = raft::SnapshotFile {
            name: format!("{stem}-{hash:032x}.{ending}"),
            size_bytes: parts.iter().map(|part| part.len() as u64).sum(),
            hash: Bytes::copy_from_slice(&hash.to_be_bytes()),
        };
        if !self.folder.has(&file) {
            self.folder.disk.write_atomic(&self.folder.path_of(&file.name)?, parts)?;
        }
        let bytes = self.folder.map(&file)?;
        self.files.push(file.clone());
        Ok((file, bytes))
    }

    /// Adds a file that an earlier snapshot of this group put.
    pub fn keep(&mut self, file: &raft::SnapshotFile) {
        self.files.push(file.clone());
    }

    pub(crate) fn finish(self) -> Vec<raft::SnapshotFile> {
        self.files
    }
}

/// Reads the files of a snapshot, in the order in which they were put.
pub struct SnapshotReader<'a> {
    folder: &'a SnapshotFolder,
    files: &'a [raft::SnapshotFile],
}

impl<'a> SnapshotReader<'a> {
    pub(crate) fn new(folder: &'a SnapshotFolder, files: &'a [raft::SnapshotFile]) -> Self {
        Self { folder, files }
    }

    /// The files.
    pub fn files(&self) -> &'a [raft::SnapshotFile] {
        self.files
    }

    /// The bytes of a file, mapped and not verified: files of many megabytes carry checksums of their parts, which
    /// whoever reads a part verifies.
    ///
    /// # Errors
    /// If the disk fails, or (`InvalidData`) the file has another size.
    pub fn map(&self, file: &raft::SnapshotFile) -> io::Result<Bytes> {
        self.folder.map(file)
    }

    /// The bytes of a file, verified against their hash.
    ///
    /// # Errors
    /// If the disk fails, or (`InvalidData`) the file is damaged.
    pub fn read(&self, file: &raft::SnapshotFile) -> io::Result<Bytes> {
        let bytes = self.folder.map(file)?;
        if hash_of(&[&bytes]).to_be_bytes()[..] != file.hash[..] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged", file.name)));
        }
        Ok(bytes)
    }
}

fn hash_of(parts: &[&[u8]]) -> u128 {
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(part);
    }
    hash.digest128()
}

#[cfg(test)]
mod tests {
    use stdx::RealDisk;

    use super::*;

    fn folder() -> (tempfile::TempDir, SnapshotFolder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = SnapshotFolder::new(Arc::new(RealDisk), temporary.path().join("group"));
        (temporary, folder)
    }

    fn manifest(files: Vec<raft::SnapshotFile>) -> raft::Manifest {
        raft::Manifest { files, ..Default::default() }
    }

    #[test]
    fn equal_files_are_stored_once_and_unneeded_ones_are_swept() {
        let (_temporary, folder) = folder();
        assert_eq!(folder.manifest().unwrap(), None);
        let mut writer = SnapshotWriter::new(&folder);
        let (first, bytes) = writer.put("seg", "x", &[b"hello ", b"world"]).unwrap();
        assert_eq!(&bytes[..], b"hello world");
        assert_eq!(writer.put("seg", "x", &[b"hello world"]).unwrap().0, first);
        let (second, _) = writer.put("seg", "x", &[b"other"]).unwrap();
        folder.set_manifest(&manifest(vec![first.clone(), second.clone()])).unwrap();
        let pin = folder.pin(&manifest(vec![first.clone()]));
        let now = manifest(vec![]);
        folder.set_manifest(&now).unwrap();
        assert_eq!(folder.manifest().unwrap(), Some(now.clone()));
        assert!(folder.has(&first) && !folder.has(&second));
        drop(pin);
        folder.sweep(&now).unwrap();
        assert!(!folder.has(&first));
    }

    #[test]
    fn damage_is_noticed() {
        let (_temporary, folder) = folder();
        let mut writer = SnapshotWriter::new(&folder);
        let (file, _) = writer.put("seg", "x", &[b"hello"]).unwrap();
        assert!(folder.store(&file, b"jello").is_err());
        folder.store(&file, b"hello").unwrap();
        std::fs::write(folder.path().join(&file.name), b"jello").unwrap();
        let files = [file.clone()];
        let reader = SnapshotReader::new(&folder, &files);
        assert_eq!(reader.read(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
        folder.set_manifest(&manifest(vec![])).unwrap();
        let path = folder.path().join(MANIFEST);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(folder.manifest().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn names_can_not_leave_the_folder() {
        let (_temporary, folder) = folder();
        for name in ["", "../x", "a/b", ".x", "MANIFEST", "a b"] {
            let file = raft::SnapshotFile { name: name.to_owned(), ..Default::default() };
            assert!(folder.map(&file).is_err(), "{name}");
        }
    }
}
