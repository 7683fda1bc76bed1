//! Records on their way, and what becomes of them.

use model::Slot;
use prost::Message;
use proto::entry::{Outcome, Record, RecordAnswer};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A record to be delivered.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where it belongs.
    pub slot: Slot,
    /// The record.
    pub record: Record,
    /// How many samples it has, for the count of what was dropped.
    pub samples: u32,
}

/// What became of a record: the answer of its shard, or why there is none.
pub type Delivery = Result<RecordAnswer, Dropped>;

/// Why a record was given up. It may be stored all the same if it was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// The buffer was full, and this was the oldest record.
    #[error("the buffer was full")]
    BufferFull,
    /// The record is larger than any shard takes.
    #[error("the record is too large")]
    TooLarge,
    /// Nobody has said yet which shard owns what.
    #[error("no shard map is known")]
    NoShardMap,
    /// The distributor was stopped before the record could be delivered.
    #[error("the distributor was stopped")]
    Stopped,
}

impl Dropped {
    /// The word in metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::BufferFull => "buffer_full",
            Self::TooLarge => "too_large",
            Self::NoShardMap => "no_shard_map",
            Self::Stopped => "stopped",
        }
    }
}

/// What a record takes in memory beside its contents, here and with whoever waits for its answer.
const RECORD_OVERHEAD: usize = 1 << 10;

/// How the shard of a record was chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routed {
    /// Where it belongs; `None`: its series may belong to several slots.
    pub(crate) slot: Option<Slot>,
    /// The version of the map.
    pub(crate) by: u64,
}

/// A record that waits for its answer.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) routed: Routed,
    pub(crate) record: Record,
    pub(crate) samples: u32,
    /// As it is sent.
    pub(crate) bytes: usize,
    /// When it came.
    pub(crate) since: Instant,
    answer: oneshot::Sender<Delivery>,
}

impl Waiting {
    pub(crate) fn new(
        routed: Routed,
        record: Record,
        samples: u32,
        since: Instant,
    ) -> (Self, oneshot::Receiver<Delivery>) {
        let (answer, delivery) = oneshot::channel();
        let bytes = record.encoded_len();
        (Self { routed, record, samples, bytes, since, answer }, delivery)
    }

    /// What it takes in memory, about.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes + RECORD_OVERHEAD
    }

    /// Tells whoever sent the record what became of it. Nobody may be listening any more.
    pub(crate) fn finish(self, delivery: Delivery) {
        let _ = self.answer.send(delivery);
    }
}

/// Records that are sent together, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Waiting>,
    /// As they are sent.
    pub(crate) bytes: usize,
}

impl Batch {
    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes;
        self.records.push(waiting);
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.records.iter().map(Waiting::held_bytes).sum()
    }

    /// The records as they are sent. Their payloads are shared, not copied.
    pub(crate) fn to_records(&self) -> Vec<Record> {
        self.records.iter().map(|waiting| waiting.record.clone()).collect()
    }

    /// Takes the records out whose slots another shard has by now, and their answers.
    pub(crate) fn take_moved(&mut self, answers: &mut Vec<RecordAnswer>) -> Vec<Waiting> {
        let mut moved = Vec::new();
        let has_moved = |answer: &RecordAnswer| answer.outcome() == Outcome::Moved;
        if !answers.iter().any(has_moved) {
            return moved;
        }
        let outcomes: Vec<bool> = answers.iter().map(has_moved).collect();
        let mut outcomes = outcomes.into_iter().chain(std::iter::repeat(false));
        answers.retain(|answer| !has_moved(answer));
        for waiting in std::mem::take(&mut self.records) {
            if outcomes.next().unwrap_or(false) {
                self.bytes -= waiting.bytes;
                moved.push(waiting);
            } else {
                self.records.push(waiting);
            }
        }
        moved
    }

    /// Passes the answers of a shard on.
    pub(crate) fn finish(self, answers: Vec<RecordAnswer>) {
        let missing = || RecordAnswer {
            outcome: Outcome::Malformed.into(),
            reason: "the shard answered for fewer records than it was sent".to_owned(),
            ..RecordAnswer::default()
        };
        let answers = answers.into_iter().chain(std::iter::repeat_with(missing));
        for (waiting, answer) in self.records.into_iter().zip(answers) {
            waiting.finish(Ok(answer));
        }
    }
}
