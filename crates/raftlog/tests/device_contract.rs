//! What every log device promises, and what only the one on disk can be asked.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use bytes::Bytes;
use proptest::prelude::*;
use proto::raft;
use raftlog::{Durability, GroupState, LogDevice, LogMetrics, MemoryDevice, OpenError, RocksDevice, Write};
use telemetry::Registry;

fn open(folder: &Path) -> Result<RocksDevice, OpenError> {
    RocksDevice::open(folder, Durability::Fsync, LogMetrics::new(&Registry::new()))
}

/// Submits a write and waits for its end.
fn write(device: &dyn LogDevice, write: Write) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel();
    device.submit(write, Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap()
}

fn append(group: u32, first: u64, entries: &[&str]) -> Write {
    Write::Append { group, first, entries: entries.iter().map(|text| Bytes::from(text.to_string())).collect() }
}

fn log_id(term: u64, log_index: u64) -> raft::LogId {
    raft::LogId { term, log_index }
}

/// The contract: groups apart, holes stop a read, truncation, purge and removal.
fn keeps_the_contract(device: &dyn LogDevice) {
    assert_eq!(device.state(3).unwrap(), Default::default());
    write(device, append(3, 0, &["a", "b", "c"])).unwrap();
    write(device, append(4, 7, &["x"])).unwrap();
    let vote = raft::Vote { term: 2, node_id: 9, committed: true };
    write(device, Write::Vote { group: 3, vote }).unwrap();
    write(device, Write::Committed { group: 3, log_id: log_id(2, 1) }).unwrap();

    let state = device.state(3).unwrap();
    assert_eq!((state.vote, state.committed, state.purged), (Some(vote), Some(log_id(2, 1)), None));
    assert_eq!(state.entries, Some((0, 2)));
    assert_eq!(device.entries(3, 0..9, 1 << 20).unwrap(), ["a", "b", "c"]);
    assert_eq!(device.entries(3, 1..2, 1 << 20).unwrap(), ["b"]);
    assert_eq!(device.entries(3, 0..9, 2).unwrap(), ["a", "b"], "a limit in bytes");
    assert_eq!(device.entries(3, 0..9, 0).unwrap(), ["a"], "one entry whatever the limit");
    assert_eq!(device.entries(4, 0..9, 1 << 20).unwrap(), Vec::<Bytes>::new(), "a hole stops a read");
    assert_eq!(device.entries(4, 7..9, 1 << 20).unwrap(), ["x"]);

    write(device, Write::Truncate { group: 3, from: 2 }).unwrap();
    write(device, append(3, 2, &["C", "D"])).unwrap();
    assert_eq!(device.entries(3, 0..9, 1 << 20).unwrap(), ["a", "b", "C", "D"]);
    write(device, Write::Purge { group: 3, upto: log_id(2, 1) }).unwrap();
    assert_eq!(device.entries(3, 2..9, 1 << 20).unwrap(), ["C", "D"]);
    assert_eq!(device.entries(3, 0..9, 1 << 20).unwrap(), Vec::<Bytes>::new());
    let state = device.state(3).unwrap();
    assert_eq!((state.purged, state.entries), (Some(log_id(2, 1)), Some((2, 3))));

    let (kept, promised) = (Some(vote), Some(log_id(2, 3)));
    write(device, Write::Remove { group: 3, vote: kept, promised }).unwrap();
    assert_eq!(device.state(3).unwrap(), GroupState { vote: kept, promised, ..GroupState::default() });
    assert_eq!(device.entries(3, 2..9, 1 << 20).unwrap(), Vec::<Bytes>::new());
    write(device, Write::Remove { group: 3, vote: None, promised: None }).unwrap();
    assert_eq!(device.state(3).unwrap(), GroupState::default());
    assert_eq!(device.state(4).unwrap().entries, Some((7, 7)));
}

#[test]
fn memory_keeps_the_contract() {
    keeps_the_contract(&MemoryDevice::new());
}

#[test]
fn rocksdb_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    keeps_the_contract(&open(folder.path()).unwrap());
}

#[test]
fn everything_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let device = open(folder.path()).unwrap();
    write(&device, append(1, 0, &["a", "b"])).unwrap();
    write(&device, Write::Purge { group: 1, upto: log_id(1, 0) }).unwrap();
    device.close().unwrap();
    assert!(write(&device, append(1, 2, &["late"])).is_err(), "a closed log takes nothing");
    drop(device);
    let device = open(folder.path()).unwrap();
    assert_eq!(device.entries(1, 1..5, 1 << 20).unwrap(), ["b"]);
    assert_eq!(device.state(1).unwrap().purged, Some(log_id(1, 0)));
}

#[test]
fn a_log_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let _owner = open(folder.path()).unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::InUse { .. })));
}

/// The newest write-ahead log of a device's folder.
fn newest_wal(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("db")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "log")).max().unwrap()
}

/// Writes entries one by one, as a crash of the process would leave them; returns the size of the WAL after each.
fn crashed_device(folder: &Path, entries: u64) -> Vec<u64> {
    let device = open(folder).unwrap();
    let mut sizes = Vec::new();
    for log_index in 0..entries {
        write(&device, append(1, log_index, &[&format!("entry {log_index:0>100}")])).unwrap();
        sizes.push(fs::metadata(newest_wal(folder)).unwrap().len());
    }
    // Neither closed nor dropped: nothing is flushed on the way out. The lock goes with a copy of the folder.
    std::mem::forget(device);
    sizes
}

/// A copy of the folder, as another process after the crash would find it.
fn copy(folder: &Path) -> tempfile::TempDir {
    let copied = tempfile::tempdir().unwrap();
    fs::create_dir(copied.path().join("db")).unwrap();
    for name in ["", "db"] {
        for entry in fs::read_dir(folder.join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, copied.path().join(name).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    copied
}

#[test]
fn a_torn_tail_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    crashed_device(folder.path(), 3);
    let crashed = copy(folder.path());
    // A fourth write that was under way: half a record follows the synced ones.
    let wal = newest_wal(crashed.path());
    let file = fs::OpenOptions::new().append(true).open(&wal).unwrap();
    let size = file.metadata().unwrap().len();
    file.write_all_at(&[0x5a; 57], size).unwrap();
    let device = open(crashed.path()).unwrap();
    assert_eq!(device.entries(1, 0..9, 1 << 20).unwrap().len(), 3);
}

#[test]
fn a_log_that_lost_what_it_synced_ends_the_identity() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = crashed_device(folder.path(), 4);
    for (what, damage) in [
        ("cut", Box::new(|wal: &fs::File| wal.set_len(sizes[2] - 1)) as Box<dyn Fn(&fs::File) -> io::Result<()>>),
        ("a flipped bit in the middle", Box::new(|wal| wal.write_all_at(b"?", sizes[1] - 20))),
        ("a flipped bit in the last record", Box::new(|wal| wal.write_all_at(b"?", sizes[3] - 20))),
    ] {
        let crashed = copy(folder.path());
        let wal = fs::OpenOptions::new().write(true).open(newest_wal(crashed.path())).unwrap();
        damage(&wal).unwrap();
        let opened = open(crashed.path());
        assert!(matches!(opened, Err(OpenError::Lost(_))), "{what}: {:?}", opened.err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Both devices are the same to whoever writes to them.
    #[test]
    fn the_twins_agree(writes in prop::collection::vec((1u32..3, 0u8..5, 0u64..20), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let (rocks, memory) = (open(folder.path()).unwrap(), MemoryDevice::new());
        for (group, kind, log_index) in writes {
            let make = || match kind {
                0 | 1 => append(group, log_index, &["one", "two"]),
                2 => Write::Truncate { group, from: log_index },
                3 => Write::Purge { group, upto: log_id(1, log_index) },
                _ => Write::Vote { group, vote: raft::Vote { term: log_index, node_id: 1, committed: false } },
            };
            write(&rocks, make()).unwrap();
            write(&memory, make()).unwrap();
            prop_assert_eq!(rocks.state(group).unwrap(), memory.state(group).unwrap());
            prop_assert_eq!(rocks.entries(group, log_index..25, 100).unwrap(), memory.entries(group, log_index..25, 100).unwrap());
        }
    }
}
