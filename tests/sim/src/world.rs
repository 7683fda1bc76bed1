//! Nodes, their net and their disks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bucket::Bucket;
use consensus::Timing;
use ingester::{Ingester, IngesterConfig, IngesterEnv, IngesterError};
use meta::Birth;
use parking_lot::Mutex;
use stdx::{Clock, CpuPool, Rng, Tasks};
use telemetry::Registry;
use tokio::sync::watch;
use transport::{Hello, Nodes};

use crate::bucket::memory_bucket;
use crate::{Coverage, Machine, Mistake, Outage, Wires};

/// A node that is silent for so long is replaced.
pub const REPLACE_AFTER: Duration = Duration::from_secs(60);

/// In what time every file is looked at.
const SCRUB_EVERY: Duration = Duration::from_secs(10);
/// Snapshots are taken, and logs purged, several times in a universe.
const SNAPSHOT_BYTES: u64 = 2 << 10;

/// How often replicas hash their state.
const DIGEST_EVERY: Duration = Duration::from_secs(4);

/// What survives nodes: the net, their disks and the bucket.
pub struct World {
    /// The net.
    pub wires: Wires,
    /// What happened.
    pub coverage: Coverage,
    pub(crate) names: Vec<String>,
    machines: Mutex<BTreeMap<String, Machine>>,
    mistake: Mistake,
    birth: Birth,
    pub(crate) local_retention: Duration,
    log_tail: u64,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    /// The bucket.
    pub bucket: Bucket,
    /// Lets the bucket fail.
    pub outage: Outage,
    /// How many exemplars all shards keep together, as every node is configured.
    pub max_exemplars: watch::Sender<Option<u64>>,
}

/// A running ingester.
pub struct Node {
    /// Its name, which is its address.
    pub name: String,
    /// The ingester.
    pub ingester: Ingester,
    machine: Machine,
    tasks: Tasks,
}

impl World {
    /// A world in which these ingesters form a cluster. Others can join them, once they have a disk (see [`World::wipe`]).
    pub fn new(names: &[&str], birth: Birth, clock: Clock) -> Self {
        Self::with_mistake(names, birth, clock, Rng::from_seed(11), Mistake::NONE)
    }

    /// A world in which chance comes from `rng`, and a mistake is made.
    pub fn with_mistake(names: &[&str], birth: Birth, clock: Clock, rng: Rng, mistake: Mistake) -> Self {
        let outage = Outage::new(rng.fork());
        let world = Self {
            bucket: memory_bucket(&clock, &rng, &outage),
            outage,
            max_exemplars: watch::Sender::new(Some(1000)),
            wires: Wires::new(clock.clone(), rng.fork()),
            coverage: Coverage::default(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            machines: Mutex::default(),
            mistake,
            birth,
            local_retention: Duration::ZERO,
            log_tail: [4, consensus::LOG_TAIL][rng.below(2) as usize],
            clock,
            rng,
        };
        names.iter().for_each(|name| world.wipe(name));
        world
    }

    /// The disk of a node is empty from now on.
    pub fn wipe(&self, name: &str) {
        let machine = Machine::new(&self.clock, &self.rng, &self.coverage, self.mistake);
        self.machines.lock().insert(name.to_owned(), machine);
    }

    /// The machine of a node.
    pub fn machine(&self, name: &str) -> Machine {
        self.machines.lock()[name].clone()
    }

    /// Starts all ingesters at once.
    pub async fn start_all(&self) -> Vec<Node> {
        futures::future::join_all(self.names.iter().map(|name| self.start(name))).await
    }

    /// Starts an ingester, and waits until it belongs to a cluster.
    pub async fn start(&self, name: &str) -> Node {
        self.try_start(name).await.unwrap()
    }

    /// Starts an ingester, and waits until it belongs to a cluster, or is told why it may not.
    pub async fn try_start(&self, name: &str) -> Result<Node, IngesterError> {
        let machine = self.machine(name);
        let tasks = Tasks::new();
        let net = self.wires.at(name);
        let nodes = Nodes::new(net.clone(), Hello::new());
        let config = IngesterConfig {
            address: name.to_owned(),
            zone: name.to_owned(),
            peers: self.names.clone(),
            expect: if self.names.iter().any(|first| first == name) { self.names.len() as u32 } else { 0 },
            birth: self.birth,
            folder: PathBuf::from(name),
            local_retention: self.local_retention,
            memory_limit_bytes: u64::MAX,
            snapshot_bytes: SNAPSHOT_BYTES,
            log_tail: self.log_tail,
            digest_every: DIGEST_EVERY,
            scrub_every: SCRUB_EVERY,
            max_exemplars: self.max_exemplars.subscribe(),
            replace_after: Some(REPLACE_AFTER),
            move_slots_after: None,
            move_bytes_per_second: None,
            timing: Timing::default(),
        };
        let env = IngesterEnv {
            nodes,
            log: machine.log.open(),
            disk: machine.disk.open(),
            bucket: self.bucket.clone(),
            clock: machine.clock.handle(),
            rng: self.rng.fork(),
            registry: Registry::new(),
            applying: CpuPool::inline(),
            reading: CpuPool::inline(),
            saving: CpuPool::inline(),
            tasks: tasks.clone(),
        };
        let listener = net.listen(name).await.unwrap();
        let started = Ingester::start(config, env, listener).await;
        if started.is_err() {
            tasks.stop();
            tasks.wait().await;
        }
        let ingester = started?;
        Ok(Node { name: name.to_owned(), ingester, machine, tasks })
    }
}

impl Node {
    /// The process dies: nothing is handed over, nothing more is written.
    pub async fn die(self) {
        self.machine.process_ends();
        self.end().await;
    }

    /// The machine loses power: what was not synced is lost, and nobody is told.
    pub async fn lose_power(self) {
        self.machine.power_off();
        self.end().await;
    }

    async fn end(self) {
        self.tasks.stop();
        self.ingester.drain(Duration::ZERO).await;
    }
}
