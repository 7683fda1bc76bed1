//! Where records wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use model::ShardId;
use parking_lot::Mutex;
use stdx::Clock;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::batch::{Batch, Dropped, Waiting};
use crate::config::Config;
use crate::metrics::Metrics;

/// Half of what an ingester takes in one message. A larger record would break every stream that it is sent on.
const MAX_RECORD_BYTES: usize = 32 << 20;

/// One of the two lanes of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// News, in order.
    Fresh,
    /// What could not be sent for a while, the newest first.
    Backlog,
}

/// The records of all shards that wait, or are on their way, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Buffer {
    config: Config,
    clock: Clock,
    metrics: Metrics,
    state: Mutex<State>,
    /// Something was taken out.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    shards: BTreeMap<ShardId, Shard>,
    /// Of all records, those on their way included.
    held_bytes: usize,
    records: usize,
    stopped: bool,
}

/// What waits for one shard. Both lanes are ascending by age, the oldest in front.
#[derive(Debug, Default)]
struct Shard {
    fresh: VecDeque<Waiting>,
    fresh_bytes: usize,
    backlog: VecDeque<Waiting>,
    /// Both lanes look again.
    changed: Arc<Notify>,
}

/// What a lane finds when it looks.
enum Look {
    Ready(Batch),
    /// Not before then.
    At(Instant),
    Nothing,
}

impl Buffer {
    pub(crate) fn new(config: Config, clock: Clock, metrics: Metrics) -> Self {
        Self { config, clock, metrics, state: Mutex::default(), emptied: Notify::new() }
    }

    /// Takes a record in, and drops the oldest ones if it would not fit. Returns whether its shard is new here.
    pub(crate) fn push(&self, shard: ShardId, waiting: Waiting) -> bool {
        let mut state = self.state.lock();
        if state.stopped {
            self.give_up(waiting, Dropped::Stopped);
            return false;
        }
        if waiting.bytes > MAX_RECORD_BYTES {
            self.give_up(waiting, Dropped::TooLarge);
            return false;
        }
        let capacity = self.config.buffer.bytes() as usize;
        while state.held_bytes + waiting.held_bytes() > capacity {
            match state.remove_oldest() {
                Some(oldest) => {
                    self.metrics.count_out(oldest.held_bytes(), 1);
                    self.give_up(oldest, Dropped::BufferFull);
                }
                // All that is left is on its way.
                None => {
                    self.give_up(waiting, Dropped::BufferFull);
                    return false;
                }
            }
        }
        state.held_bytes += waiting.held_bytes();
        state.records += 1;
        self.metrics.count_in(&waiting);
        let is_new = !state.shards.contains_key(&shard);
        let lanes = state.shards.entry(shard).or_default();
        lanes.fresh_bytes += waiting.bytes;
        lanes.fresh.push_back(waiting);
        lanes.changed.notify_waiters();
        is_new
    }

    /// Counts a record that is not to be delivered, and tells its sender.
    pub(crate) fn give_up(&self, waiting: Waiting, dropped: Dropped) {
        self.metrics.count_dropped(&waiting, dropped);
        waiting.finish(Err(dropped));
    }

    /// Waits for the next batch of a lane. The caller hands it to [`Self::finish`] or [`Self::give_back`].
    pub(crate) async fn next_batch(&self, shard: ShardId, lane: Lane) -> Batch {
        let changed = self.state.lock().shards.entry(shard).or_default().changed.clone();
        loop {
            // Registered before the look, so that no change in between is missed.
            let change = changed.notified();
            let look = {
                let mut state = self.state.lock();
                let lanes = state.shards.entry(shard).or_default();
                match lane {
                    Lane::Fresh => lanes.look_at_fresh(self.clock.now(), &self.config),
                    Lane::Backlog => lanes.look_at_backlog(&self.config),
                }
            };
            match look {
                Look::Ready(batch) => return batch,
                Look::At(time) => {
                    tokio::select! {
                        () = change => {}
                        () = self.clock.sleep_until(time) => {}
                    }
                }
                Look::Nothing => change.await,
            }
        }
    }

    /// A batch was answered.
    pub(crate) fn finish(&self, batch: Batch, answers: Vec<proto::entry::RecordAnswer>) {
        {
            let mut state = self.state.lock();
            state.held_bytes -= batch.held_bytes();
            state.records -= batch.records.len();
        }
        self.metrics.count_batch_out(&batch);
        answers.iter().for_each(|answer| self.metrics.count_outcome(answer.outcome()));
        batch.finish(answers);
        self.emptied.notify_waiters();
    }

    /// Takes a record in once more that was sent to a shard which has given its slot away, or given up if nobody will send it.
    /// Returns whether its shard is new here.
    pub(crate) fn push_again(&self, shard: ShardId, waiting: Waiting) -> bool {
        let mut state = self.state.lock();
        if state.stopped {
            state.forget(&waiting);
            self.metrics.count_out(waiting.held_bytes(), 1);
            self.give_up(waiting, Dropped::Stopped);
            return false;
        }
        let is_new = !state.shards.contains_key(&shard);
        let lanes = state.shards.entry(shard).or_default();
        lanes.fresh_bytes += waiting.bytes;
        let place = lanes.fresh.partition_point(|other| other.since <= waiting.since);
        lanes.fresh.insert(place, waiting);
        lanes.changed.notify_waiters();
        is_new
    }

    /// A record goes on as others: it is none of its own any more.
    pub(crate) fn replace(&self, waiting: &Waiting) {
        self.state.lock().forget(waiting);
        self.metrics.count_out(waiting.held_bytes(), 1);
        self.emptied.notify_waiters();
    }

    /// A batch could not be sent, and nobody will try again: see [`Self::stop`].
    pub(crate) fn give_back(&self, shard: ShardId, batch: Batch) {
        let mut state = self.state.lock();
        let lanes = state.shards.entry(shard).or_default();
        lanes.fresh_bytes += batch.bytes;
        batch.records.into_iter().rev().for_each(|waiting| lanes.fresh.push_front(waiting));
    }

    /// Waits until every record has its answer.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.state.lock().records == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Drops all records that wait, and those that are still to come.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        while let Some(waiting) = state.remove_oldest() {
            self.metrics.count_out(waiting.held_bytes(), 1);
            self.give_up(waiting, Dropped::Stopped);
        }
    }
}

impl State {
    fn forget(&mut self, waiting: &Waiting) {
        self.held_bytes -= waiting.held_bytes();
        self.records -= 1;
    }

    /// Takes the oldest record out that is not on its way.
    fn remove_oldest(&mut self) -> Option<Waiting> {
        // Some hundred looks at the most, and only when the buffer is full.
        let oldest = self.shards.values_mut().filter(|shard| shard.oldest().is_some());
        let shard = oldest.min_by_key(|shard| shard.oldest())?;
        let waiting = match shard.backlog.pop_front() {
            Some(waiting) => waiting,
            None => {
                let waiting = shard.fresh.pop_front()?;
                shard.fresh_bytes -= waiting.bytes;
                waiting
            }
        };
        self.forget(&waiting);
        Some(waiting)
    }
}

impl Shard {
    fn oldest(&self) -> Option<Instant> {
        self.backlog.front().or(self.fresh.front()).map(|waiting| waiting.since)
    }

    /// The next batch of news; what is none any more goes to the backlog.
    fn look_at_fresh(&mut self, now: Instant, config: &Config) -> Look {
        let is_old = |waiting: &Waiting| now.duration_since(waiting.since) >= config.backlog_after;
        let old = self.fresh.iter().take_while(|waiting| is_old(waiting)).count();
        if old > 0 {
            self.fresh_bytes -= self.fresh.iter().take(old).map(|waiting| waiting.bytes).sum::<usize>();
            self.backlog.extend(self.fresh.drain(..old));
            self.changed.notify_waiters();
        }
        let Some(first) = self.fresh.front() else { return Look::Nothing };
        let due = first.since + config.linger;
        if self.fresh_bytes < config.batch.bytes() as usize && now < due {
            return Look::At(due);
        }
        let mut batch = Batch::default();
        while let Some(next) = self.fresh.front() {
            if !batch.records.is_empty() && batch.bytes + next.bytes > config.batch.bytes() as usize {
                break;
            }
            self.fresh_bytes -= next.bytes;
            batch.records.reserve(self.fresh.len().min(64));
            batch.push(self.fresh.pop_front().expect("the queue has a front"));
        }
        // The backlog waits for a lull.
        self.changed.notify_waiters();
        Look::Ready(batch)
    }

    /// The next batch of the backlog. It gives way to news that fill a batch.
    fn look_at_backlog(&mut self, config: &Config) -> Look {
        let limit = config.batch.bytes() as usize;
        if self.backlog.is_empty() || self.fresh_bytes >= limit {
            return Look::Nothing;
        }
        let mut count = 0;
        let mut bytes = 0;
        for waiting in self.backlog.iter().rev() {
            if count > 0 && bytes + waiting.bytes > limit {
                break;
            }
            count += 1;
            bytes += waiting.bytes;
        }
        let records = self.backlog.drain(self.backlog.len() - count..).collect();
        Look::Ready(Batch { records, bytes })
    }
}
