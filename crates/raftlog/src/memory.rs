//! A log device in memory.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::LogLost;
use crate::device::{Completion, GroupState, LogDevice, Write};

/// The deterministic twin of [`RocksDevice`](crate::RocksDevice): keeps everything in memory and completes each write
/// before `submit` returns. A clone is a copy. It passes the same contract tests. For tests and simulations.
#[derive(Debug, Default)]
pub struct MemoryDevice {
    groups: Mutex<BTreeMap<u32, Group>>,
}

impl Clone for MemoryDevice {
    fn clone(&self) -> Self {
        Self { groups: Mutex::new(self.groups.lock().clone()) }
    }
}

#[derive(Clone, Debug, Default)]
struct Group {
    state: GroupState,
    entries: BTreeMap<u64, Bytes>,
}

impl MemoryDevice {
    /// An empty device.
    pub fn new() -> Self {
        Self::default()
    }
}

impl LogDevice for MemoryDevice {
    fn submit(&self, write: Write, done: Completion) {
        self.groups.lock().write(write);
        done(Ok(()));
    }

    fn entries(&self, group: u32, range: Range<u64>, limit_bytes: usize) -> io::Result<Vec<Bytes>> {
        let groups = self.groups.lock();
        let Some(group) = groups.get(&group) else {
            return Ok(Vec::new());
        };
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for ((log_index, entry), expected) in group.entries.range(range.clone()).zip(range.start..) {
            bytes += entry.len();
            if *log_index != expected || (bytes > limit_bytes && !entries.is_empty()) {
                break;
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }

    fn state(&self, group: u32) -> io::Result<GroupState> {
        let groups = self.groups.lock();
        let Some(group) = groups.get(&group) else {
            return Ok(GroupState::default());
        };
        let ends = group.entries.first_key_value().zip(group.entries.last_key_value());
        Ok(GroupState { entries: ends.map(|((first, _), (last, _))| (*first, *last)), ..group.state.clone() })
    }

    fn close(&self) -> Result<(), LogLost> {
        Ok(())
    }
}

trait Groups {
    fn write(&mut self, write: Write);
}

impl Groups for BTreeMap<u32, Group> {
    fn write(&mut self, write: Write) {
        match write {
            Write::Append { group, first, entries } => {
                self.entry(group).or_default().entries.extend((first..).zip(entries));
            }
            Write::Vote { group, vote } => self.entry(group).or_default().state.vote = Some(vote),
            Write::Committed { group, log_id } => self.entry(group).or_default().state.committed = Some(log_id),
            Write::Truncate { group, from } => {
                self.entry(group).or_default().entries.split_off(&from);
            }
            Write::Purge { group, upto } => {
                let group = self.entry(group).or_default();
                group.entries = group.entries.split_off(&(upto.log_index + 1));
                group.state.purged = Some(upto);
            }
            Write::Remove { group, vote, promised } => {
                let state = GroupState { vote, promised, ..GroupState::default() };
                self.insert(group, Group { state, entries: BTreeMap::new() });
            }
        }
    }
}
