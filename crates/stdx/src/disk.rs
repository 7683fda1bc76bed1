//! Disks as a handle.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// The files of a node that are written once and never changed.
///
/// That is all the disk this project needs beside RocksDB: segments, manifests and identities are whole files, put in
/// place atomically. Calls block; those that may take long belong on a [`CpuPool`](crate::CpuPool).
pub trait Disk: Send + Sync {
    /// Puts `parts`, one after another, in place as the file `path`, replacing what was there.
    ///
    /// When this returns, the file survives a loss of power; before, either the old or the new file does, whole.
    /// Missing parent folders are made.
    fn write_atomic(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()>;

    /// The bytes of a file that nobody will change, mapped where the disk can map.
    fn map(&self, path: &Path) -> io::Result<Bytes>;

    /// The names of the files (not folders) in a folder, in byte order. An absent folder has none.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Removes a file. A file that is not there is no error: a removal that is repeated after a crash has succeeded.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and all that is in it; an absent one is no error.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn write_atomic(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let folder = path.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
        create_folders(folder)?;
        let temporary = temporary_name(path);
        let mut file = File::create(&temporary)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)?;
        sync_folder(folder)
    }

    #[expect(unsafe_code, reason = "mapping is what keeps hundreds of segments out of the heap; proof below")]
    fn map(&self, path: &Path) -> io::Result<Bytes> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Bytes::new());
        }
        // SAFETY: the slice stays valid and unchanged as long as nobody writes to or truncates the file. Files of a
        // `Disk` are only ever replaced by rename and removed by unlink, both of which keep the mapped inode as it is.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Bytes::from_owner(map))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
                && !name.ends_with(TEMPORARY)
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_file(path))
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(folder))
    }
}

/// The ending of a file that is being written. One that a crash left behind is overwritten by the next try.
const TEMPORARY: &str = ".tmp";

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    PathBuf::from(name)
}

/// Makes `folder` and its missing parents, each of them durably.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => folder.parent().map_or(Ok(()), sync_folder),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_in_place_listed_mapped_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk;
        let path = folder.path().join("a/b/one.seg");
        assert_eq!(disk.list(path.parent().unwrap()).unwrap(), Vec::<String>::new());
        disk.write_atomic(&path, &[b"hello ", b"world"]).unwrap();
        let mapped = disk.map(&path).unwrap();
        disk.write_atomic(&path, &[b"other"]).unwrap();
        assert_eq!(&mapped[..], b"hello world", "a map keeps the file it mapped");
        assert_eq!(&disk.map(&path).unwrap()[..], b"other");
        fs::write(folder.path().join("a/b/two.tmp"), b"torn").unwrap();
        assert_eq!(disk.list(path.parent().unwrap()).unwrap(), ["one.seg"]);
        disk.remove(&path).unwrap();
        disk.remove(&path).unwrap();
        assert_eq!(disk.map(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        disk.remove_folder(&folder.path().join("a")).unwrap();
        disk.remove_folder(&folder.path().join("a")).unwrap();
    }

    #[test]
    fn an_empty_file_maps_to_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        RealDisk.write_atomic(&path, &[]).unwrap();
        assert!(RealDisk.map(&path).unwrap().is_empty());
    }
}
