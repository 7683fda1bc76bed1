//! How far the log is known to be synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

/// Remembers, in a file beside the database, the sequence number up to which the database was synced.
///
/// After a crash it tells a torn tail (above the mark: nobody was told that it was written) from a loss (below).
/// The mark itself is not synced with each write: it may be older than the truth, which only means that the newest
/// writes get the benefit of the doubt; it is synced now and then, so that it is never much older.
pub(super) struct SyncedMark {
    file: File,
    value: u64,
    unsynced: u32,
}

/// How many updates of the mark may be lost with the power.
const SYNC_EVERY: u32 = 256;

impl SyncedMark {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = [0; 16];
        let value = match file.read_exact_at(&mut bytes, 0) {
            // The file is 16 bytes in one sector: either it is whole, or the disk is damaged and says nothing.
            Ok(()) => read(&bytes).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { file, value, unsynced: 0 })
    }

    /// The value of a mark's bytes; `None` if they are none.
    pub(super) fn decode(bytes: &[u8]) -> Option<u64> {
        bytes.first_chunk().and_then(read)
    }

    pub(super) fn get(&self) -> u64 {
        self.value
    }

    pub(super) fn advance(&mut self, value: u64) -> io::Result<()> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&value.to_le_bytes());
        let check = xxh3_64(&bytes[..8]);
        bytes[8..].copy_from_slice(&check.to_le_bytes());
        self.file.write_all_at(&bytes, 0)?;
        self.value = value;
        self.unsynced += 1;
        if self.unsynced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        self.file.sync_data()
    }
}

fn read(bytes: &[u8; 16]) -> Option<u64> {
    let (value, check) = bytes.split_first_chunk::<8>()?;
    (xxh3_64(value).to_le_bytes() == check).then(|| u64::from_le_bytes(*value))
}
