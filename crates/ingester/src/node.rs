//! An ingester: how it comes to be, and how it ends.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bucket::Bucket;
use consensus::{Group, GroupEnv, GroupError, GroupStatus, Groups, Standing, Step, Timing};
use futures::FutureExt;
use futures::future::join_all;
use meta::{
    Birth, Bootstrap, BootstrapError, ChangeReplicas, Client, ClientConfig, GiveSlot, Identity, IdentityFile, Leader,
    MetaMachine, MetaService, Patience, ShardSteps,
};
use model::{NodeId, ShardId};
use proto::ingest::ingest_client::IngestClient;
use proto::ingest::ingest_server::IngestServer;
use proto::select::select_server::SelectServer;
use proto::{ingest, meta as wire};
use raftlog::LogDevice;
use stdx::{Clock, CpuPool, Disk, Rng, Tasks, Throttle};
use telemetry::Registry;
use tokio::sync::{mpsc, watch};
use tonic::service::Routes;
use transport::{Listener, Nodes, RaftNetwork, RaftService, RpcError, deadline, serve};

use crate::beats::Beats;
use crate::budget::MemoryBudget;
use crate::damage::Damage;
use crate::end::{End, Ends};
use crate::ingest_service::IngestService;
use crate::late::Late;
use crate::metrics::Metrics;
use crate::replicas::{Replicas, ReplicasEnv};
use crate::select_service::SelectService;
use crate::ship::Shipper;
use crate::snapshots::{ReplayLimit, take_snapshots};
use crate::time::ClusterTime;

/// How long the registration with meta may take before it is tried again.
const REGISTER_LIMIT: Duration = Duration::from_secs(10);
/// How long a step of a change of replicas may take.
const STEP_LIMIT: Duration = Duration::from_secs(5);
/// How long a slot may take to be given to another shard: it may have to be copied.
const GIVE_LIMIT: Duration = Duration::from_secs(30);
/// Meta takes a snapshot at least this often. Its commands are short, and to apply one costs more than to read it.
const META_SNAPSHOT_BYTES: u64 = 4 << 20;
/// The largest message: a batch of records, or a frame of series.
const MESSAGE_BYTES: usize = 64 << 20;

/// What an ingester is told.
#[derive(Clone, Debug)]
pub struct IngesterConfig {
    /// The address under which others reach it.
    pub address: String,
    /// What fails together with it; empty: nothing else.
    pub zone: String,
    /// The addresses of ingesters to ask for the cluster; its own may be among them.
    pub peers: Vec<String>,
    /// How many fresh ingesters form a cluster; 0: it only joins one.
    pub expect: u32,
    /// What is fixed if the cluster is formed now.
    pub birth: Birth,
    /// Where identity and snapshots lie.
    pub folder: PathBuf,
    /// Data that are in the bucket stay here for so long.
    pub local_retention: Duration,
    /// What the heads may take in memory, in bytes, before new series are refused.
    pub memory_limit_bytes: u64,
    /// Shards take snapshots so often that together they have about so many bytes of entries to replay at most. Meta does so
    /// after as many of its own, or 4 MiB.
    pub snapshot_bytes: u64,
    /// How many entries logs keep of those that a snapshot has as well.
    pub log_tail: u64,
    /// How often the replicas of a shard hash their state, so that one that differs is found.
    pub digest_every: Duration,
    /// In what time every file of a shard is read once, to find damage.
    pub scrub_every: Duration,
    /// How many exemplars all shards of the cluster keep together; `None` as long as that is not known, for what is kept must
    /// not go by mistake. What the leader of a shard has here counts.
    pub max_exemplars: watch::Receiver<Option<u64>>,
    /// Nodes that are silent for so long are replaced, if others can take their place; `None`: never.
    pub replace_after: Option<Duration>,
    /// Slots of a shard that takes in far more than others for so long move to others; `None`: only operators move slots.
    pub move_slots_after: Option<Duration>,
    /// How fast copies of shards come in, over all shards of the node; `None`: as fast as they can.
    pub move_bytes_per_second: Option<NonZeroU64>,
    /// How fast a lost leader is noticed.
    pub timing: Timing,
}

/// What an ingester is given.
#[derive(Clone)]
pub struct IngesterEnv {
    /// The connections of this process.
    pub nodes: Nodes,
    /// Where the logs of all groups lie.
    pub log: Arc<dyn LogDevice>,
    /// Where snapshots lie.
    pub disk: Arc<dyn Disk>,
    /// Where blocks go.
    pub bucket: Bucket,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub rng: Rng,
    /// Where metrics are registered.
    pub registry: Registry,
    /// Runs applies.
    pub applying: CpuPool,
    /// Runs reads.
    pub reading: CpuPool,
    /// Runs what blocks on the disk, and builds blocks.
    pub saving: CpuPool,
    /// Owns the tasks of the ingester.
    pub tasks: Tasks,
}

/// Why an ingester can't run.
#[derive(Debug, thiserror::Error)]
pub enum IngesterError {
    /// It can't belong to a cluster.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// Its part of meta can't be opened.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The identity on its disk has ended.
    #[error(
        "the cluster does not take this node any more: {0}. Move its data directory away, and it comes back as a new node"
    )]
    Ended(String),
}

/// A running ingester.
pub struct Ingester {
    identity: Identity,
    meta_group: Group<MetaMachine>,
    replicas: Arc<Replicas>,
    client: Client,
    nodes: Nodes,
    clock: Clock,
    tasks: Tasks,
    ends: Ends,
}

impl Ingester {
    /// Starts an ingester that is reached through `listener`. Returns when it belongs to a cluster: at once after a restart,
    /// else when the cluster was found or formed.
    ///
    /// # Errors
    /// See [`IngesterError`].
    pub async fn start(
        config: IngesterConfig,
        env: IngesterEnv,
        listener: Box<dyn Listener>,
    ) -> Result<Self, IngesterError> {
        let time = ClusterTime::new(env.clock.clone());
        let env = IngesterEnv { clock: time.clock(), ..env };
        let bootstrap = bootstrap_of(&config, &env);
        let service = MetaService::new(&bootstrap, env.tasks.clone());
        let groups = Groups::new(env.clock.clone());
        let (losses, lost) = mpsc::unbounded_channel();
        let late = Late::new();
        let routes = Routes::new(RaftService::new(groups.clone(), losses))
            .add_service(service.clone().into_server())
            .add_service(IngestServer::new(late.ingest()).max_decoding_message_size(MESSAGE_BYTES))
            .add_service(SelectServer::new(late.select()).max_encoding_message_size(MESSAGE_BYTES));
        let nodes = env.nodes.clone();
        nodes.set_own(routes.clone());
        serve(listener, routes, env.nodes.hello().clone(), &env.clock, &env.tasks);

        let (identity, founding) = service.belong(&bootstrap).await?;
        if let Some(first) = &founding {
            first.addresses().for_each(|(node, address)| env.nodes.set_address(node, address));
        }
        let group_env = group_env(&config, &env, identity.node);
        let folder = config.folder.join(ShardId::META.to_string());
        let meta_group = Group::open(ShardId::META, MetaMachine::new(), folder, group_env.clone()).await?;
        groups.insert(&meta_group);
        pace(&groups, &group_env);
        let ends = Ends::new();
        ends.watch(&meta_group, &env.tasks);
        let metrics = Metrics::new(&env.registry);
        let own = ReplayLimit::new(config.snapshot_bytes.min(META_SNAPSHOT_BYTES)).share();
        let snapshots = take_snapshots(meta_group.clone(), own, env.clock.clone(), metrics.clone());
        env.tasks.spawn_until_stopped("meta-snapshots", snapshots);
        let steps = shard_steps(&env.nodes, &env.clock);
        let patience = Patience { replace_after: config.replace_after, move_slots_after: config.move_slots_after };
        let leader = Arc::new(Leader::new(meta_group.clone(), env.clock.clone(), steps, patience));
        service.serve(meta_group.clone(), leader.clone());
        if let Some(first) = founding.as_ref().filter(|first| first.meta_nodes().contains(&identity.node)) {
            first.give_birth(identity, &meta_group, &leader, &env.clock).await?;
        }
        env.tasks.spawn_until_stopped("meta-leader", async move { leader.run().await });

        let client = start_client(&config, &env);
        register(&config, &env, &client, &time, (identity, bootstrap.incarnation)).await?;
        let (budget, damage) = (MemoryBudget::new(config.memory_limit_bytes), Damage::default());
        let receiving = group_env.receiving.clone();
        let replicas = Replicas::new(ReplicasEnv {
            group: group_env,
            groups,
            folder: config.folder.join("shards"),
            nodes: env.nodes.clone(),
            client: client.clone(),
            metrics: metrics.clone(),
            budget: budget.clone(),
            reading: env.reading.clone(),
            shipper: shipper(&config, &env, &client, identity, (&time, &damage), metrics),
            damage,
            time: time.clone(),
            ends: ends.clone(),
            digest_every: config.digest_every,
            scrub_every: config.scrub_every,
            replay_limit: ReplayLimit::new(config.snapshot_bytes),
            max_exemplars: config.max_exemplars.clone(),
        });
        late.set(IngestService(replicas.clone()), SelectService(replicas.clone()));
        env.tasks.spawn_until_stopped("lost-connections", succeed(lost, meta_group.clone(), replicas.clone()));
        env.tasks.spawn_until_stopped("shard-map", replicas.clone().follow_map());
        let beats = Beats {
            own: identity.node,
            incarnation: bootstrap.incarnation,
            client: client.clone(),
            meta_group: meta_group.clone(),
            meta_service: service,
            budget,
            time,
            receiving,
        };
        let (noted, beating) = (ends.clone(), replicas.clone());
        env.tasks.spawn_until_stopped("beats", async move {
            noted.note(End::NotWanted(beats.run(beating).await));
        });
        Ok(Self { identity, meta_group, replicas, client, nodes, clock: env.clock, tasks: env.tasks, ends })
    }

    /// Who it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Follows meta, for other roles of the same process.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until this node can't go on, and says why; for ever if it can.
    pub async fn ended(&self) -> End {
        self.ends.noted().await
    }

    /// Whether every shard that the map puts on this node is open here and knows its leader; else what is missing.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn readiness(&self) -> Result<(), String> {
        let state = self.client.state();
        let Some(map) = &state.shard_map else { return Err("the shard map is not known yet".to_owned()) };
        for (shard, held) in map.shards.iter().filter(|(shard, _)| **shard != ShardId::META) {
            if !held.replicas.contains(&self.identity.node) {
                continue;
            }
            let replica = self.replicas.get(*shard).ok_or_else(|| format!("shard {shard} is not open yet"))?;
            if replica.group.status().leader.is_none() {
                return Err(format!("shard {shard} has no leader"));
            }
        }
        Ok(())
    }

    /// How the replicas of this node see their groups, meta's among them, whenever it is asked.
    pub fn observer(&self) -> impl Fn() -> Vec<(ShardId, GroupStatus)> + Send + Sync + use<> {
        let (meta_group, replicas) = (self.meta_group.clone(), self.replicas.clone());
        move || {
            let shards = replicas.all().into_iter().map(|replica| (replica.group.id(), replica.group.status()));
            [(ShardId::META, meta_group.status())].into_iter().chain(shards).collect()
        }
    }

    /// How many cuts of the shards on this node are not known to be in the bucket.
    pub async fn unshipped_cuts(&self) -> usize {
        let mut count = 0;
        for replica in self.replicas.all() {
            count += replica.group.view().await.1.unshipped_cuts().count();
        }
        count
    }

    /// Before which time, in ms, each shard on this node may have dropped data, and from which version on the catalog has their
    /// blocks.
    pub async fn held(&self) -> Vec<(ShardId, (i64, u64))> {
        let mut held = Vec::new();
        for replica in self.replicas.all() {
            held.push((replica.shard, replica.group.view().await.1.held_from()));
        }
        held
    }

    /// Hands all leaderships over, as far as others can take them, and stops. What is committed stays committed.
    pub async fn drain(&self, limit: Duration) {
        let meta_status = self.meta_group.status();
        if meta_status.standing == Standing::Leader {
            let own = self.identity.node;
            let heir =
                meta_status.replicated_count.iter().filter(|(node, _)| *node != own).max_by_key(|(_, count)| *count);
            if let Some((heir, _)) = heir
                && self.meta_group.transfer_leader(*heir).await.is_ok()
            {
                let left = self.meta_group.wait_for(|status| status.standing != Standing::Leader);
                if self.clock.timeout(limit / 2, left).await.is_none() {
                    tracing::warn!("meta was not handed over in time");
                }
            }
        }
        self.replicas.hand_over_all(limit / 2).await;
        self.nodes.forget_own();
        self.replicas.shutdown().await;
        self.meta_group.shutdown().await;
        self.tasks.stop();
        self.tasks.wait().await;
    }
}

fn bootstrap_of(config: &IngesterConfig, env: &IngesterEnv) -> Bootstrap {
    Bootstrap {
        address: config.address.clone(),
        zone: config.zone.clone(),
        peers: config.peers.clone(),
        expect: config.expect,
        birth: config.birth,
        incarnation: env.rng.u64(),
        nodes: env.nodes.clone(),
        file: IdentityFile::new(env.disk.clone(), config.folder.join("identity.json")),
        clock: env.clock.clone(),
        rng: env.rng.fork(),
    }
}

/// Lets the groups of a node live by one timer, and speak to other nodes in one message.
fn pace(groups: &Groups, env: &GroupEnv) {
    let (paced, heartbeat) = (groups.clone(), env.timing.heartbeat);
    env.tasks.spawn_until_stopped("raft-pace", async move { paced.pace(heartbeat).await });
    let (speaking, own, network, tasks) = (groups.clone(), env.node, env.network.clone(), env.tasks.clone());
    env.tasks.spawn_until_stopped("pulses", async move { speaking.pulse(own, network, &tasks).await });
}

fn group_env(config: &IngesterConfig, env: &IngesterEnv, node: NodeId) -> GroupEnv {
    let receiving = Throttle::new(env.clock.clone(), config.move_bytes_per_second);
    GroupEnv {
        node,
        timing: config.timing,
        log_tail: config.log_tail,
        log: env.log.clone(),
        disk: env.disk.clone(),
        network: Arc::new(RaftNetwork::new(env.nodes.clone(), env.clock.clone(), env.tasks.clone())),
        clock: env.clock.clone(),
        tasks: env.tasks.clone(),
        applying: env.applying.clone(),
        saving: env.saving.clone(),
        receiving,
    }
}

fn start_client(config: &IngesterConfig, env: &IngesterEnv) -> Client {
    let mut seeds = config.peers.clone();
    if !seeds.contains(&config.address) {
        seeds.push(config.address.clone());
    }
    let (nodes, clock, rng) = (env.nodes.clone(), env.clock.clone(), env.rng.fork());
    Client::start(ClientConfig { seeds, catalog: true, nodes, clock, rng }, &env.tasks)
}

fn shipper(
    config: &IngesterConfig,
    env: &IngesterEnv,
    client: &Client,
    identity: Identity,
    (time, damage): (&ClusterTime, &Damage),
    metrics: Metrics,
) -> Shipper {
    Shipper {
        bucket: env.bucket.clone(),
        client: client.clone(),
        cluster_id: identity.cluster_id,
        retention_ms: config.local_retention.as_millis() as i64,
        building: env.saving.clone(),
        damage: damage.clone(),
        clock: env.clock.clone(),
        time: time.clone(),
        rng: env.rng.fork(),
        metrics,
    }
}

/// Tells meta where this node lives now. Tries until meta has said yes or no: without it nobody would find the node.
async fn register(
    config: &IngesterConfig,
    env: &IngesterEnv,
    client: &Client,
    time: &ClusterTime,
    (identity, incarnation): (Identity, u64),
) -> Result<(), IngesterError> {
    loop {
        let request = wire::RegisterRequest {
            node_id: identity.node.0,
            address: config.address.clone(),
            zone: config.zone.clone(),
            incarnation,
            nonce: 0,
            feature_level: meta::FEATURE_LEVEL,
        };
        let asked = env.clock.now();
        match client.register(request, REGISTER_LIMIT).await {
            Ok(reply) => {
                time.hear(asked, reply.wall_ms);
                return Ok(());
            }
            Err(error) if error.kind == transport::ErrorKind::Rejected => {
                return Err(IngesterError::Ended(error.message));
            }
            Err(error) => tracing::info!(%error, "waiting for meta"),
        }
        env.clock.sleep(Duration::from_millis(200)).await;
    }
}

/// How the leader of meta reaches the leaders of shards.
fn shard_steps(nodes: &Nodes, clock: &Clock) -> ShardSteps {
    ShardSteps {
        change_replicas: change_replicas(nodes.clone(), clock.clone()),
        give_slot: give_slot(nodes.clone(), clock.clone()),
    }
}

fn client_of(nodes: &Nodes, node: NodeId) -> Result<transport::Client, RpcError> {
    let unknown = || RpcError::new(transport::ErrorKind::Unavailable, format!("nobody knows where node {node} lives"));
    nodes.client(node).ok_or_else(unknown)
}

fn give_slot(nodes: Nodes, clock: Clock) -> GiveSlot {
    Arc::new(move |leader, it, to_leader| {
        let (client, clock) = (client_of(&nodes, leader), clock.clone());
        let (slot, to_leader) = (u32::from(it.slot.0), to_leader.0);
        let request = ingest::GiveSlotRequest { r#move: it.id, slot, from: it.from.0, to: it.to.0, to_leader };
        async move { deadline(&clock, GIVE_LIMIT, IngestClient::new(client?).give_slot(request)).await.map(drop) }
            .boxed()
    })
}

fn change_replicas(nodes: Nodes, clock: Clock) -> ChangeReplicas {
    Arc::new(move |leader, shard, wanted, map_epoch| {
        let (client, clock) = (client_of(&nodes, leader), clock.clone());
        async move {
            let client = client?;
            let replicas = wanted.iter().map(|node| node.0).collect();
            let request = ingest::ChangeReplicasRequest { shard: shard.0, replicas, map_epoch };
            let reply = deadline(&clock, STEP_LIMIT, IngestClient::new(client).change_replicas(request)).await?;
            Ok(if reply.done { Step::Done } else { Step::Waiting(reply.progress) })
        }
        .boxed()
    })
}

/// Seeks other leaders for the groups that a lost node led.
async fn succeed(mut lost: mpsc::UnboundedReceiver<NodeId>, meta_group: Group<MetaMachine>, replicas: Arc<Replicas>) {
    while let Some(node) = lost.recv().await {
        tracing::debug!(%node, "its connection to this node broke");
        let (meta_group, replicas) = (meta_group.clone(), replicas.clone());
        replicas.clone().tasks().spawn_until_stopped("succession", async move {
            let (clock, groups) = (replicas.clock(), replicas.all());
            let all = groups.iter().map(|replica| replica.group.succeed(node, clock));
            tokio::join!(meta_group.succeed(node, clock), join_all(all));
        });
    }
}
