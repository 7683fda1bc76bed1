//! Entries → head.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use consensus::{SnapshotReader, SnapshotWriter, StateMachine, TooNew};
use head::{Answer, Head, HeadLimits, HeadView, Outcome, SegmentError, SegmentFile, SlotPiece};
use model::{SLOT_COUNT, Slot, TenantId};
use parking_lot::Mutex;
use prost::Message;
use proto::entry::entry::Entry as Command;
use proto::entry::record::Record as Body;
use proto::{entry, raft};

use crate::decode;

/// The stems and endings of the files of a snapshot.
const SEGMENT: (&str, &str) = ("segment", "seg");
const OPEN: (&str, &str) = ("open", "head");

/// The state of a data shard.
#[derive(Clone, Debug)]
pub struct ShardMachine {
    head: Head,
    /// The state as of the last digest entry, until somebody takes it. No part of the state.
    marked: Arc<Mutex<Option<Mark>>>,
}

/// The state as of an entry that asked for a digest.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The entry.
    pub log_index: u64,
    head: HeadView,
}

impl Mark {
    /// A hash of the state: the same on all replicas. Takes a walk over the state.
    pub fn digest(&self) -> u128 {
        self.head.digest()
    }
}

/// The state of a data shard at one moment. Cheap to make and to keep.
#[derive(Clone, Debug)]
pub struct ShardView {
    head: HeadView,
    marked: Arc<Mutex<Option<Mark>>>,
}

impl ShardView {
    /// The state as of the last entry that asked for a digest, for whoever is the first to take it.
    pub fn take_mark(&self) -> Option<Mark> {
        self.marked.lock().take()
    }
}

impl Deref for ShardView {
    type Target = HeadView;

    fn deref(&self) -> &HeadView {
        &self.head
    }
}

impl ShardMachine {
    /// A shard without data. Every replica must begin with the same limits: those of the cluster's birth.
    pub fn new(limits: HeadLimits) -> Self {
        Self { head: Head::new(limits), marked: Arc::default() }
    }

    fn batch(&mut self, batch: &entry::Batch) -> Vec<entry::RecordAnswer> {
        let answer = |record| self.record(record, batch.feature_level).unwrap_or_else(Answer::malformed);
        batch.records.iter().map(answer).map(answer_to_proto).collect()
    }

    fn record(&mut self, record: &entry::Record, feature_level: u32) -> Result<Answer, String> {
        let tenant = TenantId::new(&record.tenant);
        let tenant = tenant.ok_or_else(|| format!("{:?} is no name of a tenant", record.tenant))?;
        let verdict = record.verdict.as_ref();
        if verdict.is_some_and(|verdict| verdict.too_new) {
            return Ok(Answer { outcome: Outcome::TooNew, ..Answer::default() });
        }
        let refuse_new = verdict.map(|verdict| verdict.refuse_new_series.as_str()).filter(|why| !why.is_empty());
        let refuse_new: Option<Arc<str>> = refuse_new.map(Into::into);
        match &record.record {
            Some(Body::Scrape(scrape)) => {
                let row = decode::scrape(scrape, refuse_new, feature_level)?;
                Ok(self.head.append_scrape(&tenant, &row))
            }
            Some(Body::Samples(samples)) => {
                let pushed = decode::decode_samples(samples)?;
                Ok(self.head.append_pushed(&tenant, &pushed, refuse_new.as_ref()))
            }
            None => Err("this version does not know what it is".to_owned()),
        }
    }

    fn command(&mut self, log_index: u64, command: &Command) -> Vec<entry::RecordAnswer> {
        let changed = match command {
            Command::Batch(batch) => return self.batch(batch),
            Command::Fence(fence) => match slot_of(fence.slot) {
                Ok(slot) => self.head.fence(slot, fence.r#move),
                Err(why) => return vec![answer_to_proto(Answer::malformed(why))],
            },
            Command::Adopt(piece) => match self.adopt(piece) {
                Ok(changed) => changed,
                Err(why) => return vec![answer_to_proto(Answer::malformed(why))],
            },
            Command::Cut(cut) => self.head.cut(cut.cut, cut.end_ms),
            Command::Shipped(shipped) => {
                self.head.shipped(shipped.cut, shipped.catalog_version, shipped.drop_before_ms)
            }
            Command::Limits(limits) => {
                self.head.set_limits(HeadLimits {
                    window_ms: limits.block_window_ms.max(1),
                    tick_window_ms: limits.tick_window_ms,
                    out_of_order_ms: limits.out_of_order_window_ms,
                    max_exemplars: limits.max_exemplars,
                });
                true
            }
            Command::Digest(entry::Digest {}) => {
                *self.marked.lock() = Some(Mark { log_index, head: self.head.view() });
                true
            }
        };
        let outcome = if changed { Outcome::Stored } else { Outcome::Duplicate };
        vec![answer_to_proto(Answer { outcome, ..Answer::default() })]
    }

    fn adopt(&mut self, adopt: &entry::Adopt) -> Result<bool, String> {
        let piece = SlotPiece {
            by: adopt.r#move,
            slot: slot_of(adopt.slot)?,
            export: adopt.export,
            piece: adopt.piece,
            pieces: adopt.pieces,
            travelling: &adopt.travelling,
        };
        self.head.adopt(&piece).map_err(|error| error.to_string())
    }
}

fn slot_of(number: u32) -> Result<Slot, String> {
    let slot = u16::try_from(number).ok().filter(|slot| *slot < SLOT_COUNT);
    slot.map(Slot).ok_or_else(|| format!("there is no slot {number}"))
}

impl StateMachine for ShardMachine {
    type View = ShardView;

    fn apply(&mut self, log_index: u64, command: Bytes) -> Result<Bytes, TooNew> {
        let records = match entry::Entry::decode(command) {
            Ok(entry::Entry { entry: Some(command) }) => self.command(log_index, &command),
            Ok(_) => return Err(TooNew { log_index, what: "a kind of entry of a shard".to_owned() }),
            Err(error) => vec![answer_to_proto(Answer::malformed(format!("the entry does not decode: {error}")))],
        };
        Ok(entry::Answer { records }.encode_to_vec().into())
    }

    fn view(&self) -> ShardView {
        ShardView { head: self.head.view(), marked: self.marked.clone() }
    }

    fn save(view: &ShardView, files: &mut SnapshotWriter<'_>) -> io::Result<()> {
        for segment in view.segments() {
            if let Some(file) = segment.file() {
                files.keep(&snapshot_file(file));
                continue;
            }
            let parts = segment.to_file();
            let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
            let (file, mapped) = files.put(&format!("{}-{:08}", SEGMENT.0, segment.number()), SEGMENT.1, &parts)?;
            segment.saved(segment_file(&file)?, &mapped);
        }
        files.put(OPEN.0, OPEN.1, &[&view.open_file()]).map(drop)
    }

    fn install(&mut self, files: &SnapshotReader<'_>) -> io::Result<()> {
        let Some((open, segments)) = files.files().split_last() else {
            return Err(invalid("a snapshot of a shard has at least one file"));
        };
        let open = files.read(open)?;
        let segment = |name: &str| -> Result<(SegmentFile, Bytes), SegmentError> {
            let damaged = |error: io::Error| SegmentError::Damaged(error.to_string());
            let file = segments.iter().find(|file| file.name == name);
            let file = file.ok_or_else(|| SegmentError::Damaged(format!("{name} is not in the snapshot")))?;
            Ok((segment_file(file).map_err(damaged)?, files.map(file).map_err(damaged)?))
        };
        self.head = Head::load(&open, segment).map_err(|error| invalid(&error.to_string()))?;
        Ok(())
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn segment_file(file: &raft::SnapshotFile) -> io::Result<SegmentFile> {
    let hash = file.hash[..].try_into().map_err(|_| invalid(&format!("{}: its hash is not of 16 bytes", file.name)))?;
    Ok(SegmentFile { name: file.name.clone(), size_bytes: file.size_bytes, hash: u128::from_be_bytes(hash) })
}

fn snapshot_file(file: &SegmentFile) -> raft::SnapshotFile {
    raft::SnapshotFile {
        name: file.name.clone(),
        size_bytes: file.size_bytes,
        hash: Bytes::copy_from_slice(&file.hash.to_be_bytes()),
    }
}

fn answer_to_proto(answer: Answer) -> entry::RecordAnswer {
    let outcome = match answer.outcome {
        Outcome::Stored => entry::Outcome::Stored,
        Outcome::Duplicate => entry::Outcome::Duplicate,
        Outcome::TooOld => entry::Outcome::TooOld,
        Outcome::TooNew => entry::Outcome::TooNew,
        Outcome::UnknownLayout => entry::Outcome::UnknownLayout,
        Outcome::UnknownReference => entry::Outcome::UnknownReference,
        Outcome::Malformed => entry::Outcome::Malformed,
        Outcome::Superseded => entry::Outcome::Superseded,
        Outcome::Moved => entry::Outcome::Moved,
        Outcome::Split => entry::Outcome::Split,
    };
    entry::RecordAnswer {
        outcome: outcome.into(),
        stored: answer.stored,
        new_series: answer.new_series,
        out_of_order: answer.out_of_order,
        duplicate_timestamp: answer.duplicate_timestamp,
        too_old: answer.too_old,
        refused_series: answer.refused_series,
        refused_exemplars: answer.refused_exemplars,
        reason: answer.reason.map_or_else(String::new, |reason| reason.to_string()),
        parts: answer.parts,
        parts_since_ms: answer.parts_since_ms,
    }
}
