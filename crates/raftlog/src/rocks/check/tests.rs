use std::path::PathBuf;
use std::sync::mpsc::channel;

use proptest::prelude::*;
use telemetry::Registry;

use super::*;
use crate::LogLost;
use crate::device::{LogDevice, Write};
use crate::rocks::{Durability, LogMetrics, OpenError, RocksDevice};

/// A log with two groups, one of them purged up to its third entry. `flushed`: it lies in tables, too, not in the WAL alone.
fn write_log(folder: &Path, flushed: bool) {
    for round in 0..if flushed { 2 } else { 1 } {
        let device = RocksDevice::open(folder, Durability::Fsync, LogMetrics::new(&Registry::new())).unwrap();
        let (sender, done) = channel();
        let submit = |write| {
            let sender = sender.clone();
            device.submit(write, Box::new(move |outcome| sender.send(outcome).unwrap()));
            done.recv().unwrap().unwrap();
        };
        let entry = |log_index: u64, byte: u8| {
            let payload = Some(raft::entry::Payload::Command(vec![byte; 300].into()));
            Bytes::from(raft::Entry { term: 2, log_index, payload }.encode_to_vec())
        };
        for group in [0, 7] {
            let first = round * 20;
            let vote = raft::Vote { term: 2, node_id: 1, committed: true };
            submit(Write::Vote { group, vote });
            let entries = (first..first + 20).map(|log_index| entry(log_index, log_index as u8)).collect();
            submit(Write::Append { group, first, entries });
            submit(Write::Committed { group, log_id: raft::LogId { term: 2, log_index: first + 19 } });
        }
        submit(Write::Purge { group: 7, upto: raft::LogId { term: 2, log_index: 2 } });
        device.close().unwrap();
    }
}

fn check(folder: &Path) -> LogCheck {
    check_log(folder, |_, command| if command.len() == 300 { Ok(()) } else { Err("no command".to_owned()) }).unwrap()
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Files that nobody reads again: notes for people, and what RocksDB was opened with last.
fn is_note(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.starts_with("LOG") || name.starts_with("OPTIONS") || name == "IDENTITY" || name == "LOCK"
}

#[test]
fn a_whole_log_has_no_faults_and_stays_as_it_is() {
    for flushed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        write_log(folder.path(), flushed);
        let before = files(folder.path());
        let found = check(folder.path());
        assert_eq!(found.faults, []);
        let count = if flushed { 40 } else { 20 };
        assert_eq!((found.groups[&0].entry_count, found.groups[&7].entry_count), (count, count - 3));
        assert_eq!(files(folder.path()), before);
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let mut found = LogCheck::default();
    let bytes = |entry: raft::Entry| Bytes::from(entry.encode_to_vec());
    let fine = |_, _| Ok(());
    assert_eq!(found.entry(1, 4, bytes(raft::Entry { term: 3, log_index: 4, payload: None }), fine), Ok(()));
    let said = |found: &mut LogCheck, at, entry| found.entry(1, at, bytes(entry), fine).unwrap_err();
    let gap = said(&mut found, 6, raft::Entry { term: 3, log_index: 6, payload: None });
    assert_eq!(gap, "it comes after entry 4: those between them are missing");
    let older = said(&mut found, 7, raft::Entry { term: 2, log_index: 7, payload: None });
    assert_eq!(older, "it is of term 2, and the one before it of term 3");
    found.groups.entry(1).and_modify(|group| {
        group.state.committed = Some(raft::LogId { term: 3, log_index: 8 });
    });
    found.marks();
    let said: Vec<&str> = found.faults.iter().map(|fault| &*fault.what).collect();
    assert_eq!(
        said,
        [
            "its first entry is 4, and should be 0",
            "entry 8 was committed, and the log ends before 8",
            "its vote is of term 0, and its last entry of term 2",
        ]
    );
}

#[test]
fn a_mark_that_is_damaged_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    write_log(folder.path(), false);
    let path = folder.path().join(MARK_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(check(folder.path()).faults.len(), 1);
}

#[test]
fn a_kind_that_rocksdb_would_read_for_ever_is_a_fault_and_ends_the_identity() {
    let folder = tempfile::tempdir().unwrap();
    write_log(folder.path(), true);
    let versions = files(folder.path()).into_iter().find(|(path, _)| path.to_str().unwrap().contains("MANIFEST"));
    let (path, whole) = versions.unwrap();
    let second = 7 + usize::from(u16::from_le_bytes([whole[4], whole[5]]));
    let mut flipped = whole.clone();
    flipped[second + 6] ^= 4;
    std::fs::write(&path, &flipped).unwrap();
    let [fault] = &check(folder.path()).faults[..] else { panic!("one fault") };
    let said =
        format!("the record at byte {second} of {} says that it is of kind 5, which is never written", path.display());
    assert_eq!(fault.what, said);
    let opened = RocksDevice::open(folder.path(), Durability::Fsync, LogMetrics::new(&Registry::new()));
    assert!(matches!(opened, Err(OpenError::Lost(LogLost(what))) if what == said));
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(check(folder.path()).faults, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A flipped bit anywhere is found, or what is read is what was written: then it is in a note, in free space, or in
    /// something that RocksDB has twice.
    #[test]
    fn flipped_bits_are_found_or_harmless(flushed: bool, file: prop::sample::Index, at: prop::sample::Index, bit in 0u8..8) {
        let folder = tempfile::tempdir().unwrap();
        write_log(folder.path(), flushed);
        let whole = check(folder.path());
        let candidates = files(folder.path()).into_iter().filter(|(path, bytes)| !is_note(path) && !bytes.is_empty());
        let mut candidates: Vec<_> = candidates.collect();
        let (path, mut bytes) = candidates.swap_remove(file.index(candidates.len()));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        let found = check(folder.path());
        let is_same = found.groups == whole.groups;
        prop_assert!(!found.faults.is_empty() || is_same, "{} byte {at}: {found:?}", path.display());
    }
}
