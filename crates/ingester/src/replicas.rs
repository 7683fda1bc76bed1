//! The shards of this node: those that the shard map puts here, and no others.

mod forced;
mod rebuild;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consensus::{Group, GroupEnv, GroupError, Groups, Standing};
use futures::future::join_all;
use meta::{Birth, Client};
use model::{NodeId, ShardId};
use parking_lot::{Mutex, RwLock};
use raftlog::{forget_group, remove_group};
use ring::{Shard, ShardMap};
use shard::ShardMachine;
use stdx::{Clock, CpuPool, Tasks};
use tokio::sync::watch;
use tokio::time::Instant;
use transport::{ErrorKind, Nodes, RpcError};

use crate::batch::Batcher;
use crate::budget::MemoryBudget;
use crate::damage::Damage;
use crate::digests;
use crate::end::Ends;
use crate::limits::{keep_limits, limits_of};
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::scrub::scrub;
use crate::ship::Shipper;
use crate::snapshots::{ReplayLimit, take_snapshots};
use crate::time::ClusterTime;

/// A shard that the map no longer puts here is kept for so long, for reads that are under way.
const LINGER: Duration = Duration::from_secs(5);
/// The pause between two looks for shards to open or to close, if the map stays as it is.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long the leader of meta may take to say what the map is.
const ASK_LIMIT: Duration = Duration::from_secs(2);
/// Meta's leader says in the map who is to join a shard, and asks the shard for it no sooner than after its next look: for so
/// long, and a good deal longer, its answer holds that a replica is not wanted.
const NOTICE: Duration = Duration::from_millis(100);
/// A leader hands over to the preferred one after leading undisturbed for so long.
const SETTLED: Duration = Duration::from_secs(10);

/// What the replicas of a node are made with.
pub(crate) struct ReplicasEnv {
    pub(crate) group: GroupEnv,
    pub(crate) groups: Groups,
    /// Where the snapshots of all shards lie, a folder for each.
    pub(crate) folder: PathBuf,
    pub(crate) nodes: Nodes,
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
    pub(crate) budget: MemoryBudget,
    /// Runs reads.
    pub(crate) reading: CpuPool,
    pub(crate) shipper: Shipper,
    pub(crate) damage: Damage,
    /// Where it is noted that a shard has failed.
    pub(crate) ends: Ends,
    pub(crate) digest_every: Duration,
    pub(crate) scrub_every: Duration,
    /// The cluster's time.
    pub(crate) time: ClusterTime,
    pub(crate) replay_limit: ReplayLimit,
    /// How many exemplars all shards keep together; `None` as long as that is not known.
    pub(crate) max_exemplars: watch::Receiver<Option<u64>>,
}

/// The shards of this node.
pub(crate) struct Replicas {
    env: ReplicasEnv,
    open: RwLock<BTreeMap<ShardId, Arc<Replica>>>,
    /// Shards that are to be built anew here, and of which nothing is left.
    dropped: Mutex<BTreeSet<ShardId>>,
}

impl Replicas {
    pub(crate) fn new(env: ReplicasEnv) -> Arc<Self> {
        Arc::new(Self { env, open: RwLock::default(), dropped: Mutex::default() })
    }

    pub(crate) fn get(&self, shard: ShardId) -> Option<Arc<Replica>> {
        self.open.read().get(&shard).cloned()
    }

    pub(crate) fn require(&self, shard: ShardId) -> Result<Arc<Replica>, RpcError> {
        let missing = || match self.damage().of(shard) {
            Some(what) => {
                RpcError::new(ErrorKind::Unavailable, format!("shard {shard} can't be opened on this node: {what}"))
            }
            None => RpcError::new(ErrorKind::NotLeader(None), format!("shard {shard} is not on this node")),
        };
        self.get(shard).ok_or_else(missing)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Replica>> {
        self.open.read().values().cloned().collect()
    }

    /// Who is to hold a shard, if this node knows a newer map than that of a version. 0: a version that nobody told.
    pub(crate) fn wanted_since(&self, shard: ShardId, map_epoch: u64) -> Option<BTreeSet<NodeId>> {
        let state = self.env.client.state();
        let map = state.shard_map.as_ref().filter(|map| map_epoch != 0 && map.epoch > map_epoch)?;
        Some(map.shards.get(&shard)?.wanted().into_iter().collect())
    }

    /// What is found to be damaged here.
    pub(crate) fn damage(&self) -> &Damage {
        &self.env.damage
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.env.group.clock
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.env.group.tasks
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.env.nodes
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.env.metrics
    }

    pub(crate) fn reading(&self) -> &CpuPool {
        &self.env.reading
    }

    fn node(&self) -> NodeId {
        self.env.group.node
    }

    /// Opens and closes shards as the map says, for ever.
    pub(crate) async fn follow_map(self: Arc<Self>) {
        let mut states = self.env.client.watch();
        // When shards that the map does not put here any more are to be closed.
        let mut closing: BTreeMap<ShardId, Instant> = BTreeMap::new();
        loop {
            let state = states.borrow_and_update().clone();
            if let (Some(map), Some(birth)) = (&state.shard_map, state.birth) {
                self.open_wanted(map, birth).await;
                self.close_unwanted(map, &mut closing).await;
                self.drop_rebuilt(map).await;
                self.go_on_alone(map).await;
            }
            let look_again = self.clock().sleep(LOOK_AGAIN);
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = look_again => {}
            }
        }
    }

    fn is_here(&self, shard: &Shard) -> bool {
        shard.replicas.contains(&self.node()) || shard.joining.contains(&self.node())
    }

    async fn open_wanted(&self, map: &ShardMap, birth: Birth) {
        let wanted = map.shards.iter().filter(|(id, shard)| **id != ShardId::META && self.is_here(shard));
        for (id, shard) in wanted {
            match self.get(*id) {
                None if self.damage().of(*id).is_none() => self.open_or_say_why(*id, birth).await,
                // One that was let in for nothing before it began anew.
                Some(replica) if shard.born_on.contains(&self.node()) => self.set_up(&replica).await,
                _ => {}
            }
        }
    }

    /// Closes replicas that were not wanted for a while, if the leader of meta says the same.
    async fn close_unwanted(&self, map: &ShardMap, closing: &mut BTreeMap<ShardId, Instant>) {
        let now = self.clock().now();
        let is_wanted = |map: &ShardMap, id: ShardId| map.shards.get(&id).is_some_and(|shard| self.is_here(shard));
        let unwanted: Vec<_> = self.all().into_iter().filter(|replica| !is_wanted(map, replica.shard)).collect();
        closing.retain(|id, _| unwanted.iter().any(|replica| replica.shard == *id));
        for replica in unwanted {
            if *closing.entry(replica.shard).or_insert(now + LINGER) > now {
                continue;
            }
            let id = replica.shard;
            if stdx::makes_mistake("close on hearsay") || self.is_surely(id, |newest| !is_wanted(newest, id)).await {
                self.close(replica).await;
            }
        }
    }

    /// Whether the leader of meta says this of the map at this moment.
    ///
    /// A replica that comes back is only safe with what it had: its shard counts on it again. So nothing is removed on
    /// hearsay, nor if the answer may have become old: the leader of meta gives notice of so long.
    async fn is_surely(&self, id: ShardId, holds: impl Fn(&ShardMap) -> bool) -> bool {
        let asked = self.clock().now();
        match self.env.client.newest_shard_map(ASK_LIMIT).await {
            Ok(newest) if !holds(&newest) => false,
            Ok(_) if self.clock().now() - asked < NOTICE => true,
            Ok(_) => {
                tracing::debug!(shard = %id, "the answer came late");
                false
            }
            Err(error) => {
                tracing::debug!(shard = %id, %error, "nobody says that it may be closed");
                false
            }
        }
    }

    async fn open_or_say_why(&self, id: ShardId, birth: Birth) {
        match self.open(id, birth).await {
            Ok(()) => {}
            Err(OpenError::Group(GroupError::Damaged(_, what))) => self.damage().note(id, &what),
            // The next look tries again; until then the shard lives from its other replicas.
            Err(error) => tracing::error!(shard = %id, error = %telemetry_chain(&error), "a replica can't be opened"),
        }
    }

    async fn open(&self, id: ShardId, birth: Birth) -> Result<(), OpenError> {
        let env = &self.env;
        let tasks = env.group.tasks.child();
        let folder = env.folder.join(id.to_string());
        let machine = ShardMachine::new(limits_of(birth));
        let founders = self.founders_if_empty(id).await?;
        let group = Group::open(id, machine, folder, env.group.clone()).await?;
        env.groups.insert(&group);
        if founders.contains(&self.node()) {
            group.initialize(founders).await?;
        }
        let clock = env.group.clock.clone();
        let (budget, meta) = (env.budget.clone(), env.client.clone());
        let batcher = Batcher::start(group.clone(), budget, env.metrics.clone(), env.time.clone(), meta, &tasks);
        let replica = Replica::new(group, batcher, env.nodes.clone(), clock, tasks.clone());
        tasks.spawn_until_stopped(
            "shard-snapshots",
            take_snapshots(
                replica.group.clone(),
                env.replay_limit.share(),
                replica.clock().clone(),
                env.metrics.clone(),
            ),
        );
        tasks.spawn_until_stopped("shard-preferred", hand_over(replica.clone(), env.client.clone(), self.node()));
        env.ends.watch(&replica.group, &tasks);
        tasks.spawn_until_stopped(
            "shard-digests",
            digests::keep(replica.clone(), env.digest_every, env.reading.clone()),
        );
        let scrubbing = scrub(replica.clone(), env.scrub_every, env.reading.clone(), env.damage.clone());
        tasks.spawn_until_stopped("shard-scrub", scrubbing);
        let limiting = keep_limits(replica.clone(), env.max_exemplars.clone(), birth.shards);
        tasks.spawn_until_stopped("shard-limits", limiting);
        tasks.spawn_until_stopped("shard-ship", env.shipper.clone().run(replica.clone()));
        self.open.write().insert(id, replica);
        tracing::info!(shard = %id, "replica opened");
        Ok(())
    }

    /// Who may set up a shard; nobody if this node has entries of it.
    async fn founders_if_empty(&self, id: ShardId) -> Result<Vec<NodeId>, OpenError> {
        let log = self.env.group.log.clone();
        let state = self.env.group.saving.run(move || log.state(id.0)).await?;
        if state.entries.is_some() || state.purged.is_some() {
            return Ok(Vec::new());
        }
        let founders = self.founders(id).await?;
        if state.promised.is_some() && founders.contains(&self.node()) {
            // All who had it are lost for ever, and with them what was promised.
            forget_group(&*self.env.group.log, id.0).await?;
        }
        Ok(founders)
    }

    /// Who may set up a shard that is empty here. What the map was once must not be believed: a shard that lives elsewhere by
    /// now would be set up a second time, without its data.
    async fn founders(&self, id: ShardId) -> Result<Vec<NodeId>, RpcError> {
        let newest = self.env.client.newest_shard_map(ASK_LIMIT).await?;
        Ok(newest.shards.get(&id).map(|shard| shard.born_on.clone()).unwrap_or_default())
    }

    /// Lets a shard go that the map no longer puts here: its data are on the nodes that took it over.
    async fn close(&self, replica: Arc<Replica>) {
        let id = replica.shard;
        self.take_off(&replica).await;
        match self.remove(id).await {
            Ok(()) => tracing::info!(shard = %id, "replica closed and removed"),
            Err(error) => tracing::error!(shard = %id, %error, "the files of a replica can't be removed"),
        }
    }

    /// Stops a replica, and finds it no more: the next look opens it again if it is wanted.
    async fn take_off(&self, replica: &Replica) {
        self.open.write().remove(&replica.shard);
        self.env.groups.remove(replica.shard);
        stop(replica).await;
    }

    /// Removes what the disk has of a shard that is not open, but for what its other replicas count on.
    async fn remove(&self, id: ShardId) -> io::Result<()> {
        remove_group(&*self.env.group.log, id.0).await?;
        let (disk, folder) = (self.env.group.disk.clone(), self.env.folder.join(id.to_string()));
        self.env.group.saving.run(move || disk.remove_folder(&folder)).await?;
        self.damage().forget(id);
        Ok(())
    }

    /// Hands every shard that this node leads to somebody else, as far as there is somebody. Returns when that is done, or
    /// after `limit`.
    pub(crate) async fn hand_over_all(&self, limit: Duration) {
        let handing = join_all(self.all().into_iter().map(|replica| async move {
            let Some(heir) = heir(&replica, self.node()) else { return };
            if replica.group.transfer_leader(heir).await.is_ok() {
                replica.group.wait_for(|status| status.standing != Standing::Leader).await;
            }
        }));
        if self.clock().timeout(limit, handing).await.is_none() {
            tracing::warn!(?limit, "not every shard was handed over in time");
        }
    }

    /// Stops all shards. What is committed stays committed.
    pub(crate) async fn shutdown(&self) {
        join_all(self.all().iter().map(|replica| stop(replica))).await;
    }
}

/// Stops a replica. Its group ends first: entries that can't be committed any more are waited for by tasks.
async fn stop(replica: &Replica) {
    replica.tasks.stop();
    replica.group.shutdown().await;
    replica.tasks.wait().await;
}

/// The voter that is nearest to having everything, other than this node; `None` if this node does not lead or is alone.
fn heir(replica: &Replica, own: NodeId) -> Option<NodeId> {
    let status = replica.group.status();
    let candidates = status.replicated_count.iter().filter(|(node, _)| *node != own && status.voters.contains(node));
    let heir = candidates.max_by_key(|(_, count)| *count).map(|(node, _)| *node);
    heir.filter(|_| status.standing == Standing::Leader)
}

/// Hands leadership to the replica that the map prefers, so that leaders are spread as placement means them to be.
async fn hand_over(replica: Arc<Replica>, client: Client, own: NodeId) {
    loop {
        let Some(led) = replica.group.wait_for(|status| status.standing == Standing::Leader).await else { return };
        let left = replica.group.wait_for(|status| status.standing != Standing::Leader || status.term != led.term);
        if replica.clock().timeout(SETTLED, left).await.is_some() {
            continue;
        }
        let preferred = client.state().shard_map.as_ref().and_then(|map| map.replicas(replica.shard).first().copied());
        let up: BTreeSet<NodeId> = client.state().nodes_up().map(|(node, _)| node).collect();
        let status = replica.group.status();
        let has = |node: NodeId| {
            status.replicated_count.iter().any(|(id, count)| *id == node && *count + 8 >= status.log_count)
        };
        if let Some(heir) = preferred.filter(|node| *node != own && up.contains(node) && has(*node)) {
            tracing::info!(shard = %replica.shard, %heir, "handing over to the preferred leader");
            if replica.group.transfer_leader(heir).await.is_err() {
                return;
            }
        }
    }
}

/// Why a replica can't be opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    /// Its disk.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// Its log.
    #[error("look for the shard in the Raft log")]
    Log(#[from] io::Error),
    /// Nobody says whether it is to be set up.
    #[error("learn whether the shard is new")]
    Meta(#[from] RpcError),
}

/// An error with what caused it.
fn telemetry_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
