//! Bits turn over on disks and in the bucket, one at a time: each is found, or in bytes that nobody depends on.
//!
//! What a node and a bucket have is written by a real cluster and looked at in this process, as `ringwood ctl verify` does. A
//! few hundred flips run in CI; `make chaos` makes a hundred for each of its rounds. Kinds of files take turns, so that the
//! small ones come as often as the large ones.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use block::BlockReader;
use bucket::{Bucket, BucketCheck, BucketConfig, check_bucket};
use bytes::Bytes;
use futures::executor::block_on;
use futures::stream::TryStreamExt;
use model::TimeRange;
use raftlog::{GroupCheck, GroupState};
use series::{Budget, Hints, QueryError, Queryable, Samples, Select, Series};
use stdx::{Clock, Rng};
use telemetry::Registry;
use verify::{NodeCheck, check_node};

use crate::chaos::number;
use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;

/// How many bits are flipped, unless the variable `CHAOS_ROUNDS` says it.
const FLIPS: u64 = 300;
const FLIPS_PER_ROUND: u64 = 100;
/// The ingester whose disk it is.
const NODE: &str = "ingester-3";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Identity,
    /// How far the log was synced.
    Mark,
    /// Entries, votes and marks in the write-ahead log of RocksDB.
    WriteAheadLog,
    /// The same in its tables.
    Table,
    /// Which of its files RocksDB goes by.
    Versions,
    /// What RocksDB writes for people.
    Note,
    /// Which files a snapshot has.
    Manifest,
    Segment,
    /// What a shard had open when it was saved.
    Head,
    /// The state of meta, with the catalog. As long as it is small it is in the log alone.
    Meta,
    /// In no snapshot any more, or not yet.
    Stray,
    Block,
    BlockMeta,
}

impl Kind {
    /// Whether bytes of it may change and no harm be done.
    fn may_be_harmless(self) -> bool {
        // The log's because RocksDB has some bytes twice, and some that it does not need any more.
        let of_log = [Self::WriteAheadLog, Self::Table, Self::Versions];
        // A digit of a hash that becomes a capital letter says the same.
        of_log.contains(&self) || [Self::Note, Self::Stray, Self::BlockMeta].contains(&self)
    }

    fn of(path: &Path, check: &NodeCheck) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = path.to_str().unwrap();
        let ending = path.extension().map_or("", |ending| ending.to_str().unwrap());
        let of_log = text.contains("/raft/db/");
        match (name, ending) {
            (_, "tmp") => Self::Stray,
            _ if check.notes.iter().any(|note| note.contains(text)) => Self::Stray,
            ("identity.json", _) => Self::Identity,
            ("SYNCED", _) => Self::Mark,
            (_, "log") if of_log => Self::WriteAheadLog,
            (_, "sst") if of_log => Self::Table,
            (_, _) if of_log && (name == "CURRENT" || name.starts_with("MANIFEST")) => Self::Versions,
            (_, _) if of_log => Self::Note,
            ("MANIFEST", _) => Self::Manifest,
            (_, "seg") => Self::Segment,
            (_, "head") => Self::Head,
            (_, "state") => Self::Meta,
            (_, "rwb") => Self::Block,
            ("meta.json", _) => Self::BlockMeta,
            other => panic!("{other:?} is a file of no known kind: {text}"),
        }
    }
}

/// How often something was flipped, and what came of it.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    found: u64,
    harmless: u64,
}

/// What a cluster has left behind.
struct Remains {
    node: PathBuf,
    bucket: Bucket,
    whole_node: NodeCheck,
    whole_bucket: BucketCheck,
    files: BTreeMap<Kind, Vec<PathBuf>>,
    runtime: tokio::runtime::Runtime,
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let flips = number("CHAOS_ROUNDS").map_or(FLIPS, |rounds| rounds * FLIPS_PER_ROUND);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| Rng::from_entropy().u64());
    eprintln!("{flips} flips, CHAOS_SEED={seed}");
    let rng = Rng::from_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    leave_behind(folder.path());
    let remains = Remains::look(folder.path());
    let kinds: Vec<Kind> = remains.files.keys().copied().collect();
    let mut tallies: BTreeMap<Kind, Tally> = BTreeMap::new();
    for flip in 0..flips {
        let kind = kinds[flip as usize % kinds.len()];
        let files = &remains.files[&kind];
        let file = &files[rng.below(files.len() as u64) as usize];
        let tally = tallies.entry(kind).or_default();
        match remains.flip(kind, file, &rng) {
            true => tally.found += 1,
            false => tally.harmless += 1,
        }
    }
    for (kind, Tally { found, harmless }) in &tallies {
        let (count, bytes) = remains.size_of(*kind);
        eprintln!("{kind:?}: {count} files, {bytes} bytes: {found} found, {harmless} harmless");
    }
    assert_eq!(check_node(&remains.node).unwrap(), remains.whole_node, "everything was flipped back");
}

/// How far a log is committed is written after what is synced: of a process that was killed it is lost with the last record,
/// and elections find it out again.
fn forget_commits(check: &mut NodeCheck, whole: &BTreeMap<u32, GroupCheck>) {
    for (group, found) in &mut check.logs {
        let Some(whole) = whole.get(group) else { continue };
        let count = |state: &GroupState| state.committed.as_ref().map(|last| last.log_index);
        if count(&found.state) < count(&whole.state) {
            found.state.committed.clone_from(&whole.state.committed);
        }
    }
}

/// Runs a cluster until it has files of every kind, ends it, and copies the data directory of an ingester and the bucket.
fn leave_behind(folder: &Path) {
    let fleet = Fleet::start(12);
    let options = Options { block_window: "10s", snapshot_bytes: "16KiB", ..Options::default() };
    let mut cluster = Cluster::start(&fleet, options);
    let shipped = |cluster: &Cluster| cluster.status()["data"]["blocks"]["count"].as_u64();
    wait_until("blocks are shipped", Duration::from_secs(120), || (shipped(&cluster)? >= 8).then_some(()));
    // What is in its write-ahead log goes to tables, too.
    cluster.end(NODE);
    cluster.restart(NODE);
    cluster.wait_until_settled();
    let shards = cluster.path(NODE).join("node/shards");
    wait_until("snapshots have segments", Duration::from_secs(60), || {
        files_below(&shards).iter().any(|path| path.extension().is_some_and(|it| it == "seg")).then_some(())
    });
    cluster.wait_for_more_scrapes(5 * fleet.targets);
    cluster.kill_all();
    for name in [NODE, "bucket"] {
        let copied = std::process::Command::new("cp").arg("-a").arg(cluster.path(name)).arg(folder).status();
        assert!(copied.unwrap().success());
    }
}

impl Remains {
    fn look(folder: &Path) -> Self {
        let (node, objects) = (folder.join(NODE), folder.join("bucket"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let config = BucketConfig::new(&format!("file://{}", objects.display()));
        let bucket = Bucket::open(config, Clock::system(), &Rng::from_seed(1), &Registry::new()).unwrap();
        let whole_node = check_node(&node).unwrap();
        assert_eq!(whole_node.faults, []);
        let whole_bucket = runtime.block_on(check_bucket(&bucket, |_| {})).unwrap();
        assert_eq!(whole_bucket.faults, []);
        let mut files: BTreeMap<Kind, Vec<PathBuf>> = BTreeMap::new();
        // What was being uploaded when all ended is no block.
        let is_named = |path: &PathBuf| {
            let key = path.strip_prefix(&objects).unwrap().to_str().unwrap();
            !key.contains('#') && whole_bucket.unnamed.iter().all(|object| object.key != key)
        };
        let named = files_below(&objects).into_iter().filter(is_named);
        let all = files_below(&node.join("node")).into_iter().chain(named);
        for path in all.filter(|path| std::fs::metadata(path).unwrap().len() > 0) {
            files.entry(Kind::of(&path, &whole_node)).or_default().push(path);
        }
        for kind in [Kind::Identity, Kind::Mark, Kind::Manifest, Kind::Segment, Kind::Head, Kind::Block] {
            assert!(files.contains_key(&kind), "no {kind:?} among {files:?}");
        }
        Self { node, bucket, whole_node, whole_bucket, files, runtime }
    }

    /// How many files of a kind there are, and their bytes.
    fn size_of(&self, kind: Kind) -> (usize, u64) {
        let files = &self.files[&kind];
        (files.len(), files.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum())
    }

    /// Flips a bit of a file and flips it back; returns whether it was found. If not, everything must be as it was.
    fn flip(&self, kind: Kind, path: &Path, rng: &Rng) -> bool {
        let bit = rng.below(std::fs::metadata(path).unwrap().len() * 8);
        let before = (kind == Kind::Block).then(|| Bytes::from(std::fs::read(path).unwrap()));
        turn_over(path, bit);
        let is_found = within_a_minute(&format!("look at bit {bit} of {}", path.display()), || match kind {
            Kind::Block | Kind::BlockMeta => self.is_found_in_bucket(path, bit),
            _ => self.is_found_in_node(kind, path, bit),
        });
        if let Some(before) = before {
            let after = Bytes::from(std::fs::read(path).unwrap());
            assert_never_wrong(&before, after, path, bit);
        }
        turn_over(path, bit);
        assert!(is_found || kind.may_be_harmless(), "bit {bit} of {} was flipped, and nobody noticed", path.display());
        is_found
    }

    fn is_found_in_node(&self, kind: Kind, path: &Path, bit: u64) -> bool {
        match check_node(&self.node) {
            Err(_) => true,
            Ok(check) if !check.faults.is_empty() => true,
            Ok(mut check) => {
                let NodeCheck { identity, logs, snapshots, .. } = &self.whole_node;
                if kind == Kind::WriteAheadLog {
                    forget_commits(&mut check, logs);
                }
                let same = (identity, logs, snapshots) == (&check.identity, &check.logs, &check.snapshots);
                assert!(same, "bit {bit} of {} was flipped, and {check:?} was read", path.display());
                false
            }
        }
    }

    fn is_found_in_bucket(&self, path: &Path, bit: u64) -> bool {
        let check = self.runtime.block_on(check_bucket(&self.bucket, |_| {})).unwrap();
        if !check.faults.is_empty() {
            return true;
        }
        assert_eq!(check.blocks, self.whole_bucket.blocks, "bit {bit} of {} was flipped", path.display());
        false
    }
}

/// Whoever reads a block with a flipped bit gets an error, or what was written.
fn assert_never_wrong(before: &Bytes, after: Bytes, path: &Path, bit: u64) {
    match everything(after) {
        Ok(read) => assert_eq!(read, everything(before.clone()).unwrap(), "bit {bit} of {}", path.display()),
        Err(error) => assert!(matches!(error, QueryError::Corrupt(_)), "bit {bit} of {}: {error}", path.display()),
    }
}

/// A series, with the times of its samples and the bits of their values.
type Read = (String, Vec<i64>, Vec<u64>);

/// All series of a block.
fn everything(bytes: Bytes) -> Result<Vec<Read>, QueryError> {
    let block = block_on(BlockReader::open("block", Arc::new(bytes)))?;
    let select = Select { matchers: [].into(), range: TimeRange::ALL, hints: Hints::default() };
    let selected = async { block.select(select, &Budget::unlimited()).await?.try_collect::<Vec<Vec<Series>>>().await };
    let read = |series: Series| {
        let mut samples = Samples::default();
        series.read(TimeRange::ALL, &mut samples)?;
        let bits = samples.floats.iter().map(|value| value.to_bits()).collect();
        Ok((series.labels.to_string(), samples.float_times, bits))
    };
    block_on(selected)?.into_iter().flatten().map(read).collect()
}

/// Does something that must come to an end. Whoever hangs can't be told to stop: the process ends instead, and says what it
/// was.
fn within_a_minute<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (done, ended) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
                // Around what the test runner keeps for later: there is no later.
                let _ = writeln!(std::io::stderr(), "{what}: did not end within a minute");
                std::process::abort();
            }
        });
        let result = work();
        drop(done);
        result
    })
}

fn turn_over(path: &Path, bit: u64) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).unwrap();
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&byte, bit / 8).unwrap();
}

/// All files below a folder, however deep.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).into_iter().flatten() {
        let path = item.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}
