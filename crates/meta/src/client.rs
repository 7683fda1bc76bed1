//! How every role follows meta and asks it for things.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, ShardId, Slot};
use parking_lot::RwLock;
use proto::meta;
use proto::meta::meta_client::MetaClient;
use ring::ShardMap;
use stdx::{Backoff, Clock, Rng, Tasks};
use tokio::sync::watch;
use tonic::{Response, Status};
use transport::{Client as Connection, ErrorKind, Nodes, RpcError, deadline};

use crate::feature::FEATURE_LEVEL;
use crate::mend::CatalogMend;
use crate::state::{ClusterState, NodeState};
use crate::wire;

/// How long one try of a call may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);
/// A watch that is silent for longer is given up: the server says something every second.
const WATCH_SILENCE: Duration = Duration::from_secs(4);
/// The largest message: the whole catalog of a large cluster.
const MESSAGE_BYTES: usize = 256 << 20;

/// What a client needs.
#[derive(Clone)]
pub struct ClientConfig {
    /// Addresses to begin with; later the client knows where meta lives.
    pub seeds: Vec<String>,
    /// Whether to follow the catalog too.
    pub catalog: bool,
    /// The connections of this process.
    pub nodes: Nodes,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub rng: Rng,
}

/// Follows the state of the cluster, and takes requests to whoever leads meta. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    state: watch::Receiver<Arc<ClusterState>>,
    leaders: Arc<RwLock<BTreeMap<ShardId, NodeId>>>,
    /// The node of meta that failed to answer last: others are asked before it.
    silent: Arc<RwLock<Option<NodeId>>>,
}

impl Client {
    /// Starts to follow.
    pub fn start(config: ClientConfig, tasks: &Tasks) -> Self {
        let (sender, state) = watch::channel(Arc::new(ClusterState::default()));
        let client = Self { config: Arc::new(config), state, leaders: Arc::default(), silent: Arc::default() };
        tasks.spawn_until_stopped("meta-client", client.clone().follow(sender));
        client
    }

    /// The newest state that is known here; of version 0 before the first is.
    pub fn state(&self) -> Arc<ClusterState> {
        self.state.borrow().clone()
    }

    /// The state, to be watched.
    pub fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.state.clone()
    }

    /// Waits until the state is of this version or a later one.
    pub async fn reached(&self, version: u64) -> Arc<ClusterState> {
        let mut state = self.state.clone();
        let reached = state.wait_for(|state| state.version >= version).await.map(|state| state.clone());
        match reached {
            Ok(state) => state,
            // The follower has stopped, and with it the process.
            Err(_) => std::future::pending().await,
        }
    }

    /// Who leads a shard, as far as anybody has said.
    pub fn leader_hint(&self, shard: ShardId) -> Option<NodeId> {
        self.leaders.read().get(&shard).copied()
    }

    /// Remembers who leads a shard; `None`: not whoever was thought to.
    pub fn set_leader_hint(&self, shard: ShardId, leader: Option<NodeId>) {
        let mut leaders = self.leaders.write();
        match leader {
            Some(leader) => leaders.insert(shard, leader),
            None => leaders.remove(&shard),
        };
    }

    /// Says where an ingester lives.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if its identity has ended; others when no leader could be asked within `limit`.
    pub async fn register(
        &self,
        request: meta::RegisterRequest,
        limit: Duration,
    ) -> Result<meta::RegisterReply, RpcError> {
        self.ask(limit, |mut client| {
            let request = request.clone();
            async move { client.register(request).await }
        })
        .await
    }

    /// Says that an ingester lives.
    ///
    /// # Errors
    /// When no leader could be asked within `limit`.
    pub async fn beat(&self, request: meta::BeatRequest, limit: Duration) -> Result<meta::BeatReply, RpcError> {
        self.ask(limit, |mut client| {
            let request = request.clone();
            async move { client.beat(request).await }
        })
        .await
    }

    /// Takes or renews a scraper's lease.
    ///
    /// # Errors
    /// When no leader could be asked within `limit`.
    pub async fn lease(&self, request: meta::LeaseRequest, limit: Duration) -> Result<meta::LeaseReply, RpcError> {
        self.ask(limit, |mut client| {
            let request = request.clone();
            async move { client.lease(request).await }
        })
        .await
    }

    /// Gives a scraper's lease back.
    ///
    /// # Errors
    /// When no leader could be asked within `limit`: the lease then runs out.
    pub async fn leave(&self, request: meta::LeaveRequest, limit: Duration) -> Result<(), RpcError> {
        let left = self.ask(limit, |mut client| {
            let request = request.clone();
            async move { client.leave(request).await }
        });
        left.await.map(drop)
    }

    /// Puts the blocks of a cut into the catalog, and returns the version of the state that has them.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if the cut is out of turn; others when no leader could be asked within `limit`.
    pub async fn add_blocks(&self, request: meta::AddBlocksRequest, limit: Duration) -> Result<u64, RpcError> {
        let added = self.ask(limit, |mut client| {
            let request = request.clone();
            async move { client.add_blocks(request).await }
        });
        Ok(added.await?.version)
    }

    /// Makes the catalog have some blocks and forget others, and returns the version of the state that does.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if a block makes no sense; others when no leader could be asked within `limit`.
    pub async fn mend_catalog(&self, mend: &CatalogMend, limit: Duration) -> Result<u64, RpcError> {
        let request = mend.to_proto();
        let mended = self.ask(limit, |mut client| {
            let request = request.clone();
            async move { client.mend_catalog(request).await }
        });
        Ok(mended.await?.version)
    }

    /// The shard map as it is now, not as this client has heard of it last.
    ///
    /// # Errors
    /// When no leader could be asked within `limit`, or the cluster is not born yet.
    pub async fn newest_shard_map(&self, limit: Duration) -> Result<ShardMap, RpcError> {
        let unborn = || RpcError::new(ErrorKind::Unavailable, "the cluster is not born yet");
        let map = self.status(limit).await?.shard_map.ok_or_else(unborn)?;
        wire::shard_map_from_proto(&map).map_err(|error| RpcError::new(ErrorKind::Bug, error.to_string()))
    }

    /// Lets a node be emptied, or with `cancel` take part again. What becomes of it, the state shows.
    ///
    /// # Errors
    /// If meta refuses, or does not answer within `limit`.
    pub async fn drain(&self, node: NodeId, cancel: bool, limit: Duration) -> Result<(), RpcError> {
        let request = meta::DrainRequest { node_id: node.0, cancel };
        self.ask(limit, |mut client| async move { client.drain(request).await }).await.map(drop)
    }

    /// Lets the identity of a node end. Without `force` it must be empty.
    ///
    /// # Errors
    /// If meta refuses, or does not answer within `limit`.
    pub async fn remove(&self, node: NodeId, force: bool, limit: Duration) -> Result<(), RpcError> {
        let request = meta::RemoveRequest { node_id: node.0, force };
        self.ask(limit, |mut client| async move { client.remove(request).await }).await.map(drop)
    }

    /// Has a replica moved, built anew, or a leader changed, as an operator says; returns the version of the state that has
    /// the order. What becomes of it, the state shows.
    ///
    /// # Errors
    /// If meta refuses, or does not answer within `limit`.
    pub async fn place(
        &self,
        shard: ShardId,
        order: meta::place_request::Order,
        limit: Duration,
    ) -> Result<u64, RpcError> {
        let request = meta::PlaceRequest { shard: shard.0, order: Some(order) };
        let placed = self.ask(limit, |mut client| async move { client.place(request).await });
        Ok(placed.await?.version)
    }

    /// Has a slot moved to another shard; returns the version of the state that has the order. When it is there, the shard map
    /// says so.
    ///
    /// # Errors
    /// If meta refuses, or does not answer within `limit`.
    pub async fn move_slot(&self, slot: Slot, to: ShardId, limit: Duration) -> Result<u64, RpcError> {
        let request = meta::MoveSlotRequest { slot: u32::from(slot.0), to: to.0 };
        let ordered = self.ask(limit, |mut client| async move { client.move_slot(request).await });
        Ok(ordered.await?.version)
    }

    /// What operators see.
    ///
    /// # Errors
    /// When no leader could be asked within `limit`.
    pub async fn status(&self, limit: Duration) -> Result<meta::StatusReply, RpcError> {
        self.ask(limit, |mut client| async move { client.status(meta::StatusRequest {}).await }).await
    }

    /// Asks the leader of meta, wherever it is by now. Requests must be idempotent: one whose outcome is unknown is repeated.
    async fn ask<T, F>(&self, limit: Duration, call: impl Fn(MetaClient<Connection>) -> F) -> Result<T, RpcError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let clock = &self.config.clock;
        let until = clock.now() + limit;
        let mut backoff = self.backoff();
        let mut failed = RpcError::new(ErrorKind::Unavailable, "no meta node is known");
        loop {
            let mut candidates = self.candidates();
            while let Some((node, candidate)) = candidates.pop() {
                let left = until.saturating_duration_since(clock.now());
                if left.is_zero() {
                    return Err(failed);
                }
                let client = MetaClient::new(candidate).max_decoding_message_size(MESSAGE_BYTES);
                match deadline(clock, TRY_LIMIT.min(left), call(client)).await {
                    Ok(reply) => return Ok(reply),
                    Err(error @ RpcError { kind: ErrorKind::Rejected | ErrorKind::Bug, .. }) => return Err(error),
                    Err(error) => {
                        if let ErrorKind::NotLeader(leader) = error.kind {
                            self.set_leader_hint(ShardId::META, leader);
                            candidates.extend(leader.and_then(|leader| self.node(leader)));
                        } else {
                            self.put_off(node);
                        }
                        failed = error;
                    }
                }
            }
            self.set_leader_hint(ShardId::META, None);
            clock.sleep(backoff.next_pause()).await;
        }
    }

    /// Asks others first from now on. One that hangs, as a leader does that is cut off, takes all the time that there is: it
    /// must not be the first one to be asked the next time, too.
    fn put_off(&self, node: Option<NodeId>) {
        *self.silent.write() = node;
        if node.is_some() && self.leader_hint(ShardId::META) == node {
            self.set_leader_hint(ShardId::META, None);
        }
    }

    fn node(&self, node: NodeId) -> Option<(Option<NodeId>, Connection)> {
        self.config.nodes.client(node).map(|connection| (Some(node), connection))
    }

    /// Whoever may answer for meta, the likeliest last.
    fn candidates(&self) -> Vec<(Option<NodeId>, Connection)> {
        let state = self.state();
        let Some(map) = &state.shard_map else {
            return self.config.seeds.iter().map(|seed| (None, self.config.nodes.client_at(seed))).collect();
        };
        let silent = *self.silent.read();
        let mut nodes = map.replicas(ShardId::META).to_vec();
        nodes.sort_by_key(|node| Some(*node) != silent);
        nodes.extend(self.leader_hint(ShardId::META));
        nodes.into_iter().filter_map(|node| self.node(node)).collect()
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_millis(20), Duration::from_secs(1), self.config.rng.fork())
    }

    /// Follows the state, on one connection after another, for ever.
    async fn follow(self, sender: watch::Sender<Arc<ClusterState>>) {
        let mut backoff = self.backoff();
        let mut failures = 0u32;
        loop {
            for candidate in self.watch_candidates() {
                match self.follow_one(candidate, &sender).await {
                    Ok(()) => {
                        backoff.reset();
                        failures = 0;
                    }
                    Err(error) => {
                        failures += 1;
                        // What was refused for a reason stays so: this binary may be too old.
                        if failures.is_multiple_of(20) || failures == 1 && error.kind == ErrorKind::Rejected {
                            tracing::warn!(%error, "can't follow the cluster's state");
                        }
                    }
                }
            }
            self.config.clock.sleep(backoff.next_pause()).await;
        }
    }

    /// As [`Self::candidates`], and the seeds too: all nodes that are known may have moved.
    fn watch_candidates(&self) -> Vec<Connection> {
        let mut candidates: Vec<_> = self.candidates().into_iter().map(|(_, connection)| connection).collect();
        candidates.reverse();
        if self.state().shard_map.is_some() {
            candidates.extend(self.config.seeds.iter().map(|seed| self.config.nodes.client_at(seed)));
        }
        candidates
    }

    /// Follows the state on one connection until it breaks. An error means that nothing came at all.
    async fn follow_one(
        &self,
        connection: Connection,
        sender: &watch::Sender<Arc<ClusterState>>,
    ) -> Result<(), RpcError> {
        let mut client = MetaClient::new(connection).max_decoding_message_size(MESSAGE_BYTES);
        let (version, catalog) = (self.state().version, self.config.catalog);
        let request = meta::WatchRequest { version, catalog, feature_level: FEATURE_LEVEL };
        let mut replies = deadline(&self.config.clock, TRY_LIMIT, client.watch(request)).await?;
        let mut heard = false;
        loop {
            let reply = self.config.clock.timeout(WATCH_SILENCE, replies.message()).await;
            match reply {
                Some(Ok(Some(reply))) => self.take(reply, sender)?,
                Some(Err(status)) if !heard => return Err(status.into()),
                None if !heard => return Err(RpcError::new(ErrorKind::Unavailable, "the watch is silent")),
                _ => return Ok(()),
            }
            heard = true;
        }
    }

    fn take(&self, reply: meta::WatchReply, sender: &watch::Sender<Arc<ClusterState>>) -> Result<(), RpcError> {
        let malformed = |error: wire::WireError| RpcError::new(ErrorKind::Bug, error.to_string());
        let changes = reply.changes.into_iter().map(wire::change_from_proto);
        let changes = changes.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
        for hint in reply.leaders {
            self.set_leader_hint(ShardId(hint.shard), Some(NodeId(hint.node_id)));
        }
        let old = self.state();
        if reply.version < old.version {
            // A replica that is behind: what it says is known already.
            return Ok(());
        }
        if reply.version == old.version && !reply.whole {
            return Ok(());
        }
        let mut state = if reply.whole { ClusterState::default() } else { ClusterState::clone(&old) };
        state.apply(reply.version, changes);
        self.learn_addresses(&state);
        sender.send_replace(Arc::new(state));
        Ok(())
    }

    fn learn_addresses(&self, state: &ClusterState) {
        let nodes = &self.config.nodes;
        if nodes.hello().cluster().is_none() && state.cluster_id != 0 {
            nodes.hello().set(state.cluster_id, None);
        }
        for (id, node) in state.nodes.iter() {
            match node.state {
                NodeState::Up | NodeState::Draining => nodes.set_address(*id, &node.address),
                NodeState::Gone => nodes.remove(*id),
            }
        }
    }
}
