//! A log device that takes its time to sync, and forgets what was not synced when the power goes.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use raftlog::{Completion, GroupState, LogDevice, LogLost, MemoryDevice, Write};
use stdx::{Clock, Rng, Tasks};

use crate::{Coverage, Event, Mistake};

/// The device of a machine. What was synced survives; handles on it die with the process that has them.
#[derive(Clone)]
pub struct SimLog(Arc<Hardware>);

struct Hardware {
    state: Mutex<State>,
    clock: Clock,
    rng: Rng,
    tasks: Tasks,
    coverage: Coverage,
}

struct State {
    /// How often the power came on.
    boot: u64,
    /// What a process sees: everything that was written.
    seen: MemoryDevice,
    /// What survives.
    durable: MemoryDevice,
    /// What was written and is not durable yet, in order.
    pending: VecDeque<Pending>,
    is_syncing: bool,
    /// How long a sync takes, at least and at most.
    latency: [Duration; 2],
    failure: Option<io::ErrorKind>,
    mistake: Mistake,
    /// Groups whose durable log has a hole, or entries that were dropped, and where.
    holes: BTreeMap<u32, String>,
    /// The term that each group was seen in while nothing was pending.
    terms: BTreeMap<u32, u64>,
}

struct Pending {
    write: Write,
    /// Whom to tell; nobody if it was reported already, by mistake.
    done: Option<Completion>,
}

impl Pending {
    fn end(self, outcome: io::Result<()>) {
        if let Some(done) = self.done {
            done(outcome);
        }
    }
}

/// When writes reach the disk that nobody syncs, at the earliest and at the latest.
const SOME_DAY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

impl SimLog {
    /// An empty device that syncs at once.
    pub fn new(clock: Clock, rng: Rng, coverage: Coverage, mistake: Mistake) -> Self {
        let state = State {
            boot: 0,
            seen: MemoryDevice::new(),
            durable: MemoryDevice::new(),
            pending: VecDeque::new(),
            is_syncing: false,
            latency: [Duration::ZERO; 2],
            failure: None,
            mistake,
            holes: BTreeMap::new(),
            terms: BTreeMap::new(),
        };
        Self(Arc::new(Hardware { state: Mutex::new(state), clock, rng, tasks: Tasks::new(), coverage }))
    }

    /// From now on a sync takes so long.
    pub fn set_latency(&self, least: Duration, most: Duration) {
        self.0.state.lock().latency = [least, most];
    }

    /// From now on every write fails, until the power goes.
    pub fn fail(&self, kind: io::ErrorKind) {
        self.0.state.lock().failure = Some(kind);
    }

    /// The power goes: of what was not synced a part from the beginning survives, and the last of it may be torn.
    pub fn power_off(&self) {
        let mut state = self.0.state.lock();
        state.boot += 1;
        state.is_syncing = false;
        let lost = std::mem::take(&mut state.pending);
        // What comes after a write that failed fails, too.
        let most = if state.failure.take().is_some() { 0 } else { lost.len() };
        let kept = self.0.rng.below(most as u64 + 1) as usize;
        if kept < lost.len() {
            self.0.coverage.note(Event::UnsyncedLost);
        }
        lost.iter().take(kept).for_each(|pending| state.settle(pending.write.clone()));
        if kept < most
            && let Some(Pending { write: Write::Append { group, first, entries }, .. }) = lost.get(kept)
        {
            let whole = self.0.rng.below(entries.len() as u64 + 1) as usize;
            self.0.coverage.note(Event::TornWrite);
            state.settle(Write::Append { group: *group, first: *first, entries: entries[..whole].to_vec() });
        }
        state.seen = state.durable.clone();
        drop(state);
        lost.into_iter().for_each(|pending| pending.end(Err(no_power())));
    }

    /// The process that has it ends: what it wrote is on its way and arrives, but nobody hears of it.
    pub fn process_ends(&self) {
        let mut state = self.0.state.lock();
        state.boot += 1;
        state.is_syncing = false;
        let lost = std::mem::take(&mut state.pending);
        if state.failure.take().is_none() {
            lost.iter().for_each(|pending| state.settle(pending.write.clone()));
        }
        state.seen = state.durable.clone();
        drop(state);
        lost.into_iter().for_each(|pending| pending.end(Err(no_power())));
    }

    /// The device as a process sees it that starts now.
    pub fn open(&self) -> Arc<dyn LogDevice> {
        Arc::new(Handle { device: self.clone(), boot: self.0.state.lock().boot })
    }

    fn submit(&self, boot: u64, write: Write, done: Completion) {
        let mut state = self.0.state.lock();
        if let Some(kind) = state.failure.filter(|_| state.boot == boot) {
            drop(state);
            return done(Err(io::Error::new(kind, "the disk fails")));
        }
        if state.boot != boot {
            drop(state);
            return done(Err(no_power()));
        }
        state.seen.submit(write.clone(), Box::new(drop));
        if state.latency[1].is_zero() {
            state.settle(write);
            drop(state);
            return done(Ok(()));
        }
        if state.mistake.reports_before_sync(&write) {
            self.write_some_day(&mut state, write);
            drop(state);
            return done(Ok(()));
        }
        state.pending.push_back(Pending { write, done: Some(done) });
        self.start_sync(&mut state);
    }

    /// What nobody waits for is synced when the system comes round to it: a vote alone, as if it lay in a file of its own,
    /// anything else in its turn.
    fn write_some_day(&self, state: &mut State, write: Write) {
        let vote = matches!(write, Write::Vote { .. }).then(|| write.clone());
        if vote.is_none() {
            state.pending.push_back(Pending { write, done: None });
        }
        let (device, boot) = (self.clone(), state.boot);
        let some_day = self.0.rng.duration(SOME_DAY[0], SOME_DAY[1]);
        self.0.tasks.spawn("lazy-sync", async move {
            device.0.clock.sleep(some_day).await;
            let mut state = device.0.state.lock();
            if state.boot == boot {
                vote.into_iter().for_each(|vote| state.settle(vote));
                device.sync_all(&mut state);
            }
        });
    }

    fn start_sync(&self, state: &mut State) {
        if state.pending.iter().any(|pending| pending.done.is_some() && pending.write.must_be_durable()) {
            self.sync_all(state);
        }
    }

    fn sync_all(&self, state: &mut State) {
        if state.is_syncing {
            return;
        }
        state.is_syncing = true;
        let (device, boot, count) = (self.clone(), state.boot, state.pending.len());
        let latency = self.0.rng.duration(state.latency[0], state.latency[1]);
        self.0.tasks.spawn("sync", async move {
            device.0.clock.sleep(latency).await;
            device.end_sync(boot, count);
        });
    }

    fn end_sync(&self, boot: u64, count: usize) {
        let mut state = self.0.state.lock();
        if state.boot != boot {
            return;
        }
        state.is_syncing = false;
        let synced: Vec<_> = state.pending.drain(..count).collect();
        let outcome = state.failure;
        if outcome.is_none() {
            synced.iter().for_each(|pending| state.settle(pending.write.clone()));
        }
        self.start_sync(&mut state);
        drop(state);
        for pending in synced {
            pending.end(outcome.map_or(Ok(()), |kind| Err(io::Error::new(kind, "the disk fails"))));
        }
    }

    /// Notes that a replica is in `term`.
    ///
    /// # Errors
    /// If it was seen in a later term, which therefore was not on the disk when the process ended.
    pub(crate) fn witness(&self, group: u32, term: u64) -> Result<(), u64> {
        let mut state = self.0.state.lock();
        if let Some(seen) = state.terms.get(&group).filter(|seen| **seen > term) {
            return Err(*seen);
        }
        // What is on its way to the disk may be lost yet.
        if state.failure.is_none() && state.pending.iter().all(|pending| pending.done.is_none()) {
            state.terms.insert(group, term);
        }
        Ok(())
    }

    /// What is wrong with the durable logs of groups.
    pub(crate) fn holes(&self) -> Vec<String> {
        self.0.state.lock().holes.values().cloned().collect()
    }
}

impl State {
    fn settle(&mut self, write: Write) {
        match &write {
            Write::Append { group, first, .. } => self.check_append(*group, *first),
            // Of one that begins anew. A replica that is only taken away stays in its term.
            Write::Remove { group, vote: None, .. } => drop(self.terms.remove(group)),
            _ => {}
        }
        if !self.mistake.forgets(&write) {
            self.durable.submit(write, Box::new(drop));
        }
    }

    /// Entries follow each other: whoever writes others in their place truncates the log before.
    fn check_append(&mut self, group: u32, first: u64) {
        let Ok(known) = self.durable.state(group) else { return };
        let last = known.entries.map(|(_, last)| last).max(known.purged.map(|purged| purged.log_index));
        if last.is_some_and(|last| first != last + 1) {
            let what = format!("the log of group {group} ends at {last:?}, and goes on at {first}");
            self.holes.insert(group, what);
        }
    }
}

struct Handle {
    device: SimLog,
    boot: u64,
}

impl Handle {
    fn read<T>(&self, read: impl FnOnce(&MemoryDevice) -> io::Result<T>) -> io::Result<T> {
        let state = self.device.0.state.lock();
        if state.boot == self.boot { read(&state.seen) } else { Err(no_power()) }
    }
}

impl LogDevice for Handle {
    fn submit(&self, write: Write, done: Completion) {
        self.device.submit(self.boot, write, done);
    }

    fn entries(&self, group: u32, range: Range<u64>, limit_bytes: usize) -> io::Result<Vec<Bytes>> {
        self.read(|seen| seen.entries(group, range, limit_bytes))
    }

    fn state(&self, group: u32) -> io::Result<GroupState> {
        self.read(|seen| seen.state(group))
    }

    fn close(&self) -> Result<(), LogLost> {
        Ok(())
    }
}

/// What a process gets that goes on after its machine has lost power.
pub(crate) fn no_power() -> io::Error {
    io::Error::other("the machine has no power")
}
