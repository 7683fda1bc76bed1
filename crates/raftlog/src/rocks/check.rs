//! Looking at all of a log, without changing anything.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use prost::Message;
use proto::raft;
use rocksdb::{ColumnFamilyDescriptor, DB, DBRecoveryMode, IteratorMode, Options, ReadOptions};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::synced::SyncedMark;
use super::{COMMITTED, LOG, PROMISED, PURGED, STATE, VOTE, handle, log_options, records, state_options, to_io};
use crate::device::GroupState;
use crate::wire::entry_from_proto;

/// What a log has, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogCheck {
    /// The groups, by number.
    pub groups: BTreeMap<u32, GroupCheck>,
    /// All that is wrong.
    pub faults: Vec<LogFault>,
}

/// What a log has of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupCheck {
    /// Its vote and marks, and the first and the last of its entries.
    pub state: GroupState,
    /// How many entries there are.
    pub entry_count: u64,
    /// How many bytes they have.
    pub entry_bytes: u64,
    /// What they hash to, in their order.
    pub entry_hash: u64,
    /// The term of the last entry.
    last_term: u64,
}

/// Something that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// The file within the log's folder, or the folder of the database.
    pub file: &'static str,
    /// The group, if it is about one.
    pub group: Option<u32>,
    /// The entry, if it is about one.
    pub log_index: Option<u64>,
    /// What is wrong.
    pub what: String,
}

const MARK_FILE: &str = "SYNCED";
const DB_FOLDER: &str = "db";

/// Reads all of the log in `folder` and checks every checksum, that entries follow each other, and that votes and marks fit
/// them. `decodes` says whether the state machine of a group understands a command.
///
/// Changes nothing. What a node that runs is about to write may be seen half done: only of one that is stopped are faults
/// sure. Blocks.
///
/// # Errors
/// If the disk fails, or there is no log in the folder. Damage is no error.
pub fn check_log(folder: &Path, decodes: impl Fn(u32, Bytes) -> Result<(), String>) -> io::Result<LogCheck> {
    let mut check = LogCheck::default();
    let database = folder.join(DB_FOLDER);
    std::fs::metadata(&database)?;
    // Read before the database: what is synced meanwhile makes no difference then.
    let synced = check.synced(folder)?;
    if let Some(damage) = records::find_endless(&database)? {
        check.fault(DB_FOLDER, None, None, damage);
        return Ok(check);
    }
    let mut options = Options::default();
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    let families = [(LOG, log_options()), (STATE, state_options())]
        .map(|(name, options)| ColumnFamilyDescriptor::new(name, options));
    let db = match DB::open_cf_descriptors_read_only(&options, &database, families, false) {
        Ok(db) => db,
        Err(error) => {
            check.fault(DB_FOLDER, None, None, format!("it can't be opened: {error}"));
            return Ok(check);
        }
    };
    let recovered = db.latest_sequence_number();
    if recovered < synced {
        let what = format!("{recovered} operations are left of the {synced} that were synced");
        check.fault(DB_FOLDER, None, None, what);
    }
    check.states(&db)?;
    check.entries(&db, decodes)?;
    check.marks();
    Ok(check)
}

/// A key and its value.
type Pair = (Box<[u8]>, Box<[u8]>);

/// All of a column family, with every checksum looked at; stops behind the first error.
fn items<'a>(db: &'a DB, family: &str) -> io::Result<impl Iterator<Item = io::Result<Pair>> + 'a> {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options.fill_cache(false);
    let items = db.iterator_cf_opt(handle(db, family)?, options, IteratorMode::Start);
    let mut has_failed = false;
    let items = items.map(|item| item.map_err(to_io));
    Ok(items.take_while(move |item| !std::mem::replace(&mut has_failed, item.is_err())))
}

impl LogCheck {
    fn fault(&mut self, file: &'static str, group: Option<u32>, log_index: Option<u64>, what: impl Into<String>) {
        self.faults.push(LogFault { file, group, log_index, what: what.into() });
    }

    /// How far the log is said to be synced.
    fn synced(&mut self, folder: &Path) -> io::Result<u64> {
        let path = folder.join(MARK_FILE);
        let bytes = match std::fs::read(&path) {
            // A log that was never synced: nobody was promised anything.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            bytes => bytes?,
        };
        match SyncedMark::decode(&bytes) {
            Some(synced) => Ok(synced),
            None if bytes.is_empty() => Ok(0),
            None => {
                self.fault(MARK_FILE, None, None, "it does not say any more how far the log was synced");
                Ok(0)
            }
        }
    }

    fn states(&mut self, db: &DB) -> io::Result<()> {
        for item in items(db, STATE)? {
            let (key, value) = match item {
                Ok(item) => item,
                Err(error) => {
                    self.fault(DB_FOLDER, None, None, format!("votes and marks can't be read: {error}"));
                    break;
                }
            };
            let Some((group, [kind])) = key.split_first_chunk::<4>() else {
                self.fault(DB_FOLDER, None, None, format!("{key:?} is no key of a vote or mark"));
                continue;
            };
            let group = u32::from_be_bytes(*group);
            let state = &mut self.groups.entry(group).or_default().state;
            let read = match *kind {
                VOTE => raft::Vote::decode(&*value).map(|vote| state.vote = Some(vote)),
                COMMITTED => raft::LogId::decode(&*value).map(|committed| state.committed = Some(committed)),
                PURGED => raft::LogId::decode(&*value).map(|purged| state.purged = Some(purged)),
                PROMISED => raft::LogId::decode(&*value).map(|promised| state.promised = Some(promised)),
                _ => continue,
            };
            if let Err(error) = read {
                let what = format!("mark {:?} does not decode: {error}", char::from(*kind));
                self.fault(DB_FOLDER, Some(group), None, what);
            }
        }
        Ok(())
    }

    fn entries(&mut self, db: &DB, decodes: impl Fn(u32, Bytes) -> Result<(), String>) -> io::Result<()> {
        for item in items(db, LOG)? {
            let (key, value) = match item {
                Ok(item) => item,
                Err(error) => {
                    self.fault(DB_FOLDER, None, None, format!("entries can't be read from here on: {error}"));
                    break;
                }
            };
            let place = key.split_first_chunk::<4>().and_then(|(group, rest)| Some((group, rest.first_chunk::<8>()?)));
            let Some((group, log_index)) = place.filter(|_| key.len() == 12) else {
                self.fault(DB_FOLDER, None, None, format!("{key:?} is no key of an entry"));
                continue;
            };
            let (group, log_index) = (u32::from_be_bytes(*group), u64::from_be_bytes(*log_index));
            if let Err(what) = self.entry(group, log_index, value.into(), &decodes) {
                self.fault(DB_FOLDER, Some(group), Some(log_index), what);
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        group: u32,
        log_index: u64,
        value: Bytes,
        decodes: impl Fn(u32, Bytes) -> Result<(), String>,
    ) -> Result<(), String> {
        let known = self.groups.entry(group).or_default();
        known.entry_count += 1;
        known.entry_bytes += value.len() as u64;
        known.entry_hash = xxh3_64_with_seed(&value, known.entry_hash ^ log_index);
        let last = known.state.entries.map(|(_, last)| last);
        let last_term = known.last_term;
        known.state.entries = Some((known.state.entries.map_or(log_index, |(first, _)| first), log_index));
        let entry = raft::Entry::decode(value).map_err(|error| format!("it does not decode: {error}"))?;
        known.last_term = entry.term;
        if entry.log_index != log_index {
            return Err(format!("it says that it is entry {}", entry.log_index));
        }
        if let Some(last) = last.filter(|last| last + 1 != log_index) {
            return Err(format!("it comes after entry {last}: those between them are missing"));
        }
        if entry.term < last_term {
            return Err(format!("it is of term {}, and the one before it of term {last_term}", entry.term));
        }
        let command = match &entry.payload {
            Some(raft::entry::Payload::Command(command)) => Some(command.clone()),
            _ => None,
        };
        entry_from_proto(entry).map_err(|error| error.to_string())?;
        command.map_or(Ok(()), |command| decodes(group, command))
    }

    /// Whether votes and marks fit the entries.
    fn marks(&mut self) {
        let mut found = Vec::new();
        for (group, GroupCheck { state, last_term, .. }) in &self.groups {
            let purged = state.purged.as_ref().map(|purged| purged.log_index);
            let next = purged.map_or(0, |purged| purged + 1);
            let end = state.entries.map_or(next, |(_, last)| last + 1);
            if let Some((first, _)) = state.entries.filter(|(first, _)| *first != next) {
                found.push((*group, format!("its first entry is {first}, and should be {next}")));
            }
            if let Some(committed) = state.committed.as_ref().filter(|committed| committed.log_index >= end) {
                let what = format!("entry {} was committed, and the log ends before {end}", committed.log_index);
                found.push((*group, what));
            }
            let voted = state.vote.as_ref().map_or(0, |vote| vote.term);
            if voted < *last_term {
                found.push((*group, format!("its vote is of term {voted}, and its last entry of term {last_term}")));
            }
        }
        for (group, what) in found {
            self.fault(DB_FOLDER, Some(group), None, what);
        }
    }
}

#[cfg(test)]
mod tests;
