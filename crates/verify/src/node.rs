//! The data directory of an ingester.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use consensus::{SnapshotCheck, SnapshotFolder, check_snapshot};
use head::HeadLimits;
use meta::{Identity, IdentityFile, MetaMachine};
use model::ShardId;
use prost::Message;
use raftlog::{GroupCheck, LogFault, check_log};
use shard::ShardMachine;
use stdx::RealDisk;

use crate::Fault;

/// What a data directory has, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeCheck {
    /// All that is wrong.
    pub faults: Vec<Fault>,
    /// What is worth to know, and no fault.
    pub notes: Vec<String>,
    /// How much of what there is.
    pub counts: Vec<(&'static str, u64)>,
    /// Who the node is.
    pub identity: Option<Identity>,
    /// What its log has of each group.
    pub logs: BTreeMap<u32, GroupCheck>,
    /// What its snapshots have of each group.
    pub snapshots: BTreeMap<ShardId, SnapshotSize>,
}

/// How much a snapshot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSize {
    /// How many entries are in it; 0: there is no snapshot.
    pub entry_count: u64,
    /// How many files it has.
    pub file_count: usize,
    /// How many bytes they have.
    pub size_bytes: u64,
}

/// What a node has, while it is looked at.
struct Node {
    /// Where its identity, its log and its snapshots lie.
    folder: PathBuf,
    /// Its number, as commands take it.
    name: String,
    check: NodeCheck,
}

/// Looks at all of the data directory of an ingester that does not run, and changes nothing: who it is, every checksum of its
/// log and of its snapshots, and that they fit each other. Blocks.
///
/// # Errors
/// If there is none, or the disk fails. Damage is no error.
pub fn check_node(path: &Path) -> Result<NodeCheck, String> {
    let is_there = |folder: &Path| fs::metadata(folder.join("raft")).is_ok();
    let folder = match [path.join("node"), path.to_owned()].into_iter().find(|folder| is_there(folder)) {
        Some(folder) => folder,
        None => {
            return Err(format!(
                "{} is no data directory of an ingester: it has no node/raft. A bucket is named by its URL: file:///folder",
                path.display()
            ));
        }
    };
    let mut node = Node { folder, name: "NODE".to_owned(), check: NodeCheck::default() };
    let failed = |error: io::Error| format!("look at {}: {error}", path.display());
    node.identity();
    node.log().map_err(failed)?;
    node.snapshots().map_err(failed)?;
    Ok(node.check)
}

impl Node {
    fn count(&mut self, name: &'static str, more: u64) {
        match self.check.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += more,
            None => self.check.counts.push((name, more)),
        }
    }

    fn fault(&mut self, file: &Path, what: String, (means, mend): (String, String)) {
        let file = file.display().to_string();
        self.check.faults.push(Fault { file, offset: None, what, means, mend });
    }

    /// What a damaged replica comes to.
    fn of_replica(&self, group: ShardId) -> (String, String) {
        let Self { folder, name, .. } = self;
        match group {
            ShardId::META => (
                "the node does not have all of meta that it acknowledged".to_owned(),
                format!("move {} away and start the node: it comes back as a new one, and is filled", folder.display()),
            ),
            _ => (
                format!("the node does not have all of shard {group} that it acknowledged"),
                format!("ringwood ctl rebuild {group} {name}"),
            ),
        }
    }

    /// What a damaged log comes to.
    fn of_log(&self) -> (String, String) {
        (
            "the node can't promise any more what it acknowledged: its identity ends when it is started".to_owned(),
            "start the node: it sets its data aside, joins as a new one, and is filled by the others".to_owned(),
        )
    }

    fn identity(&mut self) {
        let path = self.folder.join("identity.json");
        match IdentityFile::new(Arc::new(RealDisk), path.clone()).load() {
            Ok(Some(identity)) => {
                self.name = identity.node.to_string();
                self.check.identity = Some(identity);
            }
            Ok(None) => self.check.notes.push(format!("{} is not there: the node belongs nowhere yet", path.display())),
            Err(error) => {
                let means = "the node does not know who it is, and does not start".to_owned();
                let mend = format!(
                    "move {} away and start the node: it comes back as a new one, and is filled",
                    self.folder.display()
                );
                self.fault(&path, chain(&error), (means, mend));
            }
        }
    }

    /// The log of all groups.
    fn log(&mut self) -> io::Result<()> {
        let folder = self.folder.join("raft");
        let check = check_log(&folder, decodes)?;
        for LogFault { file, group, log_index, what } in check.faults {
            let of = match group {
                Some(group) => self.of_replica(ShardId(group)),
                None if file == "SYNCED" => of_mark(),
                None => self.of_log(),
            };
            let about = match (group, log_index) {
                (Some(group), Some(log_index)) => format!("entry {log_index} of group {group}: {what}"),
                (Some(group), None) => format!("group {group}: {what}"),
                _ => what,
            };
            self.fault(&folder.join(file), about, of);
        }
        self.count("groups", check.groups.len() as u64);
        for group in check.groups.values() {
            self.count("log entries", group.entry_count);
            self.count("log bytes", group.entry_bytes);
        }
        self.check.logs = check.groups;
        Ok(())
    }

    fn snapshots(&mut self) -> io::Result<()> {
        let shards = self.folder.join("shards");
        let mut groups: BTreeSet<u32> = self.check.logs.keys().copied().collect();
        match fs::read_dir(&shards) {
            Ok(items) => {
                for item in items {
                    groups.extend(item?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        groups.insert(ShardId::META.0);
        for group in groups.into_iter().map(ShardId) {
            if group == ShardId::META {
                let path = self.folder.join(group.to_string());
                self.snapshot(group, &path, MetaMachine::new())?;
                continue;
            }
            let path = shards.join(group.to_string());
            // Its limits come with the snapshot.
            let machine = ShardMachine::new(HeadLimits::default());
            if let Some(machine) = self.snapshot(group, &path, machine)? {
                self.cuts(group, &path, &machine);
            }
        }
        Ok(())
    }

    /// Looks at a snapshot and at how the log goes on from it; returns the state, if it can be loaded.
    fn snapshot<S: consensus::StateMachine>(
        &mut self,
        group: ShardId,
        path: &Path,
        machine: S,
    ) -> io::Result<Option<S>> {
        let folder = SnapshotFolder::new(Arc::new(RealDisk), path.to_owned());
        let SnapshotCheck { entry_count, file_count, size_bytes, faults, strays, machine } =
            check_snapshot(&folder, machine)?;
        let is_whole = faults.is_empty();
        for fault in faults {
            let of = self.of_replica(group);
            self.fault(&path.join(fault.file), fault.what, of);
        }
        for stray in strays {
            let path = path.join(stray);
            self.check.notes.push(format!("{} is in no snapshot, and goes when the node starts", path.display()));
        }
        self.count("snapshot files", file_count as u64);
        self.count("snapshot bytes", size_bytes);
        self.check.snapshots.insert(group, SnapshotSize { entry_count, file_count, size_bytes });
        let log = self.check.logs.get(&group.0);
        let purged = log.and_then(|log| log.state.purged.as_ref()).map_or(0, |purged| purged.log_index + 1);
        if is_whole && purged > entry_count {
            let what = format!("the log was purged up to entry {purged}, and the snapshot has {entry_count} entries");
            let of = self.of_replica(group);
            self.fault(path, what, of);
        }
        Ok(machine)
    }

    /// Decodes what is cut and not shipped yet: the next blocks.
    fn cuts(&mut self, group: ShardId, path: &Path, machine: &ShardMachine) {
        let view = consensus::StateMachine::view(machine);
        for (cut, _) in view.unshipped_cuts() {
            self.count("unshipped cuts", 1);
            if let Err(error) = view.cut_contents(cut) {
                let of = self.of_replica(group);
                self.fault(path, format!("cut {cut}: {error}"), of);
            }
        }
        self.count("series", view.series_count());
    }
}

/// What it comes to that nobody knows how far the log was synced.
fn of_mark() -> (String, String) {
    (
        "if the log had lost entries that were synced, nobody would notice".to_owned(),
        "start the node: it writes the mark anew. If other faults of the log are listed, mend those first".to_owned(),
    )
}

/// Whether a command is one.
fn decodes(group: u32, command: Bytes) -> Result<(), String> {
    let decoded = match ShardId(group) {
        ShardId::META => proto::meta::Command::decode(command).map(drop),
        _ => proto::entry::Entry::decode(command).map(drop),
    };
    decoded.map_err(|error| format!("its command does not decode: {error}"))
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
