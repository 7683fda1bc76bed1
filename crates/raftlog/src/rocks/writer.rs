//! The thread that writes the log.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use prost::Message;
use rocksdb::{DB, WriteBatch, WriteOptions};

use super::synced::SyncedMark;
use super::{COMMITTED, Durability, LOG, LogMetrics, PROMISED, PURGED, STATE, VOTE, handle, log_key, state_key, to_io};
use crate::device::{Completion, Write};
use crate::identity::LogLost;

/// The most bytes that share one sync: more only makes everyone wait longer.
const BATCH_BYTES: usize = 8 << 20;

pub(super) struct Writer {
    db: Arc<DB>,
    mark: SyncedMark,
    durability: Durability,
    metrics: LogMetrics,
    /// What failed. From then on everything fails: what a failed fsync left on the disk is unknown.
    failed: Option<String>,
}

impl Writer {
    pub(super) fn new(db: Arc<DB>, mark: SyncedMark, durability: Durability, metrics: LogMetrics) -> Self {
        Self { db, mark, durability, metrics, failed: None }
    }

    /// Writes what comes until nobody can send any more.
    pub(super) fn run(&mut self, queue: &Receiver<(Write, Completion)>) -> Result<(), LogLost> {
        while let Ok(first) = queue.recv() {
            let mut bytes = first.0.size_bytes();
            let mut waiting = vec![first];
            while bytes < BATCH_BYTES
                && let Ok(next) = queue.try_recv()
            {
                bytes += next.0.size_bytes();
                waiting.push(next);
            }
            self.write_and_report(waiting, bytes);
        }
        if self.failed.is_none() {
            self.write_out().unwrap_or_else(|error| self.failed = Some(error.to_string()));
        }
        self.failed.take().map_or(Ok(()), |failed| Err(LogLost(failed)))
    }

    fn write_and_report(&mut self, waiting: Vec<(Write, Completion)>, bytes: usize) {
        if self.failed.is_none()
            && let Err(error) = self.write(&waiting, bytes)
        {
            tracing::error!(%error, "writing the Raft log failed: this node can't go on");
            self.failed = Some(error.to_string());
        }
        for (_, done) in waiting {
            done(self.failed.clone().map_or(Ok(()), |failed| Err(io::Error::other(failed))));
        }
    }

    fn write(&mut self, waiting: &[(Write, Completion)], bytes: usize) -> io::Result<()> {
        let mut batch = WriteBatch::default();
        for (write, _) in waiting {
            self.add(&mut batch, write)?;
        }
        let durable = waiting.iter().any(|(write, _)| write.must_be_durable());
        let sync = durable && self.durability == Durability::Fsync;
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        #[expect(clippy::disallowed_methods, reason = "how long a disk takes is no part of any outcome")]
        let began = std::time::Instant::now();
        self.db.write_opt(batch, &options).map_err(to_io)?;
        if sync {
            self.metrics.synced(began.elapsed(), waiting.len(), bytes);
            self.mark.advance(self.db.latest_sequence_number())?;
        }
        Ok(())
    }

    fn add(&self, batch: &mut WriteBatch, write: &Write) -> io::Result<()> {
        let (log, state) = (handle(&self.db, LOG)?, handle(&self.db, STATE)?);
        match write {
            Write::Append { group, first, entries } => {
                for (log_index, entry) in (*first..).zip(entries) {
                    batch.put_cf(log, log_key(*group, log_index), entry);
                }
            }
            Write::Vote { group, vote } => batch.put_cf(state, state_key(*group, VOTE), vote.encode_to_vec()),
            Write::Committed { group, log_id } => {
                batch.put_cf(state, state_key(*group, COMMITTED), log_id.encode_to_vec());
            }
            Write::Truncate { group, from } => {
                batch.delete_range_cf(log, log_key(*group, *from), log_key(*group, u64::MAX));
            }
            Write::Purge { group, upto } => {
                batch.delete_range_cf(log, log_key(*group, 0), log_key(*group, upto.log_index + 1));
                batch.put_cf(state, state_key(*group, PURGED), upto.encode_to_vec());
            }
            Write::Remove { group, vote, promised } => {
                batch.delete_range_cf(log, log_key(*group, 0), log_key(*group, u64::MAX));
                let vote = vote.as_ref().map(Message::encode_to_vec);
                let promised = promised.as_ref().map(Message::encode_to_vec);
                for (kind, kept) in [(VOTE, vote), (COMMITTED, None), (PURGED, None), (PROMISED, promised)] {
                    match kept {
                        Some(kept) => batch.put_cf(state, state_key(*group, kind), kept),
                        None => batch.delete_cf(state, state_key(*group, kind)),
                    }
                }
            }
        }
        Ok(())
    }

    /// The last thing before the end: everything is synced, and the mark says so.
    fn write_out(&mut self) -> io::Result<()> {
        self.db.flush_wal(true).map_err(to_io)?;
        self.mark.advance(self.db.latest_sequence_number())?;
        self.mark.sync()
    }
}
