//! A disk for files, in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use stdx::{Disk, Rng};

use crate::log::no_power;

/// The deterministic twin of [`stdx::RealDisk`]: files in memory, which survive a loss of power once their write has
/// returned. Handles on it die with the process that has them.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<Files>>);

#[derive(Default)]
struct Files {
    boot: u64,
    files: BTreeMap<PathBuf, Bytes>,
    is_full: bool,
}

impl SimDisk {
    /// From now on nothing more fits on it, or something does.
    pub fn set_full(&self, is_full: bool) {
        self.0.lock().is_full = is_full;
    }

    /// Turns a bit over in one of the files below a folder. Says in which; `None` if there is nothing.
    pub fn rot(&self, folder: &Path, rng: &Rng) -> Option<PathBuf> {
        let mut files = self.0.lock();
        let found: Vec<&PathBuf> = files
            .files
            .iter()
            .filter(|(path, bytes)| path.starts_with(folder) && !bytes.is_empty())
            .map(|it| it.0)
            .collect();
        let path = (*found.get(rng.below(found.len().max(1) as u64) as usize)?).clone();
        let mut bytes = files.files[&path].to_vec();
        let at = rng.below(8 * bytes.len() as u64);
        bytes[at as usize / 8] ^= 1 << (at % 8);
        files.files.insert(path.clone(), bytes.into());
        Some(path)
    }

    /// The power goes.
    pub fn power_off(&self) {
        let mut files = self.0.lock();
        files.boot += 1;
        files.is_full = false;
    }

    /// The disk as a process sees it that starts now.
    pub fn open(&self) -> Arc<dyn Disk> {
        Arc::new(Handle { disk: self.clone(), boot: self.0.lock().boot })
    }
}

struct Handle {
    disk: SimDisk,
    boot: u64,
}

impl Handle {
    fn with<T>(&self, work: impl FnOnce(&mut Files) -> io::Result<T>) -> io::Result<T> {
        let mut files = self.disk.0.lock();
        if files.boot == self.boot { work(&mut files) } else { Err(no_power()) }
    }
}

impl Disk for Handle {
    fn write_atomic(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        self.with(|files| {
            if files.is_full {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
            }
            files.files.insert(path.to_owned(), parts.concat().into());
            Ok(())
        })
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        self.with(|files| {
            let absent = || io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display()));
            files.files.get(path).cloned().ok_or_else(absent)
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.with(|files| {
            let below = files.files.keys().filter(|path| path.parent() == Some(folder));
            let mut names: Vec<String> =
                below.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect();
            names.sort_unstable();
            Ok(names)
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.with(|files| {
            files.files.remove(path);
            Ok(())
        })
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.with(|files| {
            files.files.retain(|path, _| !path.starts_with(folder));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_outlive_the_power_and_handles_do_not() {
        let machine = SimDisk::default();
        let disk = machine.open();
        disk.write_atomic(Path::new("a/b"), &[b"x", b"y"]).unwrap();
        machine.power_off();
        assert!(disk.map(Path::new("a/b")).is_err() && disk.write_atomic(Path::new("a/c"), &[]).is_err());
        let disk = machine.open();
        assert_eq!(&disk.map(Path::new("a/b")).unwrap()[..], b"xy");
        assert_eq!(disk.list(Path::new("a")).unwrap(), ["b"]);
        machine.set_full(true);
        assert_eq!(disk.write_atomic(Path::new("a/c"), &[]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        let rng = Rng::from_seed(1);
        assert_eq!(machine.rot(Path::new("b"), &rng), None);
        assert_eq!(machine.rot(Path::new("a"), &rng).as_deref(), Some(Path::new("a/b")));
        let turned: u32 =
            disk.map(Path::new("a/b")).unwrap().iter().zip(b"xy").map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(turned, 1);
        disk.remove_folder(Path::new("a")).unwrap();
        assert_eq!(disk.map(Path::new("a/b")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
