//! The log device on RocksDB.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use rocksdb::{ColumnFamilyDescriptor, DB, DBRecoveryMode, Direction, IteratorMode, Options, ReadOptions};
use telemetry::{Counter, Histogram, Registry, latency_histogram};

use crate::device::{Completion, GroupState, LogDevice, Write};
use crate::identity::LogLost;
use crate::rocks::synced::SyncedMark;
use crate::rocks::writer::Writer;

mod check;
mod records;
mod synced;
mod writer;

pub use check::{GroupCheck, LogCheck, LogFault, check_log};

/// Entries: key = group, log index (both big endian); value = the encoded entry.
const LOG: &str = "log";
/// The rest: key = group (big endian), kind; value = an encoded message.
const STATE: &str = "state";
const VOTE: u8 = b'v';
const COMMITTED: u8 = b'c';
const PURGED: u8 = b'p';
const PROMISED: u8 = b'e';

/// When a write counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it survives a loss of power.
    #[default]
    Fsync,
    /// When it survives the death of the process: the operating system has it. Faster on slow disks, and a loss of
    /// power of a majority loses acknowledged samples.
    Memory,
}

impl std::str::FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fsync" => Ok(Self::Fsync),
            "memory" => Ok(Self::Memory),
            _ => Err(format!("{text:?} is no durability: fsync and memory are")),
        }
    }
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log is damaged where it was synced.
    #[error(transparent)]
    Lost(#[from] LogLost),
    /// Another process has it open.
    #[error("the Raft log in {folder} is in use: is another ringwood running on this data directory?")]
    InUse {
        /// Where the log is.
        folder: String,
    },
    /// The disk failed.
    #[error("open the Raft log in {folder}")]
    Io {
        /// Where the log is.
        folder: String,
        /// What failed.
        source: io::Error,
    },
}

/// What the device says about itself.
#[derive(Clone, Debug)]
pub struct LogMetrics {
    syncs: Histogram,
    writes: Counter,
    bytes: Counter,
}

impl LogMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> Self {
        let name = "raftlog_sync_duration_seconds";
        let syncs = registry.register(name, "Time to make waiting log writes durable.", latency_histogram());
        let writes = registry.register("raftlog_writes", "Log writes of all groups.", Counter::default());
        let bytes =
            registry.register("raftlog_written_bytes", "Bytes of log writes of all groups.", Counter::default());
        Self { syncs, writes, bytes }
    }

    pub(crate) fn synced(&self, took: Duration, writes: usize, bytes: usize) {
        self.syncs.observe(took.as_secs_f64());
        self.writes.inc_by(writes as u64);
        self.bytes.inc_by(bytes as u64);
    }
}

/// The log of a node in one RocksDB.
///
/// Writes go through one thread, which takes all that is waiting, writes it as one batch and syncs once: the more groups
/// and clients there are, the more writes share an fsync.
pub struct RocksDevice {
    db: Arc<DB>,
    queue: Mutex<Option<Sender<(Write, Completion)>>>,
    writer: Mutex<Option<JoinHandle<Result<(), LogLost>>>>,
}

impl RocksDevice {
    /// Opens the log in `folder`, or makes an empty one there.
    ///
    /// A tail that was being written when the power went is cut off: nobody was told that it was written.
    ///
    /// # Errors
    /// [`OpenError::Lost`] if the log is damaged below the point up to which it was synced. Blocks.
    pub fn open(folder: &Path, durability: Durability, metrics: LogMetrics) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { folder: folder.display().to_string(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let mark = SyncedMark::open(&folder.join("SYNCED")).map_err(failed)?;
        let db = open_db(&folder.join("db"))?;
        let recovered = db.latest_sequence_number();
        if recovered < mark.get() {
            let text = format!("{recovered} operations are left of the {} that were synced", mark.get());
            return Err(LogLost(text).into());
        }
        let db = Arc::new(db);
        let (sender, receiver) = channel();
        let writer = spawn_writer(Writer::new(db.clone(), mark, durability, metrics), receiver).map_err(failed)?;
        Ok(Self { db, queue: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) })
    }

    /// The index of the entry at one end of a group's log.
    fn end(&self, group: u32, direction: Direction) -> io::Result<Option<u64>> {
        let (low, high) = (log_key(group, 0), log_key(group, u64::MAX));
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(low);
        options.set_iterate_upper_bound(high);
        let start = if matches!(direction, Direction::Forward) { &low } else { &high };
        let mut items = self.db.iterator_cf_opt(handle(&self.db, LOG)?, options, IteratorMode::From(start, direction));
        let first = items.next().transpose().map_err(to_io)?;
        Ok(first.and_then(|(key, _)| read_log_index(&key)))
    }

    fn message<M: Message + Default>(&self, group: u32, kind: u8) -> io::Result<Option<M>> {
        let state = handle(&self.db, STATE)?;
        let value = self.db.get_cf(state, state_key(group, kind)).map_err(to_io)?;
        value.map(|bytes| M::decode(&bytes[..]).map_err(invalid)).transpose()
    }
}

impl LogDevice for RocksDevice {
    fn submit(&self, write: Write, done: Completion) {
        let refused = match &*self.queue.lock() {
            Some(queue) => queue.send((write, done)).err().map(|refused| refused.0.1),
            None => Some(done),
        };
        if let Some(done) = refused {
            done(Err(io::Error::other("the Raft log is closed")));
        }
    }

    fn entries(&self, group: u32, range: Range<u64>, limit_bytes: usize) -> io::Result<Vec<Bytes>> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(log_key(group, range.end));
        let start = log_key(group, range.start);
        let log = handle(&self.db, LOG)?;
        let items = self.db.iterator_cf_opt(log, options, IteratorMode::From(&start, Direction::Forward));
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (item, log_index) in items.zip(range.start..) {
            let (key, value) = item.map_err(to_io)?;
            bytes += value.len();
            if *key != log_key(group, log_index) || (bytes > limit_bytes && !entries.is_empty()) {
                break;
            }
            entries.push(Bytes::from(value));
        }
        Ok(entries)
    }

    fn state(&self, group: u32) -> io::Result<GroupState> {
        Ok(GroupState {
            vote: self.message(group, VOTE)?,
            committed: self.message(group, COMMITTED)?,
            purged: self.message(group, PURGED)?,
            promised: self.message(group, PROMISED)?,
            entries: self.end(group, Direction::Forward)?.zip(self.end(group, Direction::Reverse)?),
        })
    }

    fn close(&self) -> Result<(), LogLost> {
        // Dropping the sender ends the writer once it has done what is queued.
        drop(self.queue.lock().take());
        match self.writer.lock().take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for RocksDevice {
    fn drop(&mut self) {
        if let Err(lost) = self.close() {
            tracing::error!(%lost, "the Raft log had failed");
        }
    }
}

fn spawn_writer(
    mut writer: Writer,
    receiver: Receiver<(Write, Completion)>,
) -> io::Result<JoinHandle<Result<(), LogLost>>> {
    std::thread::Builder::new().name("raftlog".to_owned()).spawn(move || writer.run(&receiver))
}

fn open_db(path: &Path) -> Result<DB, OpenError> {
    let failed = |source| OpenError::Io { folder: path.display().to_string(), source };
    if let Some(damage) = records::find_endless(path).map_err(failed)? {
        return Err(LogLost(damage).into());
    }
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Up to the first damage; whether that is a torn tail or a loss is for the synced mark to say.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_max_total_wal_size(256 << 20);
    options.set_keep_log_file_num(4);
    options.set_max_background_jobs(2);
    let families = [(LOG, log_options()), (STATE, state_options())]
        .map(|(name, options)| ColumnFamilyDescriptor::new(name, options));
    DB::open_cf_descriptors(&options, path, families).map_err(|error| match error.kind() {
        rocksdb::ErrorKind::Corruption => OpenError::Lost(LogLost(error.to_string())),
        _ if error.to_string().contains("lock") => OpenError::InUse { folder: path.display().to_string() },
        _ => failed(to_io(error)),
    })
}

/// Entries are written once, in order, and mostly purged before they leave the memory table: with a large one, the WAL
/// is the only write. Their payload is compressed already.
fn log_options() -> Options {
    let mut options = Options::default();
    options.set_compression_type(rocksdb::DBCompressionType::None);
    options.set_write_buffer_size(64 << 20);
    options.set_max_write_buffer_number(3);
    options.set_target_file_size_base(64 << 20);
    options
}

fn state_options() -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(4 << 20);
    options
}

fn handle<'a>(db: &'a DB, name: &str) -> io::Result<&'a rocksdb::ColumnFamily> {
    db.cf_handle(name).ok_or_else(|| io::Error::other(format!("the Raft log lacks its column family {name}")))
}

fn log_key(group: u32, log_index: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&group.to_be_bytes());
    key[4..].copy_from_slice(&log_index.to_be_bytes());
    key
}

fn read_log_index(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|log_index| u64::from_be_bytes(*log_index))
}

fn state_key(group: u32, kind: u8) -> [u8; 5] {
    let [a, b, c, d] = group.to_be_bytes();
    [a, b, c, d, kind]
}

fn to_io(error: rocksdb::Error) -> io::Error {
    let kind = match error.kind() {
        rocksdb::ErrorKind::Corruption => io::ErrorKind::InvalidData,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

fn invalid(error: prost::DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
