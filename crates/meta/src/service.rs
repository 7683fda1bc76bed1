//! What meta answers.

mod watchers;

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use consensus::{Group, Standing};
use futures::Stream;
use model::NodeId;
use parking_lot::Mutex;
use proto::meta;
use proto::meta::command::Command;
use proto::meta::meta_server::{Meta, MetaServer};
use stdx::{Clock, Tasks};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use transport::{ErrorKind, RpcError};

use crate::bootstrap::{Belonging, Bootstrap, BootstrapError, Formation, identity_to_proto};
use crate::feature::{self, LEAVING_SCRAPERS, level_of};
use crate::identity::{Founding, Identity};
use crate::leader::{LEASE, Leader};
use crate::machine::{MetaMachine, founders_of};
use crate::state::{ClusterState, ScraperMember};
use crate::wire;
use watchers::Watchers;

/// How often a watcher is told that the stream still speaks for the cluster.
const WATCH_PULSE: Duration = Duration::from_secs(1);
/// A replica that has not heard of its group for longer lets its watchers go to others. Longer than an election takes.
const OUT_OF_TOUCH: Duration = Duration::from_secs(3);

/// The Meta service of a node.
///
/// It answers from the start of the process: before the node belongs to a cluster, to those who look for one; afterwards, for
/// the meta replica of the node, if it has one.
#[derive(Clone)]
pub struct MetaService(Arc<Inner>);

struct Inner {
    address: String,
    zone: String,
    bootstrap_expect: u32,
    identity: OnceLock<Identity>,
    formations: mpsc::Sender<Formation>,
    waiting: Mutex<Option<mpsc::Receiver<Formation>>>,
    replica: OnceLock<Replica>,
    watchers: Watchers,
    clock: Clock,
    tasks: Tasks,
}

/// The meta replica of this node.
#[derive(Clone)]
struct Replica {
    group: Group<MetaMachine>,
    leader: Arc<Leader>,
}

impl MetaService {
    /// The service of a node that is about to run `bootstrap`.
    pub fn new(bootstrap: &Bootstrap, tasks: Tasks) -> Self {
        let (formations, waiting) = mpsc::channel(8);
        Self(Arc::new(Inner {
            address: bootstrap.address.clone(),
            zone: bootstrap.zone.clone(),
            bootstrap_expect: bootstrap.expect,
            identity: OnceLock::new(),
            formations,
            waiting: Mutex::new(Some(waiting)),
            replica: OnceLock::new(),
            watchers: Watchers::default(),
            clock: bootstrap.clock.clone(),
            tasks,
        }))
    }

    /// The service, to be added to a server.
    pub fn into_server(self) -> MetaServer<Self> {
        MetaServer::new(self)
    }

    /// Waits until this node belongs to a cluster, and returns who it is and, if it was there when the cluster was formed,
    /// how meta is to be set up.
    ///
    /// # Errors
    /// See [`BootstrapError`].
    ///
    /// # Panics
    /// If it is called twice.
    pub async fn belong(&self, bootstrap: &Bootstrap) -> Result<(Identity, Option<FirstMembers>), BootstrapError> {
        let mut waiting = self.0.waiting.lock().take().expect("a node belongs to a cluster once");
        let Belonging { identity, founding } = bootstrap.run(&mut waiting).await?;
        let set = self.0.identity.set(identity);
        debug_assert!(set.is_ok(), "nobody else sets it");
        Ok((identity, founding.map(FirstMembers)))
    }

    /// From now on the node answers for its meta replica.
    ///
    /// # Panics
    /// If it is called twice.
    pub fn serve(&self, group: Group<MetaMachine>, leader: Arc<Leader>) {
        let set = self.0.replica.set(Replica { group, leader });
        assert!(set.is_ok(), "a node has one meta replica");
    }

    /// The lowest feature level of those who follow the cluster's state through this node; `None` if nobody does.
    pub fn watchers_level(&self) -> Option<u32> {
        self.0.watchers.lowest()
    }

    fn replica(&self) -> Result<&Replica, RpcError> {
        self.0.replica.get().ok_or_else(|| RpcError::new(ErrorKind::NotLeader(None), "this node has no part in meta"))
    }

    /// The replica, if it leads and has everything that was committed.
    async fn leading(&self) -> Result<&Replica, RpcError> {
        let replica = self.replica()?;
        let count = replica.group.read_index().await?;
        replica.group.applied(count).await;
        Ok(replica)
    }
}

/// How meta is set up by those who were there when the cluster was formed.
#[derive(Clone, Debug)]
pub struct FirstMembers(Founding);

impl FirstMembers {
    /// The nodes that hold meta from the start.
    pub fn meta_nodes(&self) -> Vec<NodeId> {
        let host = |member: meta::Member| ring::Host { node: NodeId(member.node_id), zone: member.zone };
        founders_of(&self.0.members().into_iter().map(host).collect::<Vec<_>>())
    }

    /// Every member and where it lives.
    pub fn addresses(&self) -> impl Iterator<Item = (NodeId, &str)> {
        self.0.members.iter().map(|member| (NodeId(member.node_id), member.address.as_str()))
    }

    /// Sets up the group and proposes the cluster's birth, until it is born.
    ///
    /// # Errors
    /// If the group has stopped.
    pub async fn give_birth(
        &self,
        identity: Identity,
        group: &Group<MetaMachine>,
        leader: &Leader,
        clock: &Clock,
    ) -> Result<(), consensus::GroupError> {
        group.initialize(self.meta_nodes()).await?;
        let birthday = meta::Birthday {
            cluster: Some(meta::Cluster {
                cluster_id: wire::id_to_proto(identity.cluster_id),
                birth: Some(self.0.birth()),
                founders: Vec::new(),
            }),
            members: self.0.members(),
        };
        while group.view().await.1.state().birth.is_none() {
            if group.status().standing == Standing::Leader
                && let Err(error) = leader.propose(Command::Birthday(birthday.clone())).await
            {
                tracing::debug!(%error, "the cluster could not be born yet");
            }
            clock.sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

type Stream_<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Meta for MetaService {
    type WatchStream = Stream_<meta::WatchReply>;

    async fn discover(&self, _: Request<meta::DiscoverRequest>) -> Result<Response<meta::DiscoverReply>, Status> {
        Ok(Response::new(meta::DiscoverReply {
            identity: self.0.identity.get().copied().map(identity_to_proto),
            address: self.0.address.clone(),
            zone: self.0.zone.clone(),
            bootstrap_expect: self.0.bootstrap_expect,
        }))
    }

    async fn form(&self, request: Request<meta::FormRequest>) -> Result<Response<meta::FormReply>, Status> {
        let request = request.into_inner();
        if let Some(identity) = self.0.identity.get() {
            let same = request.identity == Some(identity_to_proto(*identity));
            let message = format!("this is node {} of cluster {:032x} already", identity.node, identity.cluster_id);
            let refused = || RpcError::new(ErrorKind::Rejected, message);
            return if same { Ok(Response::new(meta::FormReply {})) } else { Err(refused().into()) };
        }
        let busy = || RpcError::new(ErrorKind::Unavailable, "this node is not listening to founders now");
        let (answer, answered) = oneshot::channel();
        self.0.formations.send((request, answer)).await.map_err(|_| busy())?;
        let accepted = answered.await.map_err(|_| busy())?;
        accepted.map_err(|why| RpcError::new(ErrorKind::Rejected, why))?;
        Ok(Response::new(meta::FormReply {}))
    }

    async fn register(&self, request: Request<meta::RegisterRequest>) -> Result<Response<meta::RegisterReply>, Status> {
        let replica = self.leading().await?;
        if replica.group.view().await.1.state().birth.is_none() && !stdx::makes_mistake("refuse before birth") {
            // It will be in a moment. Whoever is refused for good gives its identity up.
            return Err(RpcError::new(ErrorKind::Unavailable, "the cluster is not born yet").into());
        }
        let request = request.into_inner();
        let who = format!("the node at {}", request.address);
        feature::check(replica.group.view().await.1.state(), who, request.feature_level)?;
        let registered = meta::RegisterRequest { feature_level: 0, ..request };
        let answer = replica.leader.propose(Command::Register(registered)).await?;
        let cluster_id = replica.group.view().await.1.state().cluster_id;
        let identity = Identity { cluster_id, node: NodeId(answer.node_id) };
        let wall_ms = replica.leader.wall_ms();
        Ok(Response::new(meta::RegisterReply { identity: Some(identity_to_proto(identity)), wall_ms }))
    }

    async fn beat(&self, request: Request<meta::BeatRequest>) -> Result<Response<meta::BeatReply>, Status> {
        let replica = self.replica()?;
        let status = replica.group.status();
        if status.standing != Standing::Leader {
            return Err(RpcError::new(ErrorKind::NotLeader(status.leader), "this node does not lead meta").into());
        }
        let request = request.into_inner();
        let who = format!("node {}", request.node_id);
        feature::check(replica.group.view().await.1.state(), who, request.feature_level)?;
        replica.leader.beat(request)?;
        Ok(Response::new(meta::BeatReply { wall_ms: replica.leader.wall_ms() }))
    }

    async fn lease(&self, request: Request<meta::LeaseRequest>) -> Result<Response<meta::LeaseReply>, Status> {
        // A deposed leader must not prolong a lease that its successor lets run out.
        let replica = self.leading().await?;
        let request = request.into_inner();
        let state = replica.group.view().await.1.into_state();
        feature::check(&state, format_args!("scraper {:?}", request.name), request.feature_level)?;
        if request.leaving && state.feature_level < LEAVING_SCRAPERS {
            let message = "not all nodes know yet that scrapers may be about to leave: leave at once";
            return Err(RpcError::new(ErrorKind::Rejected, message).into());
        }
        if state.scrapers.get(&request.name) != Some(&ScraperMember::asked_for(&request)) {
            // What changes with each renewal is not replicated.
            let member = meta::LeaseRequest { acting_epoch: None, feature_level: 0, ..request.clone() };
            replica.leader.propose(Command::ScraperJoin(member)).await?;
        }
        replica.leader.renew(&request);
        let state = replica.group.view().await.1.into_state();
        Ok(Response::new(meta::LeaseReply {
            epoch: state.scraper_epoch,
            lease_ms: LEASE.as_millis() as i64,
            wall_ms: replica.leader.wall_ms(),
            settled_epoch: replica.leader.settle(&state),
        }))
    }

    async fn leave(&self, request: Request<meta::LeaveRequest>) -> Result<Response<meta::LeaveReply>, Status> {
        let replica = self.leading().await?;
        let request = request.into_inner();
        let name = request.name.clone();
        replica.leader.propose(Command::ScraperLeave(request)).await?;
        replica.leader.forget(&name);
        Ok(Response::new(meta::LeaveReply {}))
    }

    async fn watch(&self, request: Request<meta::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let replica = self.replica()?.clone();
        let request = request.into_inner();
        feature::check(
            replica.group.view().await.1.state(),
            "whoever follows the cluster's state",
            request.feature_level,
        )?;
        let (sender, replies) = mpsc::channel(4);
        let (clock, watchers) = (self.0.clock.clone(), self.0.watchers.clone());
        self.0.tasks.spawn_until_stopped("meta-watch", async move {
            let _counted = watchers.count(level_of(request.feature_level));
            watch(replica, request.version, request.catalog, clock, sender).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    async fn add_blocks(
        &self,
        request: Request<meta::AddBlocksRequest>,
    ) -> Result<Response<meta::AddBlocksReply>, Status> {
        let replica = self.leading().await?;
        let answer = replica.leader.propose(Command::AddBlocks(request.into_inner())).await?;
        Ok(Response::new(meta::AddBlocksReply { version: answer.version }))
    }

    async fn mend_catalog(
        &self,
        request: Request<meta::MendCatalogRequest>,
    ) -> Result<Response<meta::MendCatalogReply>, Status> {
        let replica = self.leading().await?;
        let answer = replica.leader.propose(Command::MendCatalog(request.into_inner())).await?;
        Ok(Response::new(meta::MendCatalogReply { version: answer.version }))
    }

    async fn drain(&self, request: Request<meta::DrainRequest>) -> Result<Response<meta::DrainReply>, Status> {
        self.leading().await?.leader.propose(Command::Drain(request.into_inner())).await?;
        Ok(Response::new(meta::DrainReply {}))
    }

    async fn remove(&self, request: Request<meta::RemoveRequest>) -> Result<Response<meta::RemoveReply>, Status> {
        let replica = self.leading().await?;
        let request = request.into_inner();
        let state = replica.group.view().await.1.into_state();
        let node = NodeId(request.node_id);
        let held = state.replicas_on(node);
        if held > 0 && !request.force {
            let message = format!("node {node} holds {held} replicas: drain it first");
            return Err(RpcError::new(ErrorKind::Rejected, message).into());
        }
        replica.leader.propose(Command::NodeGone(request.node_id)).await?;
        Ok(Response::new(meta::RemoveReply {}))
    }

    async fn place(&self, request: Request<meta::PlaceRequest>) -> Result<Response<meta::PlaceReply>, Status> {
        let replica = self.leading().await?;
        let state = replica.group.view().await.1.into_state();
        Ok(Response::new(replica.leader.place(&state, request.into_inner()).await?))
    }

    async fn move_slot(
        &self,
        request: Request<meta::MoveSlotRequest>,
    ) -> Result<Response<meta::MoveSlotReply>, Status> {
        let replica = self.leading().await?;
        let state = replica.group.view().await.1.into_state();
        Ok(Response::new(replica.leader.move_slot(&state, request.into_inner()).await?))
    }

    async fn status(&self, _: Request<meta::StatusRequest>) -> Result<Response<meta::StatusReply>, Status> {
        let replica = self.leading().await?;
        let state = replica.group.view().await.1.into_state();
        Ok(Response::new(status(&state, replica, self.0.identity.get().map_or(0, |identity| identity.node.0))))
    }
}

/// Tells a watcher everything, then what is new, until it leaves or this replica is out of touch with its group.
async fn watch(
    replica: Replica,
    mut version: u64,
    catalog: bool,
    clock: Clock,
    sender: mpsc::Sender<Result<meta::WatchReply, Status>>,
) {
    let mut applied = replica.group.watch_applied();
    loop {
        applied.borrow_and_update();
        if !replica.group.is_in_touch(OUT_OF_TOUCH).await {
            // What this replica has may be old, and nobody would notice.
            let lost = RpcError::new(ErrorKind::Unavailable, "this meta node is out of touch with its group");
            drop(sender.send(Err(lost.into())).await);
            return;
        }
        let view = replica.group.view().await.1;
        let reply = news(&view, version, catalog, &replica);
        version = view.state().version;
        if sender.send(Ok(reply)).await.is_err() {
            return;
        }
        tokio::select! {
            changed = applied.changed() => if changed.is_err() { return },
            () = clock.sleep(WATCH_PULSE) => {}
            () = sender.closed() => return,
        }
    }
}

fn news(view: &crate::MetaView, version: u64, catalog: bool, replica: &Replica) -> meta::WatchReply {
    use meta::change::Change as Wire;
    let hint = |(shard, node): (model::ShardId, NodeId)| meta::LeaderHint { shard: shard.0, node_id: node.0 };
    let leaders = replica.leader.shard_leaders().into_iter().map(hint).collect();
    let is_wanted =
        |change: &meta::Change| catalog || !matches!(change.change, Some(Wire::Block(_) | Wire::RemovedBlock(_)));
    let (whole, changes) = match (version, view.changes_since(version)) {
        (1.., Some(recent)) => {
            (false, recent.iter().flat_map(|changes| changes.iter()).map(wire::change_to_proto).collect())
        }
        _ => (true, view.state().whole(catalog).iter().map(wire::change_to_proto).collect::<Vec<_>>()),
    };
    let changes = changes.into_iter().filter(is_wanted).collect();
    meta::WatchReply { version: view.state().version, whole, changes, leaders }
}

fn status(state: &ClusterState, replica: &Replica, own: u64) -> meta::StatusReply {
    let (beats, leases, now) = (replica.leader.beats(), replica.leader.leases(), replica.leader.now());
    let silence = |at: tokio::time::Instant| now.duration_since(at).as_millis() as i64;
    let nodes = state.nodes.iter().map(|(id, node)| {
        let beat = beats.get(id);
        meta::NodeStatus {
            node: Some(wire::node_to_proto(*id, node)),
            silent_ms: beat.map_or(-1, |beat| silence(beat.at)),
            replicas: beat.map_or_else(Vec::new, |beat| beat.request.replicas.clone()),
            memory_bytes: beat.map_or(0, |beat| beat.request.memory_bytes),
            received_bytes: beat.map_or(0, |beat| beat.request.received_bytes),
            receives_bytes_per_second: beat.map_or(0, |beat| beat.request.receives_bytes_per_second),
            feature_level: beat.map_or(0, |beat| level_of(beat.request.feature_level)),
        }
    });
    let scrapers = leases.iter().map(|(name, lease)| meta::ScraperStatus {
        name: name.clone(),
        targets: lease.targets,
        silent_ms: silence(lease.at),
        feature_level: lease.feature_level,
    });
    let cluster = state.birth.map(|birth| meta::Cluster {
        cluster_id: wire::id_to_proto(state.cluster_id),
        birth: Some(wire::birth_to_proto(birth)),
        founders: state.founders.iter().map(|node| node.0).collect(),
    });
    meta::StatusReply {
        version: state.version,
        leader: own,
        cluster,
        nodes: nodes.collect(),
        shard_map: state.shard_map.as_deref().map(wire::shard_map_to_proto),
        scrapers: Some(wire::scrapers_to_proto(state.scraper_epoch, &state.scrapers)),
        scraper_status: scrapers.collect(),
        block_count: state.blocks.len() as u64,
        block_bytes: state.blocks.values().map(|block| block.size_bytes).sum(),
        feature_level: level_of(state.feature_level),
    }
}
