//! Nodes, their net and their disks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bucket::Bucket;
use consensus::Timing;
use ingester::{Ingester, IngesterConfig, IngesterEnv, IngesterError};
use meta::{Birth, Client};
use model::{NodeId, ShardId, TenantId};
use parking_lot::Mutex;
use proto::ingest::append_reply::Reply;
use proto::ingest::ingest_client::IngestClient;
use proto::{entry, ingest};
use querier::{CacheLimits, Consistency, Querier, QuerierEnv};
use raftlog::MemoryDevice;
use series::Queryable;
use stdx::{Clock, CpuPool, RealDisk, Rng, Tasks};
use telemetry::Registry;
use tempfile::TempDir;
use tokio::sync::watch;
use transport::{Hello, MemoryNet, Net, Nodes};

use crate::Outage;
use crate::bucket::memory_bucket;

/// A node that is silent for so long is replaced.
pub const REPLACE_AFTER: Duration = Duration::from_secs(60);

/// What survives nodes: the net, their disks and the bucket.
pub struct World {
    pub(crate) net: MemoryNet,
    pub(crate) names: Vec<String>,
    disks: Mutex<BTreeMap<String, (TempDir, Arc<MemoryDevice>)>>,
    birth: Birth,
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
    tasks: Tasks,
}

impl World {
    /// A world in which these ingesters form a cluster. Others can join them, once they have a disk (see [`World::wipe`]).
    pub fn new(names: &[&str], birth: Birth, clock: Clock) -> Self {
        let (rng, outage) = (Rng::from_seed(11), Outage::default());
        let world = Self {
            bucket: memory_bucket(&clock, &rng, &outage),
            outage,
            max_exemplars: watch::Sender::new(Some(1000)),
            net: MemoryNet::default(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            disks: Mutex::default(),
            birth,
            clock,
            rng,
        };
        names.iter().for_each(|name| world.wipe(name));
        world
    }

    /// The disk of a node is empty from now on.
    pub fn wipe(&self, name: &str) {
        let disk = (tempfile::tempdir().unwrap(), Arc::new(MemoryDevice::new()));
        self.disks.lock().insert(name.to_owned(), disk);
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
        let (folder, log) = {
            let disks = self.disks.lock();
            let (folder, log) = &disks[name];
            (folder.path().to_owned(), log.clone())
        };
        let tasks = Tasks::new();
        let net: Arc<dyn Net> = Arc::new(self.net.clone());
        let nodes = Nodes::new(net.clone(), Hello::new());
        let config = IngesterConfig {
            address: name.to_owned(),
            zone: name.to_owned(),
            peers: self.names.clone(),
            expect: if self.names.iter().any(|first| first == name) { self.names.len() as u32 } else { 0 },
            birth: self.birth,
            folder,
            local_retention: Duration::ZERO,
            memory_limit_bytes: u64::MAX,
            snapshot_bytes: 16 << 10,
            max_exemplars: self.max_exemplars.subscribe(),
            replace_after: Some(REPLACE_AFTER),
            timing: Timing::default(),
        };
        let env = IngesterEnv {
            nodes,
            log,
            disk: Arc::new(RealDisk),
            bucket: self.bucket.clone(),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
            registry: Registry::new(),
            applying: CpuPool::inline(),
            reading: CpuPool::inline(),
            saving: CpuPool::inline(),
            tasks: tasks.clone(),
        };
        let listener = net.listen(name).await.unwrap();
        let ingester = Ingester::start(config, env, listener).await?;
        Ok(Node { name: name.to_owned(), ingester, tasks })
    }

    /// A client of the cluster that is no node of it.
    pub fn outsider(&self) -> Outsider {
        let tasks = Tasks::new();
        let net: Arc<dyn Net> = Arc::new(self.net.clone());
        let nodes = Nodes::new(net, Hello::new());
        let config = meta::ClientConfig {
            seeds: self.names.clone(),
            catalog: true,
            nodes: nodes.clone(),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
        };
        let client = Client::start(config, &tasks);
        let querier = Querier::new(QuerierEnv {
            client: client.clone(),
            nodes: nodes.clone(),
            bucket: self.bucket.clone(),
            cache: CacheLimits::default(),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
            registry: Registry::new(),
        });
        Outsider { client, nodes, querier, tasks }
    }
}

impl Node {
    /// The process dies: nothing is handed over, nothing more is written.
    pub async fn die(self) {
        self.tasks.stop();
        self.ingester.drain(Duration::ZERO).await;
    }
}

/// Somebody who writes and reads.
pub struct Outsider {
    /// Follows meta.
    pub client: Client,
    nodes: Nodes,
    querier: Querier,
    tasks: Tasks,
}

impl Outsider {
    /// The storage of the default tenant.
    pub fn storage(&self) -> Arc<dyn Queryable> {
        self.querier.storage(&TenantId::default(), Consistency::Strong)
    }

    /// Appends a record, wherever its leader is by now, until it is answered.
    pub async fn append(&self, slot: model::Slot, record: &entry::Record) -> entry::RecordAnswer {
        let mut state = self.client.watch();
        let map = state.wait_for(|state| state.shard_map.is_some()).await.unwrap().shard_map.clone().unwrap();
        let shard = map.shard_of(slot);
        loop {
            for node in self.client.state().shard_map.as_ref().unwrap().replicas(shard) {
                if let Some(answer) = self.try_append(*node, shard, record).await {
                    return answer;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn try_append(&self, node: NodeId, shard: ShardId, record: &entry::Record) -> Option<entry::RecordAnswer> {
        let mut client = IngestClient::new(self.nodes.client(node)?);
        let request =
            ingest::AppendRequest { sequence: 1, shard: shard.0, map_epoch: 1, records: vec![record.clone()] };
        let mut replies = client.append(tokio_stream::iter([request])).await.ok()?.into_inner();
        let reply = tokio::time::timeout(Duration::from_secs(2), replies.message()).await.ok()?.ok()??;
        match reply.reply? {
            Reply::Answer(mut answer) => answer.records.pop(),
            _ => None,
        }
    }

    /// Ends.
    pub async fn stop(self) {
        self.tasks.stop();
        self.tasks.wait().await;
    }
}
