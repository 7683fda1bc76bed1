//! What the leader of meta does beside answering.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consensus::{Group, Standing, Step};
use futures::future::BoxFuture;
use model::{NodeId, ShardId};
use parking_lot::Mutex;
use prost::Message;
use proto::meta;
use proto::meta::command::Command;
use ring::Shard;
use stdx::Clock;
use tokio::time::Instant;
use transport::{ErrorKind, RpcError};

use crate::machine::MetaMachine;
use crate::replace::wanted_replicas;
use crate::state::ClusterState;
use crate::wire;

/// How long a scraper may be silent before its targets go to others.
pub const LEASE: Duration = Duration::from_secs(2);
/// The pause between two looks at leases and replicas.
const LOOK: Duration = Duration::from_millis(250);
/// How many shards change their replicas at once.
const MOVES: usize = 4;

/// Asks a node that leads a shard to take the next step towards these replicas.
pub type ChangeReplicas =
    Arc<dyn Fn(NodeId, ShardId, Vec<NodeId>) -> BoxFuture<'static, Result<Step, RpcError>> + Send + Sync>;

/// What the leader of meta knows without replicating it: who was heard of last, and when. Every meta node has one; it means
/// something only on the leader.
pub struct Leader {
    group: Group<MetaMachine>,
    clock: Clock,
    change_replicas: ChangeReplicas,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// Since when this node leads.
    led_since: Option<Instant>,
    beats: BTreeMap<NodeId, Beat>,
    leases: BTreeMap<String, Lease>,
}

/// The last sign of life of an ingester.
#[derive(Clone)]
pub(crate) struct Beat {
    pub(crate) at: Instant,
    pub(crate) request: meta::BeatRequest,
}

/// The last sign of life of a scraper.
#[derive(Clone)]
pub(crate) struct Lease {
    pub(crate) at: Instant,
    pub(crate) incarnation: u64,
    pub(crate) targets: u32,
}

impl Leader {
    /// The leader's part on this node. `change_replicas` reaches the leaders of data shards.
    pub fn new(group: Group<MetaMachine>, clock: Clock, change_replicas: ChangeReplicas) -> Self {
        Self { group, clock, change_replicas, heard: Mutex::default() }
    }

    /// Leads whenever the group says so, for ever.
    pub async fn run(&self) {
        loop {
            self.clock.sleep(LOOK).await;
            let leads = self.group.status().standing == Standing::Leader;
            let since = {
                let mut heard = self.heard.lock();
                if !leads {
                    *heard = Heard::default();
                    continue;
                }
                *heard.led_since.get_or_insert_with(|| self.clock.now())
            };
            let state = self.group.view().await.1.into_state();
            self.expire_leases(&state, since).await;
            self.replace_replicas(&state).await;
        }
    }

    /// Takes a command to the group.
    pub(crate) async fn propose(&self, command: Command) -> Result<meta::CommandAnswer, RpcError> {
        let command = meta::Command { command: Some(command) };
        let proposed = self.group.propose(Bytes::from(command.encode_to_vec())).await?;
        let answer = meta::CommandAnswer::decode(proposed.answer);
        let answer = answer.map_err(|error| RpcError::new(ErrorKind::Bug, format!("meta's answer: {error}")))?;
        if answer.refused.is_empty() { Ok(answer) } else { Err(RpcError::new(ErrorKind::Rejected, answer.refused)) }
    }

    /// Notes that an ingester lives. Refuses the second of two processes that claim to be the same node.
    pub(crate) fn beat(&self, request: meta::BeatRequest) -> Result<(), RpcError> {
        let at = self.clock.now();
        let mut heard = self.heard.lock();
        let node = NodeId(request.node_id);
        if let Some(other) = heard.beats.get(&node)
            && other.request.incarnation != request.incarnation
            && at.duration_since(other.at) < LEASE
        {
            let message = format!("another process says that it is node {node} too");
            return Err(RpcError::new(ErrorKind::Unavailable, message));
        }
        heard.beats.insert(node, Beat { at, request });
        Ok(())
    }

    /// Notes that a scraper lives.
    pub(crate) fn renew(&self, request: &meta::LeaseRequest) {
        let lease = Lease { at: self.clock.now(), incarnation: request.incarnation, targets: request.targets };
        self.heard.lock().leases.insert(request.name.clone(), lease);
    }

    /// Forgets a scraper that left.
    pub(crate) fn forget(&self, name: &str) {
        self.heard.lock().leases.remove(name);
    }

    pub(crate) fn beats(&self) -> BTreeMap<NodeId, Beat> {
        self.heard.lock().beats.clone()
    }

    pub(crate) fn leases(&self) -> BTreeMap<String, Lease> {
        self.heard.lock().leases.clone()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The leader of each shard, as far as their nodes have said lately.
    pub(crate) fn shard_leaders(&self) -> BTreeMap<ShardId, NodeId> {
        let heard = self.heard.lock();
        let mut leaders: BTreeMap<ShardId, (u64, NodeId)> = BTreeMap::new();
        for (node, beat) in &heard.beats {
            for replica in beat.request.replicas.iter().filter(|replica| replica.is_leader) {
                let newest = leaders.entry(ShardId(replica.shard)).or_insert((replica.term, *node));
                if replica.term > newest.0 {
                    *newest = (replica.term, *node);
                }
            }
        }
        leaders.into_iter().map(|(shard, (_, node))| (shard, node)).collect()
    }

    /// Lets those scrapers go that were silent for longer than a lease. A new leader gives everyone a full one.
    async fn expire_leases(&self, state: &ClusterState, since: Instant) {
        let now = self.clock.now();
        for (name, member) in state.scrapers.iter() {
            let heard =
                self.heard.lock().leases.get(name).filter(|lease| lease.incarnation == member.incarnation).cloned();
            let last = heard.map_or(since, |lease| lease.at.max(since));
            if now.duration_since(last) > LEASE {
                tracing::info!(scraper = name, "its lease ran out");
                let leave = meta::LeaveRequest { name: name.clone(), incarnation: member.incarnation };
                self.try_propose(Command::ScraperLeave(leave)).await;
            }
        }
    }

    /// Takes the next step for shards that lack replicas.
    async fn replace_replicas(&self, state: &ClusterState) {
        let Some(map) = &state.shard_map else { return };
        let leaders = self.shard_leaders();
        for (shard, wanted) in wanted_replicas(state).into_iter().take(MOVES) {
            let current = &map.shards[&shard];
            let joining: Vec<_> = wanted.iter().copied().filter(|node| !current.replicas.contains(node)).collect();
            if current.joining != joining {
                // The newcomers must know before the leader speaks to them.
                tracing::info!(%shard, ?wanted, "replacing replicas");
                self.set_replicas(shard, Shard { joining, ..current.clone() }).await;
                continue;
            }
            let stepped = match (shard, leaders.get(&shard)) {
                (ShardId::META, _) => {
                    let voters = wanted.iter().copied().collect();
                    self.group.step_towards(&voters).await.map_err(RpcError::from)
                }
                (_, Some(leader)) => (self.change_replicas)(*leader, shard, wanted.clone()).await,
                (_, None) => continue,
            };
            match stepped {
                Ok(Step::Done) => {
                    tracing::info!(%shard, ?wanted, "replicas replaced");
                    let done = Shard { replicas: wanted, joining: Vec::new(), ..current.clone() };
                    self.set_replicas(shard, done).await;
                }
                Ok(Step::Waiting(what)) => tracing::debug!(%shard, what, "replacing replicas"),
                Err(error) => tracing::info!(%shard, %error, "a step towards new replicas failed"),
            }
        }
    }

    async fn set_replicas(&self, id: ShardId, shard: Shard) {
        self.try_propose(Command::SetReplicas(wire::shard_to_proto(id, &shard))).await;
    }

    /// Proposes what the next look would propose again.
    async fn try_propose(&self, command: Command) {
        if let Err(error) = self.propose(command).await {
            tracing::debug!(%error, "a command of the leader was not taken");
        }
    }
}
