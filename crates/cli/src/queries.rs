//! What is noted of queries: those that are running, and, if the configuration says so, those that were.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::QueryLog;
use model::TenantId;
use parking_lot::Mutex;
use serde_json::{Value, json};
use stdx::Clock;

/// What one running query takes in the file: its text is shortened to that.
const SLOT_BYTES: usize = 1024;

/// A file that names the queries that are running, so that it says after a crash what was: a query that kills its process
/// is else hard to find. Written without waiting for the disk: what the kernel has survives the process.
pub(crate) struct ActiveQueries(Arc<Slots>);

struct Slots {
    file: File,
    clock: Clock,
    /// The places in the file that are free.
    free: Mutex<Vec<usize>>,
}

/// A running query, until it is dropped.
struct ActiveQuery {
    slots: Arc<Slots>,
    slot: usize,
}

impl ActiveQueries {
    /// Opens the file for so many queries at a time, and returns the texts of those that were running when a process that
    /// had it open before ended.
    pub(crate) fn open(path: &Path, width: usize, clock: Clock) -> io::Result<(Self, Vec<String>)> {
        let unfinished = match std::fs::read(path) {
            Ok(bytes) => unfinished(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
        let free = Mutex::new((0..width).rev().collect());
        Ok((Self(Arc::new(Slots { file, clock, free })), unfinished))
    }

    /// Notes a query.
    pub(crate) fn began(&self, text: &str, tenant: &TenantId) -> Box<dyn Send> {
        // The API lets no more queries run than there are slots.
        let Some(slot) = self.0.free.lock().pop() else { return Box::new(()) };
        self.0.write(slot, &line_of(text, tenant, self.0.clock.wall_ms()));
        Box::new(ActiveQuery { slots: self.0.clone(), slot })
    }
}

impl Drop for ActiveQuery {
    fn drop(&mut self) {
        self.slots.write(self.slot, b"");
        self.slots.free.lock().push(self.slot);
    }
}

impl Slots {
    fn write(&self, slot: usize, line: &[u8]) {
        let mut bytes = [b' '; SLOT_BYTES];
        bytes[..line.len()].copy_from_slice(line);
        bytes[SLOT_BYTES - 1] = b'\n';
        if let Err(error) = self.file.write_all_at(&bytes, (slot * SLOT_BYTES) as u64) {
            tracing::warn!(%error, "running queries can't be noted");
        }
    }
}

/// What is written about a query: JSON that fits into a slot.
fn line_of(text: &str, tenant: &TenantId, now_ms: i64) -> Vec<u8> {
    let mut length = text.len();
    loop {
        let query = &text[..length];
        let line = json!({"query": query, "tenant": tenant.as_str(), "started_ms": now_ms}).to_string();
        if line.len() < SLOT_BYTES || length == 0 {
            return line.into_bytes().into_iter().take(SLOT_BYTES - 1).collect();
        }
        length = text.floor_char_boundary(length.min(SLOT_BYTES) * 3 / 4);
    }
}

fn unfinished(bytes: &[u8]) -> Vec<String> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    // A write that a crash of the machine tore is no JSON, and nothing is lost with it.
    lines.filter_map(|line| Some(serde_json::from_slice::<Value>(line).ok()?["query"].as_str()?.to_owned())).collect()
}

/// Prometheus' `query_log_file`.
pub(crate) struct QueryLogFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl QueryLogFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }
}

impl QueryLog for QueryLogFile {
    fn write(&self, line: &[u8]) {
        if let Err(error) = self.file.lock().write_all(line) {
            tracing::error!(path = %self.path.display(), %error, "a query can't be logged");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_queries_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queries.active");
        let tenant = TenantId::default();
        let (active, before) = ActiveQueries::open(&path, 2, Clock::system()).unwrap();
        assert_eq!(before, Vec::<String>::new());
        let first = active.began("up", &tenant);
        let long = format!("\"{}\"", "ä\n".repeat(SLOT_BYTES));
        let _second = active.began(&long, &tenant);
        let _none_is_free = active.began("sum(up)", &tenant);
        drop(first);
        let (_, before) = ActiveQueries::open(&path, 2, Clock::system()).unwrap();
        assert_eq!(before.len(), 1);
        assert!(before[0].len() > SLOT_BYTES / 3 && long.starts_with(&before[0]), "{}", before[0]);
    }
}
