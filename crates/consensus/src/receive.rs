//! The follower's side of a snapshot transfer.

use std::io;

use proto::raft::{self, snapshot_frame::Frame};

use crate::files::{Pin, SnapshotFolder};
use crate::snapshot::SnapshotData;

/// The largest file that is taken from a peer. Segments and open heads are far below; anything above is no snapshot.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// A snapshot on its way in.
pub(crate) struct Receiving {
    folder: SnapshotFolder,
    manifest: raft::Manifest,
    pin: Pin,
    /// What is still to come, in order; the first one is under way.
    missing: Vec<u32>,
    buffer: Vec<u8>,
}

impl Receiving {
    /// Begins with what the leader offers.
    pub(crate) fn new(folder: SnapshotFolder, manifest: raft::Manifest) -> io::Result<Self> {
        if let Some(file) = manifest.files.iter().find(|file| file.size_bytes > MAX_FILE_BYTES) {
            return Err(invalid(format!("{} is said to have {} bytes", file.name, file.size_bytes)));
        }
        let pin = folder.pin(&manifest);
        let missing = (0u32..).zip(&manifest.files).filter(|(_, file)| !folder.has(file)).map(|(index, _)| index);
        Ok(Self { missing: missing.collect(), folder, manifest, pin, buffer: Vec::new() })
    }

    /// The files that the leader should send.
    pub(crate) fn want(&self) -> raft::SnapshotWant {
        raft::SnapshotWant { files: self.missing.clone() }
    }

    /// Whether all files are there.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Takes the next piece. Blocks where it completes a file.
    pub(crate) fn take(&mut self, frame: raft::SnapshotFrame) -> io::Result<()> {
        let Some(Frame::Chunk(chunk)) = frame.frame else { return Err(invalid("a chunk was expected".to_owned())) };
        let Some(index) = self.missing.first().filter(|index| **index == chunk.file) else {
            return Err(invalid(format!("file {} comes out of turn", chunk.file)));
        };
        let file = &self.manifest.files[*index as usize];
        self.buffer.extend_from_slice(&chunk.data);
        let (have, want) = (self.buffer.len() as u64, file.size_bytes);
        if have > want {
            return Err(invalid(format!("{} is longer than the {want} bytes it was said to have", file.name)));
        }
        if have == want {
            self.folder.store(file, &self.buffer)?;
            self.buffer = Vec::new();
            self.missing.remove(0);
        }
        Ok(())
    }

    /// The snapshot, once all files are there.
    pub(crate) fn finish(self) -> SnapshotData {
        debug_assert!(self.is_complete());
        SnapshotData::new(self.manifest, self.pin)
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
