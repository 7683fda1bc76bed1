//! A folder as a bucket: what the operating system has of its files in memory.

use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// Reads files of a folder as far as that does not wait for a disk.
///
/// Such a read is little more than a copy. To hand it to a thread that may wait, as any other read, costs several times as
/// much, and a cache of our own would only hold the same bytes once more.
#[derive(Debug)]
pub(crate) struct Folder(Arc<LocalFileSystem>);

impl Folder {
    pub(crate) fn new(files: Arc<LocalFileSystem>) -> Self {
        Self(files)
    }

    /// The bytes of some ranges of a file. `None` if a part of them is not in memory, or anything is wrong with the file:
    /// whoever reads it in the usual way learns what.
    pub(crate) fn in_memory(&self, path: &Path, ranges: &[Range<u64>]) -> Option<Vec<Bytes>> {
        let file = File::open(self.0.path_to_filesystem(path).ok()?).ok()?;
        ranges.iter().map(|range| read(&file, range)).collect()
    }
}

fn read(file: &File, range: &Range<u64>) -> Option<Bytes> {
    let mut bytes = vec![0; usize::try_from(range.end.checked_sub(range.start)?).ok()?];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = IoSliceMut::new(&mut bytes[filled..]);
        match preadv2(file, &mut [rest], range.start + filled as u64, ReadWriteFlags::NOWAIT) {
            // The file ends there.
            Ok(0) => return None,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), b"0123456789").unwrap();
        let files = Folder::new(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap()));
        let read = |name: &str, ranges: &[Range<u64>]| files.in_memory(&Path::from(name), ranges);
        // Some file systems can't say what they have in memory: theirs are read in the usual way.
        let found = read("a", &[2..4, 0..10, 5..5]);
        assert!(found.is_none_or(|found| found == ["23", "0123456789", ""]));
        assert_eq!(read("a", &[0..2, 8..11]), None);
        assert_eq!(read("b", &[0..2, 2..3]), None);
    }
}
