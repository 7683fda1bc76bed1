//! A group on this node.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{NodeId, ShardId};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, Fatal, ForwardToLeader, InitializeError, LinearizableReadError, RaftError};
use openraft::impls::ProgressResponder;
use openraft::raft::ClientWriteResult;
use openraft::{EmptyNode, Instant, Raft, RaftMetrics, ReadPolicy, ServerState};
use raftlog::{Command, GroupLog, LogDevice, TypeConfig};
use stdx::{Clock, CpuPool, Disk, Tasks, Throttle};
use tokio::sync::watch;

use crate::following::Known;
use crate::handover::HandOvers;
use crate::machine::{Machine, Shared};
use crate::network::Peers;
use crate::pace::Pace;
use crate::promise::Promise;
use crate::{GroupError, Network, ProposeError, SnapshotFolder, StateMachine, Timing};

/// What a group needs of its node.
#[derive(Clone)]
pub struct GroupEnv {
    /// This node.
    pub node: NodeId,
    /// How fast a lost leader is noticed.
    pub timing: Timing,
    /// How many entries a log keeps of those that the snapshot has as well. A follower that lacks more needs a snapshot.
    pub log_tail: u64,
    /// Where all groups of the node keep their logs.
    pub log: Arc<dyn LogDevice>,
    /// Where snapshot files lie.
    pub disk: Arc<dyn Disk>,
    /// The way to other nodes.
    pub network: Arc<dyn Network>,
    /// Time.
    pub clock: Clock,
    /// Owns the tasks of the node's groups.
    pub tasks: Tasks,
    /// Runs applies.
    pub applying: CpuPool,
    /// Runs what blocks on the disk: reads of the log, snapshots.
    pub saving: CpuPool,
    /// How fast the files of snapshots may come in, over all groups of the node.
    pub receiving: Throttle,
}

/// What a replica is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Proposes.
    Leader,
    /// Has a vote and follows.
    Follower,
    /// Stands for election.
    Candidate,
    /// Follows without a vote.
    Learner,
    /// The group has stopped on this node.
    Stopped,
}

/// How a replica sees its group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupStatus {
    /// What this replica is.
    pub standing: Standing,
    /// The leader, as far as known.
    pub leader: Option<NodeId>,
    /// The current term.
    pub term: u64,
    /// How many entries the log has, purged ones included.
    pub log_count: u64,
    /// How many entries are committed, as far as this replica knows.
    pub committed_count: u64,
    /// How many entries this replica has applied.
    pub applied_count: u64,
    /// How many entries the last snapshot holds.
    pub snapshot_count: u64,
    /// How many entries are purged from the log.
    pub purged_count: u64,
    /// Who has a vote, in both configurations while they change.
    pub voters: BTreeSet<NodeId>,
    /// Who follows without a vote.
    pub learners: BTreeSet<NodeId>,
    /// On the leader: how many entries each other replica has, as far as known.
    pub replicated_count: Vec<(NodeId, u64)>,
    /// On the leader: how long ago each other replica last answered, as far as it ever did.
    pub answered_age: BTreeMap<NodeId, Duration>,
    /// On the leader: how long ago a quorum last acknowledged it with openraft. Where nothing is written that is a second; see
    /// [`Group::committed_lately`].
    pub quorum_age: Option<Duration>,
    /// Whether two configurations are in force.
    pub is_joint: bool,
}

/// How far a change of members is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The members are those that were wanted.
    Done,
    /// A step was taken, or one is under way; in words.
    Waiting(String),
}

/// A follower that lacks no more entries than this has caught up.
const CAUGHT_UP: u64 = 64;

/// A replica that answered so lately is there.
const IN_TOUCH: Duration = Duration::from_secs(2);

/// The outcome of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Where the command stands in the log.
    pub log_index: u64,
    /// What the state machine answered.
    pub answer: Bytes,
}

/// A cheap handle on a group of this node.
pub struct Group<S: StateMachine> {
    id: ShardId,
    raft: Raft<TypeConfig, Machine<S>>,
    shared: Arc<Shared<S>>,
    hand_overs: HandOvers,
    pace: Arc<Pace>,
    known: Arc<Known>,
    receiving: Throttle,
    promise: Promise,
}

impl<S: StateMachine> Clone for Group<S> {
    fn clone(&self) -> Self {
        let (raft, shared, receiving) = (self.raft.clone(), self.shared.clone(), self.receiving.clone());
        let (hand_overs, promise) = (self.hand_overs.clone(), self.promise.clone());
        let (pace, known) = (self.pace.clone(), self.known.clone());
        Self { id: self.id, raft, shared, hand_overs, pace, known, receiving, promise }
    }
}

impl<S: StateMachine> Group<S> {
    /// Opens group `id` with what the disk has of it, and starts to take part in it.
    ///
    /// A new group has no members and does nothing until [`Group::initialize`] on one of its nodes, or until a leader
    /// that has added this node speaks to it.
    ///
    /// # Errors
    /// If the disk fails or what is on it is damaged.
    pub async fn open(id: ShardId, machine: S, folder: PathBuf, env: GroupEnv) -> Result<Self, GroupError> {
        let folder = SnapshotFolder::new(env.disk.clone(), folder);
        let opened = Machine::open(machine, folder.clone(), env.applying.clone(), env.saving.clone()).await;
        let machine = opened.map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => GroupError::Damaged(id, error.to_string()),
            _ => GroupError::Io(id, error),
        })?;
        let shared = machine.0.clone();
        let (device, reads) = (env.log.clone(), env.saving.clone());
        let log = env.saving.run(move || GroupLog::open(id.0, device, reads)).await;
        let log = log.map_err(|error| GroupError::Io(id, error))?;
        let fatal = |error: String| GroupError::Fatal(id, error);
        let promise = Promise::new(log.promised());
        let mut config = env.timing.to_openraft(env.log_tail);
        config.enable_elect = promise.get().is_none();
        let config = config.validate().map_err(|error| fatal(error.to_string()))?;
        let (network, clock, tasks) = (env.network, env.clock, env.tasks);
        let hand_overs = HandOvers::new(clock.clone(), tasks.clone());
        let known = Arc::new(Known::new(clock.clone()));
        let peers = Peers { group: id, network, folder, clock, tasks };
        let led = log.resign(env.node.0);
        let raft = Raft::new(env.node.0, Arc::new(config), peers, log, machine).await;
        let raft = raft.map_err(|error| fatal(error.to_string()))?;
        let receiving = env.receiving;
        let group = Self { id, raft, shared, hand_overs, pace: Arc::default(), known, receiving, promise };
        if led && group.elect().await.is_err() {
            return Err(fatal("it stopped as soon as it was opened".to_owned()));
        }
        Ok(group)
    }

    /// Which group this is.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Which replica of it this is.
    pub(crate) fn own_id(&self) -> NodeId {
        NodeId(*self.raft.node_id())
    }

    /// Makes these nodes the group's first voters. Done already, it does nothing: so every one of them may call it.
    ///
    /// # Errors
    /// If the group has stopped, or this node is none of the voters.
    pub async fn initialize(&self, voters: impl IntoIterator<Item = NodeId>) -> Result<(), GroupError> {
        let voters: std::collections::BTreeMap<u64, EmptyNode> =
            voters.into_iter().map(|node| (node.0, EmptyNode::new())).collect();
        match self.raft.initialize(voters).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => Err(GroupError::Fatal(self.id, error.to_string())),
        }
    }

    /// Puts a command into the queue of the leader, in the order of the calls. The returned future gives its outcome.
    ///
    /// # Errors
    /// If the group has stopped. All else is the future's.
    pub async fn submit(
        &self,
        command: Bytes,
    ) -> Result<impl Future<Output = Result<Proposed, ProposeError>> + Send + use<S>, ProposeError> {
        let (responder, outcome) = ProgressResponder::<TypeConfig, ClientWriteResult<TypeConfig>>::complete_only();
        let id = self.id;
        let submitted = self.raft.client_write_ff(Command(command), Some(responder)).await;
        submitted.map_err(|_| ProposeError::Stopped(id))?;
        Ok(async move {
            // The channel breaks when the group stops with the entry under way.
            let outcome = outcome.await.map_err(|_| ProposeError::Unknown(id))?;
            let written = outcome.map_err(|error| write_error(id, error))?;
            Ok(Proposed { log_index: written.log_id.index(), answer: written.data.0 })
        })
    }

    /// Proposes a command and waits until this node has applied it.
    ///
    /// # Errors
    /// See [`ProposeError`].
    pub async fn propose(&self, command: Bytes) -> Result<Proposed, ProposeError> {
        self.submit(command).await?.await
    }

    /// How many entries must be applied for a read to see everything that was acknowledged before this call.
    ///
    /// Asks a quorum whether this node still leads: a deposed leader learns it here.
    ///
    /// # Errors
    /// If this node does not lead.
    pub async fn read_index(&self) -> Result<u64, ProposeError> {
        if stdx::makes_mistake("read without a quorum") && self.standing() == Standing::Leader {
            return Ok(self.status().committed_count);
        }
        match self.raft.get_read_log_id(ReadPolicy::ReadIndex).await {
            Ok((read, _)) => Ok(read.log_id().index() + 1),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                Err(not_leader(self.id, &forward))
            }
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => {
                Err(ProposeError::NotLeader(self.id, None))
            }
            Err(RaftError::Fatal(_)) => Err(ProposeError::Stopped(self.id)),
        }
    }

    /// Waits until this node has applied so many entries.
    pub async fn applied(&self, count: u64) {
        let mut applied = self.shared.applied.subscribe();
        // The sender lives as long as `self.shared`.
        drop(applied.wait_for(|applied| *applied >= count).await);
    }

    /// How many entries this node has applied, to be watched.
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// The state, and how many entries are in it.
    pub async fn view(&self) -> (u64, S::View) {
        let state = self.shared.state.lock().await;
        (state.applied_count(), state.machine.view())
    }

    /// How many bytes of commands this process has applied since it opened the group.
    pub async fn applied_bytes(&self) -> u64 {
        self.shared.state.lock().await.bytes
    }

    /// What this replica is now. Costs less than [`Group::status`].
    pub fn standing(&self) -> Standing {
        standing_of(&self.raft.metrics().borrow_watched())
    }

    /// How this replica sees its group now.
    pub fn status(&self) -> GroupStatus {
        status_of(&self.raft.metrics().borrow_watched())
    }

    /// Whether this replica was in touch with its group within `limit`: as the leader with a quorum, else with the leader.
    ///
    /// One that was removed goes on naming its last leader for ever, and so does a leader that is cut off.
    pub async fn is_in_touch(&self, limit: Duration) -> bool {
        let status = self.status();
        if status.standing == Standing::Leader {
            let alone = status.voters.iter().eq([&self.own_id()]);
            return alone || status.quorum_age.is_some_and(|age| age <= limit);
        }
        if stdx::makes_mistake("believe in the last leader") {
            return status.leader.is_some();
        }
        let heard = self.raft.with_raft_state(|state| state.vote_last_modified()).await;
        status.leader.is_some() && heard.is_ok_and(|at| at.is_some_and(|at| at.elapsed() <= limit))
    }

    /// Waits until the status passes `condition`, and returns it; `None` when the group stops before it does.
    pub async fn wait_for(&self, mut condition: impl FnMut(&GroupStatus) -> bool) -> Option<GroupStatus> {
        let mut metrics = self.raft.metrics();
        loop {
            let status = status_of(&metrics.borrow_watched());
            if condition(&status) {
                return Some(status);
            }
            if status.standing == Standing::Stopped || metrics.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Waits until the group can't go on here because its disk failed or its code panicked, and says why: what it holds must
    /// not be counted on any more. Waits for ever if nothing like that happens.
    pub async fn failed(&self) -> String {
        let mut metrics = self.raft.metrics();
        loop {
            match &metrics.borrow_watched().running_state {
                Err(fatal @ (Fatal::StorageError(_) | Fatal::Panicked)) => return fatal.to_string(),
                Ok(()) | Err(Fatal::Stopped) => {}
            }
            if metrics.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Asks one voter to stand for election at once. Says nothing of whether it does: it may be gone.
    ///
    /// # Errors
    /// If the group has stopped.
    pub(crate) async fn ask_to_lead(&self, to: NodeId) -> Result<(), ProposeError> {
        self.raft.trigger().transfer_leader(to.0).await.map_err(|_| ProposeError::Stopped(self.id))
    }

    /// Stands for election, in two steps: the first only asks whether it would be won. Not as long as this replica lacks what it
    /// [promised](Self::promised).
    ///
    /// # Errors
    /// If the group has stopped.
    pub async fn elect(&self) -> Result<(), ProposeError> {
        if self.promised().is_some() {
            return Ok(());
        }
        self.raft.trigger().elect(true).await.map_err(|_| ProposeError::Stopped(self.id))
    }

    /// Lets a node follow without a vote. Returns when the change is committed, before the node has caught up.
    ///
    /// # Errors
    /// If this node does not lead, or another change is under way.
    pub async fn add_learner(&self, node: NodeId) -> Result<(), ProposeError> {
        let added = self.raft.add_learner(node.0, EmptyNode::new(), false).await;
        added.map(drop).map_err(|error| raft_error(self.id, error))
    }

    /// Makes these nodes, which must follow already, the voters, by way of a joint configuration. Nodes that are left
    /// out are removed.
    ///
    /// # Errors
    /// If this node does not lead, or another change is under way.
    pub async fn set_voters(&self, voters: BTreeSet<NodeId>) -> Result<(), ProposeError> {
        let voters: BTreeSet<u64> = voters.into_iter().map(|node| node.0).collect();
        let changed = self.raft.change_membership(voters, false).await;
        changed.map(drop).map_err(|error| raft_error(self.id, error))
    }

    /// Removes learners that are not to become voters.
    ///
    /// # Errors
    /// If this node does not lead, or another change is under way.
    pub async fn remove_learner(&self, node: NodeId) -> Result<(), ProposeError> {
        let change = openraft::ChangeMembers::RemoveNodes(BTreeSet::from([node.0]));
        let changed = self.raft.change_membership(change, false).await;
        changed.map(drop).map_err(|error| raft_error(self.id, error))
    }

    /// Takes the next step on the way to these voters: lets newcomers follow, waits until they have caught up, hands
    /// leadership to one who stays, changes the configuration. To be called on the leader, again and again until it says
    /// that it is done; whoever leads by then goes on from where the group is.
    ///
    /// # Errors
    /// If this node does not lead, or another change is under way.
    pub async fn step_towards(&self, wanted: &BTreeSet<NodeId>) -> Result<Step, ProposeError> {
        let status = self.status();
        if status.standing != Standing::Leader {
            return Err(ProposeError::NotLeader(self.id, status.leader));
        }
        if status.is_joint && stdx::makes_mistake("leave changes of members half done") {
            return Ok(Step::Waiting("two configurations are in force".to_owned()));
        }
        let known = |node: &&NodeId| status.voters.contains(node) || status.learners.contains(node);
        let newcomer = wanted.iter().find(|node| !known(node));
        if status.is_joint {
            // Whoever began the change may be gone. If it is at work still, this is refused. A newcomer can't vote before it
            // follows, which it does once a single configuration is left: that of all who have a vote now.
            let next = if newcomer.is_none() { wanted } else { &status.voters };
            self.set_voters(next.clone()).await?;
            return Ok(Step::Waiting("two configurations were in force".to_owned()));
        }
        if status.voters == *wanted && status.learners.is_empty() {
            return Ok(Step::Done);
        }
        if let Some(newcomer) = newcomer {
            self.add_learner(*newcomer).await?;
            return Ok(Step::Waiting(format!("node {newcomer} begins to follow")));
        }
        let has =
            |node: &NodeId| status.replicated_count.iter().find(|(id, _)| id == node).map_or(0, |(_, count)| *count);
        let behind = |node: &&NodeId| has(node) + CAUGHT_UP < status.committed_count;
        if let Some(learner) = status.learners.intersection(wanted).find(behind) {
            let (count, all) = (has(learner), status.committed_count);
            return Ok(Step::Waiting(format!("node {learner} has {count} of {all} entries")));
        }
        if let Some(stranger) = status.learners.difference(wanted).next() {
            self.remove_learner(*stranger).await?;
            return Ok(Step::Waiting(format!("node {stranger} follows no more")));
        }
        // Without most of them nothing could be committed, not even that they are the members.
        let own = self.own_id();
        let is_there =
            |node: &&NodeId| **node == own || status.answered_age.get(*node).is_some_and(|age| *age < IN_TOUCH);
        if 2 * wanted.iter().filter(is_there).count() <= wanted.len() {
            return Ok(Step::Waiting(format!("most of the nodes {wanted:?} are silent")));
        }
        let leaves = status.leader.filter(|leader| !wanted.contains(leader));
        let heir = status.voters.intersection(wanted).find(|node| !behind(node) && is_there(node));
        if let (Some(_), Some(heir)) = (leaves, heir) {
            self.transfer_leader(*heir).await?;
            return Ok(Step::Waiting(format!("node {heir} takes over")));
        }
        self.set_voters(wanted.clone()).await?;
        Ok(Step::Waiting("the new configuration is in force".to_owned()))
    }

    /// Takes a snapshot and purges the log behind it. Returns before that is done.
    ///
    /// # Errors
    /// If the group has stopped.
    pub async fn snapshot(&self) -> Result<(), ProposeError> {
        self.raft.trigger().snapshot().await.map_err(|_| ProposeError::Stopped(self.id))
    }

    /// Stops taking part. What is committed stays committed.
    pub async fn shutdown(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::error!(group = %self.id, %error, "the group did not stop in order");
        }
    }

    pub(crate) fn hand_overs(&self) -> &HandOvers {
        &self.hand_overs
    }

    pub(crate) fn raft(&self) -> &Raft<TypeConfig, Machine<S>> {
        &self.raft
    }

    pub(crate) fn promise(&self) -> &Promise {
        &self.promise
    }

    pub(crate) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    pub(crate) fn folder(&self) -> &SnapshotFolder {
        &self.shared.folder
    }

    pub(crate) fn receiving(&self) -> &Throttle {
        &self.receiving
    }

    pub(crate) fn saving(&self) -> &CpuPool {
        &self.shared.saving
    }
}

pub(crate) fn standing_of(metrics: &RaftMetrics<TypeConfig>) -> Standing {
    match (&metrics.running_state, metrics.state) {
        (Err(_), _) | (_, ServerState::Shutdown) => Standing::Stopped,
        (_, ServerState::Leader) => Standing::Leader,
        (_, ServerState::Follower) => Standing::Follower,
        (_, ServerState::Candidate) => Standing::Candidate,
        (_, ServerState::Learner) => Standing::Learner,
    }
}

fn status_of(metrics: &RaftMetrics<TypeConfig>) -> GroupStatus {
    let membership = metrics.membership_config.membership();
    let count = |log_id: Option<raftlog::LogId>| log_id.map_or(0, |log_id| log_id.index() + 1);
    let (replication, answered) = (metrics.replication.iter().flatten(), metrics.heartbeat.iter().flatten());
    GroupStatus {
        standing: standing_of(metrics),
        leader: metrics.current_leader.map(NodeId),
        term: metrics.current_term,
        log_count: metrics.last_log_index.map_or(0, |last| last + 1),
        committed_count: count(metrics.local_committed),
        applied_count: count(metrics.last_applied),
        snapshot_count: count(metrics.snapshot),
        purged_count: count(metrics.purged),
        voters: membership.voter_ids().map(NodeId).collect(),
        learners: membership.learner_ids().map(NodeId).collect(),
        replicated_count: replication.map(|(node, matched)| (NodeId(*node), count(*matched))).collect(),
        answered_age: answered.filter_map(|(node, at)| Some((NodeId(*node), at.as_ref()?.elapsed()))).collect(),
        quorum_age: metrics.last_quorum_acked.map(|at| at.elapsed()),
        is_joint: membership.get_joint_config().len() > 1,
    }
}

fn not_leader(id: ShardId, forward: &ForwardToLeader<TypeConfig>) -> ProposeError {
    ProposeError::NotLeader(id, forward.leader_id.map(NodeId))
}

fn write_error(id: ShardId, error: ClientWriteError<TypeConfig>) -> ProposeError {
    match error {
        ClientWriteError::ForwardToLeader(forward) => not_leader(id, &forward),
        ClientWriteError::LogEntryDiscarded(_) => ProposeError::Unknown(id),
        ClientWriteError::ChangeMembershipError(error) => ProposeError::Membership(id, error.to_string()),
        ClientWriteError::PreconditionFailed(error) => ProposeError::Membership(id, error.to_string()),
    }
}

fn raft_error(id: ShardId, error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ProposeError {
    match error {
        RaftError::APIError(error) => write_error(id, error),
        RaftError::Fatal(Fatal::Stopped | Fatal::Panicked | Fatal::StorageError(_)) => ProposeError::Stopped(id),
    }
}
