//! The log of one group, as openraft sees it.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use prost::Message;
use proto::raft;
use stdx::CpuPool;

use crate::device::{GroupState, LogDevice, Write};
use crate::types::{Entry, LogId, TypeConfig, Vote};
use crate::wire::{
    entry_from_proto, entry_to_proto, log_id_from_proto, log_id_to_proto, vote_from_proto, vote_to_proto,
};

/// Entries of a group that stay in memory although the device has them, in bytes of payload. Enough for a follower that
/// is a second behind.
const TAIL_BYTES: usize = 1 << 20;
/// The most that one read gives, in bytes of payload: one message on the wire, one step of apply.
const READ_BYTES: usize = 1 << 20;

/// The log of one group.
#[derive(Clone)]
pub struct GroupLog {
    group: u32,
    device: Arc<dyn LogDevice>,
    /// Runs reads of the device, which block.
    reads: CpuPool,
    state: Arc<Mutex<State>>,
}

/// Reads a group's log.
pub type GroupLogReader = GroupLog;

#[derive(Debug, Default)]
struct State {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    promised: Option<LogId>,
    /// The index of the first entry; meaningless while there is none.
    first: u64,
    last: Option<LogId>,
    tail: Tail,
}

/// The last entries of the log; all that the device may not have yet are among them.
#[derive(Debug, Default)]
struct Tail {
    entries: VecDeque<(Entry, u64)>, // With the number of the write that brings them to the device.
    bytes: usize,
    writes_submitted: u64,
    writes_done: u64,
}

impl GroupLog {
    /// Opens the log of `group`, empty if the device has none.
    ///
    /// # Errors
    /// If reading the device fails or its last entry does not decode. Blocks.
    pub fn open(group: u32, device: Arc<dyn LogDevice>, reads: CpuPool) -> io::Result<Self> {
        let stored = device.state(group)?;
        let purged = stored.purged.as_ref().map(log_id_from_proto);
        let last = last_log_id(&*device, group, &stored)?;
        let state = State {
            vote: stored.vote.as_ref().map(vote_from_proto),
            committed: stored.committed.as_ref().map(log_id_from_proto),
            purged,
            promised: stored.promised.as_ref().map(log_id_from_proto),
            first: stored.entries.map_or(0, |(first, _)| first),
            last,
            tail: Tail::default(),
        };
        Ok(Self { group, device, reads, state: Arc::new(Mutex::new(state)) })
    }

    /// Lets a leader that comes back be one that was voted for, and leads no more; says whether `own` was the leader.
    ///
    /// It may have sent entries to others that did not reach its own disk. Led it on in the same term, other entries would get
    /// their log ids, and nobody would notice that logs differ.
    pub fn resign(&self, own: u64) -> bool {
        let mut state = self.state.lock();
        let Some(vote) = state.vote.as_mut().filter(|vote| vote.committed && vote.leader_id.voted_for == own) else {
            return false;
        };
        vote.committed = stdx::makes_mistake("lead on after a restart");
        true
    }

    /// The last entry that this node had acknowledged when the group was removed from it; `None` if the log has it again.
    pub fn promised(&self) -> Option<LogId> {
        let state = self.state.lock();
        state.promised.filter(|promised| state.last < Some(*promised))
    }

    /// The entries in `range` that exist, in order; at least one if there is one, and about [`READ_BYTES`] at the most.
    async fn read(&self, range: Range<u64>) -> io::Result<Vec<Entry>> {
        let on_device = {
            let state = self.state.lock();
            let start = range.start.max(state.first);
            let end = range.end.min(state.last.map_or(0, |last| last.index() + 1));
            let tail_start = state.tail.first_index().unwrap_or(end);
            if start >= tail_start.min(end) {
                return Ok(state.tail.copy(start..end));
            }
            start..tail_start.min(end)
        };
        let (group, device, first) = (self.group, self.device.clone(), on_device.start);
        let stored = self.reads.run(move || device.entries(group, on_device, READ_BYTES)).await?;
        if stored.is_empty() {
            return Err(missing(group, first));
        }
        (first..).zip(stored).map(|(log_index, bytes)| decode(group, log_index, bytes)).collect()
    }
}

impl RaftLogReader<TypeConfig> for GroupLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let Range { mut start, end } = half_open(&range);
        let mut entries = Vec::new();
        while start < end {
            let part = self.read(start..end).await?;
            let Some(last) = part.last() else { break };
            start = last.log_id.index() + 1;
            entries.extend(part);
        }
        Ok(entries)
    }

    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        // A replay may be longer than memory: read it in steps.
        let log = self.clone();
        let steps = futures::stream::try_unfold(half_open(&range), move |rest| {
            let log = log.clone();
            async move {
                let entries = log.read(rest.clone()).await?;
                let next = entries.last().map(|last| last.log_id.index() + 1..rest.end);
                Ok::<_, io::Error>(next.map(|next| (futures::stream::iter(entries.into_iter().map(Ok)), next)))
            }
        });
        Box::pin(steps.try_flatten())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start..end).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.state.lock().vote)
    }
}

impl RaftLogStorage<TypeConfig> for GroupLog {
    type LogReader = GroupLogReader;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.state.lock();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> GroupLogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.device.write(Write::Vote { group: self.group, vote: vote_to_proto(vote) }).await?;
        self.state.lock().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(committed) = committed else { return Ok(()) };
        self.state.lock().committed = Some(committed);
        let write = Write::Committed { group: self.group, log_id: log_id_to_proto(&committed) };
        // Losing this mark costs a restart some time and nothing else; a device that failed says so at the next append.
        self.device.submit(write, Box::new(drop));
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.state.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut encoded = Vec::new();
        let mut first = None;
        let write_number = {
            let mut state = self.state.lock();
            state.tail.writes_submitted += 1;
            let number = state.tail.writes_submitted;
            for entry in entries {
                first.get_or_insert(entry.log_id.index());
                if state.last == state.purged {
                    state.first = entry.log_id.index();
                }
                encoded.push(Bytes::from(entry_to_proto(&entry).encode_to_vec()));
                state.last = Some(entry.log_id);
                state.tail.push(entry, number);
            }
            number
        };
        let state = self.state.clone();
        let done = move |result: io::Result<()>| {
            if result.is_ok() {
                state.lock().tail.written(write_number);
            }
            callback.io_completed(result);
        };
        match first {
            Some(first) => {
                self.device.submit(Write::Append { group: self.group, first, entries: encoded }, Box::new(done));
            }
            None => done(Ok(())),
        }
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        let from = last_log_id.map_or(0, |last| last.index() + 1);
        {
            let mut state = self.state.lock();
            state.tail.truncate(from);
            state.last = state.last.min(last_log_id).max(state.purged);
        }
        self.device.write(Write::Truncate { group: self.group, from }).await
    }

    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        {
            let mut state = self.state.lock();
            state.tail.purge(log_id.index());
            state.purged = Some(log_id);
            state.first = log_id.index() + 1;
            state.last = state.last.max(Some(log_id));
        }
        let write = Write::Purge { group: self.group, upto: log_id_to_proto(&log_id) };
        self.device.submit(write, Box::new(drop));
        Ok(())
    }
}

impl Tail {
    fn first_index(&self) -> Option<u64> {
        self.entries.front().map(|(entry, _)| entry.log_id.index())
    }

    fn push(&mut self, entry: Entry, write_number: u64) {
        self.bytes += payload_bytes(&entry);
        self.entries.push_back((entry, write_number));
    }

    /// Notes that the device has everything up to this write, and lets go of what is too much.
    fn written(&mut self, write_number: u64) {
        self.writes_done = self.writes_done.max(write_number);
        while self.bytes > TAIL_BYTES
            && let Some((entry, number)) = self.entries.front()
            && *number <= self.writes_done
        {
            self.bytes -= payload_bytes(entry);
            self.entries.pop_front();
        }
    }

    fn truncate(&mut self, from: u64) {
        while let Some((entry, _)) = self.entries.back()
            && entry.log_id.index() >= from
        {
            self.bytes -= payload_bytes(entry);
            self.entries.pop_back();
        }
    }

    fn purge(&mut self, upto: u64) {
        while let Some((entry, _)) = self.entries.front()
            && entry.log_id.index() <= upto
        {
            self.bytes -= payload_bytes(entry);
            self.entries.pop_front();
        }
    }

    /// The entries in `range`, which begins in the tail; fewer when they are larger than [`READ_BYTES`].
    fn copy(&self, range: Range<u64>) -> Vec<Entry> {
        let skipped = self.first_index().map_or(0, |first| range.start.saturating_sub(first));
        let mut bytes = 0;
        let mut copied = Vec::new();
        for (entry, _) in self.entries.iter().skip(skipped as usize) {
            if entry.log_id.index() >= range.end || (bytes > 0 && bytes + payload_bytes(entry) > READ_BYTES) {
                break;
            }
            bytes += payload_bytes(entry);
            copied.push(entry.clone());
        }
        copied
    }
}

/// What an entry weighs in the tail, never 0.
fn payload_bytes(entry: &Entry) -> usize {
    const OVERHEAD: usize = 64;
    match &entry.payload {
        openraft::EntryPayload::Normal(command) => command.0.len() + OVERHEAD,
        _ => OVERHEAD,
    }
}

fn decode(group: u32, log_index: u64, bytes: Bytes) -> io::Result<Entry> {
    let corrupt = |what: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("entry {log_index} of group {group} is corrupt: {what}"))
    };
    let message = raft::Entry::decode(bytes).map_err(|error| corrupt(error.to_string()))?;
    if message.log_index != log_index {
        return Err(corrupt(format!("it says it is entry {}", message.log_index)));
    }
    entry_from_proto(message).map_err(|error| corrupt(error.to_string()))
}

/// The last entry that a device has of a group, or has purged.
pub(crate) fn last_log_id(device: &dyn LogDevice, group: u32, stored: &GroupState) -> io::Result<Option<LogId>> {
    let Some((_, log_index)) = stored.entries else { return Ok(stored.purged.as_ref().map(log_id_from_proto)) };
    let entries = device.entries(group, log_index..log_index + 1, 0)?;
    let bytes = entries.into_iter().next().ok_or_else(|| missing(group, log_index))?;
    Ok(Some(decode(group, log_index, bytes)?.log_id))
}

fn missing(group: u32, log_index: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("entry {log_index} of group {group} is missing from the log"))
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}
