//! A log device that takes its time to sync, and forgets what was not synced when the power goes.

use std::collections::VecDeque;
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
    pending: VecDeque<(Write, Completion)>,
    is_syncing: bool,
    /// How long a sync takes, at least and at most.
    latency: [Duration; 2],
    failure: Option<io::ErrorKind>,
    mistake: Mistake,
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
        let lost: Vec<Completion> = {
            let mut state = self.0.state.lock();
            state.boot += 1;
            (state.is_syncing, state.failure) = (false, None);
            let pending = std::mem::take(&mut state.pending);
            let kept = self.0.rng.below(pending.len() as u64 + 1) as usize;
            if kept < pending.len() {
                self.0.coverage.note(Event::UnsyncedLost);
            }
            let mut completions = Vec::new();
            for (at, (write, done)) in pending.into_iter().enumerate() {
                if at < kept {
                    state.settle(write);
                } else if at == kept
                    && let Write::Append { group, first, mut entries } = write
                {
                    entries.truncate(self.0.rng.below(entries.len() as u64 + 1) as usize);
                    self.0.coverage.note(Event::TornWrite);
                    state.settle(Write::Append { group, first, entries });
                }
                completions.push(done);
            }
            state.seen = state.durable.clone();
            completions
        };
        lost.into_iter().for_each(|done| done(Err(no_power())));
    }

    /// The process that has it ends: what it wrote is on its way and arrives, but nobody hears of it.
    pub fn process_ends(&self) {
        let lost: Vec<Completion> = {
            let mut state = self.0.state.lock();
            state.boot += 1;
            let failed = state.failure.take().is_some();
            state.is_syncing = false;
            let pending = std::mem::take(&mut state.pending);
            let mut completions = Vec::new();
            for (write, done) in pending {
                if !failed {
                    state.settle(write);
                }
                completions.push(done);
            }
            state.seen = state.durable.clone();
            completions
        };
        lost.into_iter().for_each(|done| done(Err(no_power())));
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
            state.pending.push_back((write, Box::new(drop)));
            self.sync_some_day(&state);
            drop(state);
            return done(Ok(()));
        }
        state.pending.push_back((write, done));
        self.start_sync(&mut state);
    }

    /// What nobody waits for is synced when the system comes round to it.
    fn sync_some_day(&self, state: &State) {
        let (device, boot) = (self.clone(), state.boot);
        let some_day = self.0.rng.duration(SOME_DAY[0], SOME_DAY[1]);
        self.0.tasks.spawn("lazy-sync", async move {
            device.0.clock.sleep(some_day).await;
            let mut state = device.0.state.lock();
            if state.boot == boot {
                device.start_sync(&mut state);
            }
        });
    }

    fn start_sync(&self, state: &mut State) {
        if state.is_syncing || !state.pending.iter().any(|(write, _)| write.must_be_durable()) {
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
        let mut completions = Vec::new();
        for (write, done) in synced {
            if outcome.is_none() {
                state.settle(write);
            }
            completions.push(done);
        }
        self.start_sync(&mut state);
        drop(state);
        for done in completions {
            done(outcome.map_or(Ok(()), |kind| Err(io::Error::new(kind, "the disk fails"))));
        }
    }
}

impl State {
    fn settle(&self, write: Write) {
        if !self.mistake.forgets(&write) {
            self.durable.submit(write, Box::new(drop));
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

    fn groups(&self) -> io::Result<Vec<u32>> {
        self.read(|seen| seen.groups())
    }

    fn close(&self) -> Result<(), LogLost> {
        Ok(())
    }
}

/// What a process gets that goes on after its machine has lost power.
pub(crate) fn no_power() -> io::Error {
    io::Error::other("the machine has no power")
}
