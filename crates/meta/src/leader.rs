//! What the leader of meta does beside answering.

mod level;
mod orders;
mod quarantine;
mod scrapers;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
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
use crate::state::{ClusterState, Node, NodeState};
use crate::{placement, time, wire};

pub use slots::GiveSlot;

/// How long a scraper may be silent before its targets go to others.
pub const LEASE: Duration = Duration::from_secs(2);
/// The pause between two looks at leases and replicas.
const LOOK: Duration = Duration::from_millis(250);
/// How many shards change their replicas at once, so that copies of snapshots leave room for what comes in.
const MOVES: usize = 4;

/// Asks a node that leads a shard to take the next step towards these replicas, which the shard map of this version wants.
pub type ChangeReplicas =
    Arc<dyn Fn(NodeId, ShardId, Vec<NodeId>, u64) -> BoxFuture<'static, Result<Step, RpcError>> + Send + Sync>;

/// How the leader of meta reaches the leaders of data shards.
pub struct ShardSteps {
    /// Replicas.
    pub change_replicas: ChangeReplicas,
    /// Slots.
    pub give_slot: GiveSlot,
}

/// How long the leader of meta looks on before it does something by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Nodes that are silent for so long are replaced, if others can take their place; `None`: never.
    pub replace_after: Option<Duration>,
    /// A shard that takes in far more than others for so long gives a slot away; `None`: never.
    pub move_slots_after: Option<Duration>,
}

/// What the leader of meta knows without replicating it: who was heard of last, and when. Every meta node has one; it means
/// something only on the leader.
pub struct Leader {
    group: Group<MetaMachine>,
    clock: Clock,
    steps: ShardSteps,
    patience: Patience,
    heard: Mutex<Heard>,
    /// What the cluster's time was last, as far as this node has ever known it, and when that was.
    time: Mutex<Option<(Instant, i64)>>,
}

#[derive(Default)]
struct Heard {
    /// How many ingesters there are.
    ingesters: usize,
    /// Since when this node leads.
    led_since: Option<Instant>,
    /// Shards that take in far more than others, and since when.
    hot_since: BTreeMap<ShardId, Instant>,
    beats: BTreeMap<NodeId, Beat>,
    /// Since when this node, as leader, has known of each ingester.
    known_since: BTreeMap<NodeId, Instant>,
    leases: BTreeMap<String, Lease>,
    /// The newest version of the membership by which all scrapers of it have acted; 0: not known.
    settled_epoch: u64,
    /// The feature level that everyone knows, and since when.
    known_to_all: Option<(u32, Instant)>,
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
    /// The version of the membership by which it scrapes; `None`: it can't say.
    acting_epoch: Option<u64>,
    pub(crate) feature_level: u32,
}

impl Leader {
    /// The leader's part on this node. `steps` reaches the leaders of data shards.
    pub fn new(group: Group<MetaMachine>, clock: Clock, steps: ShardSteps, patience: Patience) -> Self {
        Self { group, clock, steps, patience, heard: Mutex::default(), time: Mutex::default() }
    }

    /// Leads whenever the group says so, for ever.
    pub async fn run(&self) {
        // Steps of slots wait for shards, and nothing else may wait for them.
        tokio::join!(self.run_nodes(), self.run_slots());
    }

    async fn run_slots(&self) {
        loop {
            self.clock.sleep(LOOK).await;
            if self.group.status().standing == Standing::Leader {
                let state = self.group.view().await.1.into_state();
                self.send_hot_slots(&state).await;
                self.step_slots(&state).await;
            }
        }
    }

    async fn run_nodes(&self) {
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
            self.forget_the_gone(&state);
            self.heard.lock().ingesters = state.nodes.values().filter(|node| node.state != NodeState::Gone).count();
            self.expire_leases(&state, since).await;
            self.end_the_lost(&state).await;
            self.place_replicas(&state).await;
            self.raise_level(&state).await;
        }
    }

    /// What nodes last said whose identities have ended counts no more.
    fn forget_the_gone(&self, state: &ClusterState) {
        let is_gone = |node: &NodeId| state.nodes.get(node).is_some_and(|known| known.state == NodeState::Gone);
        self.heard.lock().beats.retain(|node, _| !is_gone(node));
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

    pub(crate) fn beats(&self) -> BTreeMap<NodeId, Beat> {
        self.heard.lock().beats.clone()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The cluster's time, as answers carry it: what most ingesters' clocks say, so that one that is wrong counts for nothing;
    /// 0 as long as too few were heard to know it.
    pub(crate) fn wall_ms(&self) -> i64 {
        let now = self.clock.now();
        let after = |at: Instant, wall_ms: i64| wall_ms + now.duration_since(at).as_millis() as i64;
        let (clocks, ingesters) = {
            let heard = self.heard.lock();
            let fresh = heard.beats.values().filter(|beat| now.duration_since(beat.at) < LEASE);
            let said = fresh.filter(|beat| beat.request.wall_ms != 0);
            (said.map(|beat| after(beat.at, beat.request.wall_ms)).collect(), heard.ingesters)
        };
        let mut known = self.time.lock();
        let time = match ingesters {
            0 => None,
            _ => time::agreed(clocks, ingesters, known.map(|(at, wall_ms)| after(at, wall_ms))),
        };
        if let Some(time) = time {
            *known = Some((now, time));
        }
        time.unwrap_or(0)
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

    /// Lets the identities end of nodes that were silent for too long, if others can take their place: without them a lost
    /// node is worth waiting for, and it must not come back to find that its data are not wanted.
    async fn end_the_lost(&self, state: &ClusterState) {
        let Some(limit) = self.patience.replace_after else { return };
        let now = self.clock.now();
        let (beats, known_since) = {
            let mut heard = self.heard.lock();
            for node in state.nodes.keys() {
                heard.known_since.entry(*node).or_insert(now);
            }
            (heard.beats.clone(), heard.known_since.clone())
        };
        // One that has just joined has said nothing yet.
        let silence = |node: &NodeId| {
            let last = beats.get(node).map(|beat| beat.at).max(known_since.get(node).copied());
            last.map_or(Duration::ZERO, |last| now.duration_since(last))
        };
        let heard: BTreeSet<NodeId> =
            state.nodes_up().map(|(node, _)| node).filter(|node| silence(node) < LEASE).collect();
        let takes_part = |node: &Node| node.state != NodeState::Gone;
        for (lost, _) in state.nodes.iter().filter(|(id, node)| takes_part(node) && silence(id) > limit) {
            if placement::can_do_without(state, *lost, &heard) {
                let silent = silence(lost);
                if self.try_propose(Command::NodeGone(lost.0)).await {
                    tracing::warn!(node = %lost, ?silent, "it is lost, and will be replaced");
                }
            }
        }
    }

    /// Begins moves, and takes the next step of those that have begun.
    async fn place_replicas(&self, state: &ClusterState) {
        let Some(map) = &state.shard_map else { return };
        let moving = map.shards.values().filter(|shard| shard.is_moving()).count();
        let leaders = self.shard_leaders();
        let mut changes = placement::changes(state, &self.series(), MOVES.saturating_sub(moving));
        // A shard that was never set up can be set up only where it was born.
        changes.retain(|id, _| *id == ShardId::META || leaders.contains_key(id) || map.shards[id].is_moving());
        for (id, shard) in &changes {
            // The newcomers must know before the leader speaks to them: hence the first step comes with the next look.
            if self.set_replicas(*id, shard).await {
                tracing::info!(shard = %id, from = ?shard.replicas, to = ?shard.wanted(), "replicas are to change");
            }
        }
        for (id, shard) in map.shards.iter().filter(|(id, _)| !changes.contains_key(id)) {
            // Steps take their time. Whoever leads by now goes by what it knows.
            if self.group.standing() != Standing::Leader {
                return;
            }
            if shard.forced {
                self.end_force(*id, shard).await;
            } else if shard.is_moving() && shard.joining.is_empty() && shard.leaving.is_empty() {
                self.let_back(*id, shard).await;
            } else if shard.is_moving() || self.has_strayed(*id, shard) {
                self.step((*id, shard), leaders.get(id), map.epoch).await;
            }
        }
        self.rebuild_unreliable(state, MOVES.saturating_sub(moving + changes.len())).await;
    }

    /// Whether the group of a shard has other members than the map says, as far as its leader has said lately. A step that was
    /// ordered before the map changed may be taken afterwards.
    fn has_strayed(&self, id: ShardId, shard: &Shard) -> bool {
        let wanted: BTreeSet<u64> = shard.replicas.iter().map(|node| node.0).collect();
        if id == ShardId::META {
            let status = self.group.status();
            let voters: BTreeSet<u64> = status.voters.iter().map(|node| node.0).collect();
            return status.is_joint || !status.learners.is_empty() || voters != wanted;
        }
        let heard = self.heard.lock();
        let reports = heard.beats.values().flat_map(|beat| &beat.request.replicas);
        let newest = reports.filter(|report| report.shard == id.0 && report.is_leader).max_by_key(|report| report.term);
        newest.is_some_and(|report| {
            let voters: BTreeSet<u64> = report.voters.iter().copied().collect();
            report.is_joint || !report.learners.is_empty() || voters != wanted
        })
    }

    /// Takes the next step of a move, or back to what the map says.
    async fn step(&self, (id, shard): (ShardId, &Shard), leader: Option<&NodeId>, map_epoch: u64) {
        let wanted = shard.wanted();
        let stepped = match (id, leader) {
            (ShardId::META, _) => {
                self.group.step_towards(&wanted.iter().copied().collect()).await.map_err(RpcError::from)
            }
            (_, Some(leader)) => (self.steps.change_replicas)(*leader, id, wanted.clone(), map_epoch).await,
            (_, None) => return,
        };
        match stepped {
            Ok(Step::Done) if !shard.is_moving() => {}
            Ok(Step::Done) => {
                let done = Shard { replicas: wanted, joining: Vec::new(), leaving: Vec::new(), ..shard.clone() };
                if self.set_replicas(id, &done).await {
                    tracing::info!(shard = %id, replicas = ?done.replicas, "replicas have changed");
                }
            }
            Ok(Step::Waiting(what)) => tracing::debug!(shard = %id, what, "replicas change"),
            Err(error) => tracing::info!(shard = %id, %error, "a step towards other replicas failed"),
        }
    }

    /// A shard that went on with one replica is like any other once that one leads alone.
    async fn end_force(&self, id: ShardId, shard: &Shard) {
        let beats = self.beats();
        let survivor =
            shard.replicas.first().and_then(|node| beats.get(node).map(|beat| (node, &beat.request.replicas)));
        let leads = survivor.is_some_and(|(node, reports)| {
            reports.iter().any(|it| it.shard == id.0 && it.is_leader && it.voters == [node.0])
        });
        if leads && self.set_replicas(id, &Shard { forced: false, ..shard.clone() }).await {
            tracing::warn!(shard = %id, "it goes on with one of its replicas");
        }
    }

    /// Lets nodes join again that were to drop what they had, and say that they did.
    async fn let_back(&self, id: ShardId, shard: &Shard) {
        let beats = self.beats();
        let dropped = |node: &&NodeId| beats.get(node).is_some_and(|beat| beat.request.dropped.contains(&id.0));
        let joining: Vec<NodeId> = shard.rebuilding.iter().filter(dropped).copied().collect();
        if joining.is_empty() {
            return;
        }
        let rebuilding = shard.rebuilding.iter().copied().filter(|node| !joining.contains(node)).collect();
        let back = Shard { joining, rebuilding, ..shard.clone() };
        if self.set_replicas(id, &back).await {
            tracing::info!(shard = %id, nodes = ?back.joining, "replicas are built anew");
        }
    }

    /// How many series each shard has, as far as its leader has said lately.
    fn series(&self) -> BTreeMap<ShardId, u64> {
        let heard = self.heard.lock();
        let replicas = heard.beats.values().flat_map(|beat| &beat.request.replicas);
        replicas.filter(|replica| replica.is_leader).map(|it| (ShardId(it.shard), it.series_count)).collect()
    }

    async fn set_replicas(&self, id: ShardId, shard: &Shard) -> bool {
        self.try_propose(Command::SetReplicas(wire::shard_to_proto(id, shard))).await
    }

    /// Proposes what the next look would propose again, and says whether it was taken. Only then is it news: a leader that is
    /// cut off from the others goes on proposing.
    async fn try_propose(&self, command: Command) -> bool {
        let proposed = self.propose(command).await;
        if let Err(error) = &proposed {
            tracing::debug!(%error, "a command of the leader was not taken");
        }
        proposed.is_ok()
    }
}
