//! Records to entries: what a leader does with what it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use consensus::{Group, ProposeError, Standing};
use model::{NodeId, Slot};
use prost::Message;
use proto::entry;
use proto::entry::entry::Entry as Command;
use proto::entry::record::Record as Body;
use shard::ShardMachine;
use stdx::{Clock, Tasks};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::budget::MemoryBudget;
use crate::loads::{Loads, slot_of};
use crate::metrics::Metrics;
use crate::time::ClusterTime;

/// How long the first record of an entry waits for others to share the entry, and its fsync.
const LINGER: Duration = Duration::from_millis(20);
/// An entry with so many bytes waits no longer.
const ENTRY_BYTES: usize = 256 << 10;
/// How many bytes of records may be on their way through one shard.
const QUEUE_BYTES: usize = 64 << 20;
/// A scrape may be so far ahead of the leader's clock.
const AHEAD_MS: i64 = 30_000;

/// What became of some records.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// They are committed and applied.
    Answered(Vec<entry::RecordAnswer>),
    /// They were not taken; somebody else leads.
    NotLeader(Option<NodeId>),
    /// They may be committed yet, or never.
    Unknown,
    /// There is no room now.
    Busy,
}

struct Request {
    records: Vec<entry::Record>,
    map_epoch: u64,
    bytes: usize,
    reply: oneshot::Sender<Outcome>,
}

/// Gathers records into entries and proposes them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Batcher {
    requests: mpsc::UnboundedSender<Request>,
    queued: Arc<AtomicUsize>,
    /// What comes in while this node leads.
    pub(crate) loads: Arc<Loads>,
}

impl Batcher {
    pub(crate) fn start(
        group: Group<ShardMachine>,
        budget: MemoryBudget,
        metrics: Metrics,
        time: ClusterTime,
        meta: meta::Client,
        tasks: &Tasks,
    ) -> Self {
        let (sender, requests) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let loads: Arc<Loads> = Arc::default();
        let (clock, tasks) = (time.clock(), tasks.clone());
        let batching =
            Batching { group, budget, metrics, clock, time, meta, tasks: tasks.clone(), loads: loads.clone() };
        tasks.spawn_until_stopped("shard-batches", batching.run(requests));
        Self { requests: sender, queued, loads }
    }

    /// Has records committed. Returns when it is known what became of them.
    pub(crate) async fn append(&self, records: Vec<entry::Record>, map_epoch: u64, bytes: usize) -> Outcome {
        let before = self.queued.fetch_add(bytes, Ordering::Relaxed);
        let _room = Room(self, bytes);
        if before + bytes > QUEUE_BYTES {
            return Outcome::Busy;
        }
        let (reply, outcome) = oneshot::channel();
        // Both channels break only when the shard leaves this node.
        match self.requests.send(Request { records, map_epoch, bytes, reply }) {
            Ok(()) => outcome.await.unwrap_or(Outcome::Unknown),
            Err(_) => Outcome::NotLeader(None),
        }
    }
}

/// Bytes that are on their way; given back when dropped.
struct Room<'a>(&'a Batcher, usize);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(self.1, Ordering::Relaxed);
    }
}

struct Batching {
    group: Group<ShardMachine>,
    budget: MemoryBudget,
    metrics: Metrics,
    clock: Clock,
    time: ClusterTime,
    meta: meta::Client,
    tasks: Tasks,
    loads: Arc<Loads>,
}

impl Batching {
    async fn run(self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut led = false;
        while let Some(first) = requests.recv().await {
            let leads = self.group.standing() == Standing::Leader;
            // What comes first to a new leader has waited for it already; who does not lead says so at once.
            let due = self.clock.now() + if led && leads { LINGER } else { Duration::ZERO };
            led = leads;
            let mut bytes = first.bytes;
            let mut batch = vec![first];
            while bytes < ENTRY_BYTES
                && let Some(next) = self.next_before(due, &mut requests).await
            {
                bytes += next.bytes;
                batch.push(next);
            }
            self.propose(batch).await;
        }
    }

    async fn next_before(&self, due: Instant, requests: &mut mpsc::UnboundedReceiver<Request>) -> Option<Request> {
        tokio::select! {
            biased;
            next = requests.recv() => next,
            () = self.clock.sleep_until(due) => None,
        }
    }

    /// Puts an entry into the log, and goes on while it is being committed.
    async fn propose(&self, batch: Vec<Request>) {
        let status = self.group.status();
        if status.standing != Standing::Leader {
            answer_all(batch, || Outcome::NotLeader(status.leader));
            return;
        }
        let slots: Vec<Option<Slot>> = batch.iter().flat_map(|request| &request.records).map(slot_of).collect();
        let (mut counted, command) = self.entry(batch);
        if stdx::makes_mistake("acknowledge before the commit") {
            for (count, reply) in std::mem::take(&mut counted) {
                drop(reply.send(Outcome::Answered(vec![entry::RecordAnswer::default(); count])));
            }
        }
        self.metrics.entries.inc();
        self.metrics.entry_bytes.inc_by(command.len() as u64);
        match self.group.submit(command).await {
            Ok(outcome) => {
                let measuring = (self.loads.clone(), slots);
                self.tasks.spawn("shard-entry", async move {
                    answer(counted, outcome.await.map(|done| done.answer), Some(&measuring));
                });
            }
            Err(error) => answer(counted, Err(error), None),
        }
    }

    /// One entry of all the records, with the verdicts on them.
    fn entry(&self, batch: Vec<Request>) -> (Vec<(usize, oneshot::Sender<Outcome>)>, Bytes) {
        let known_ms = self.time.known_ms();
        let map_epoch = batch.iter().map(|request| request.map_epoch).max().unwrap_or(0);
        let mut counted = Vec::with_capacity(batch.len());
        let mut records = Vec::new();
        for request in batch {
            counted.push((request.records.len(), request.reply));
            records.extend(request.records.into_iter().map(|mut record| {
                // Verdicts are the leader's: what a client says about them is nothing.
                record.verdict = verdict(&record, known_ms, &self.budget);
                record
            }));
        }
        let feature_level = self.meta.state().feature_level;
        let batch = entry::Batch { map_epoch, wall_ms: self.clock.wall_ms(), records, feature_level };
        (counted, entry::Entry { entry: Some(Command::Batch(batch)) }.encode_to_vec().into())
    }
}

fn verdict(record: &entry::Record, known_ms: Option<i64>, budget: &MemoryBudget) -> Option<entry::Verdict> {
    let too_new = match (&record.record, known_ms) {
        (Some(Body::Scrape(scrape)), Some(now_ms)) => {
            scrape.tick_ms.max(scrape.timestamp_ms) > now_ms.saturating_add(AHEAD_MS)
        }
        // As long as the time is not known, no clock of this node's may refuse what a scraper's says.
        _ => false,
    };
    let refuse_new_series = budget.admit(new_series(record)).err().unwrap_or_default();
    (too_new || !refuse_new_series.is_empty()).then_some(entry::Verdict { refuse_new_series, too_new })
}

/// How many series a record may bring that the shard does not know: those that it says in full.
fn new_series(record: &entry::Record) -> u32 {
    let count = |definition: &Option<entry::LayoutDefinition>| definition.as_ref().map_or(0, |it| it.series_count);
    match &record.record {
        Some(Body::Scrape(scrape)) => {
            let appended = scrape.delta.as_ref().map_or(0, |delta| count(&delta.appended));
            count(&scrape.definition).saturating_add(appended)
        }
        Some(Body::Samples(samples)) => count(&samples.series),
        _ => 0,
    }
}

fn answer_all(batch: Vec<Request>, outcome: impl Fn() -> Outcome) {
    for request in batch {
        // Whoever has stopped waiting repeats, or has gone.
        drop(request.reply.send(outcome()));
    }
}

/// Gives each request its share of an entry's answer, and counts what was stored.
fn answer(
    counted: Vec<(usize, oneshot::Sender<Outcome>)>,
    outcome: Result<Bytes, ProposeError>,
    measuring: Option<&(Arc<Loads>, Vec<Option<Slot>>)>,
) {
    let mut records = match outcome.map(entry::Answer::decode) {
        Ok(Ok(answer)) => {
            if let Some((loads, slots)) = measuring {
                loads.count(slots, &answer.records);
            }
            answer.records.into_iter()
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the answer of a shard does not decode");
            Vec::new().into_iter()
        }
        Err(ProposeError::NotLeader(_, leader)) => {
            counted.into_iter().for_each(|(_, reply)| drop(reply.send(Outcome::NotLeader(leader))));
            return;
        }
        Err(_) if stdx::makes_mistake("take unknown for stored") => {
            vec![entry::RecordAnswer::default(); counted.iter().map(|(count, _)| count).sum()].into_iter()
        }
        Err(_) => Vec::new().into_iter(),
    };
    for (count, reply) in counted {
        let share: Vec<_> = records.by_ref().take(count).collect();
        let outcome = if share.len() == count { Outcome::Answered(share) } else { Outcome::Unknown };
        drop(reply.send(outcome));
    }
}
