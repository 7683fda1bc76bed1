//! Who follows whom, as pulses tell it, and how much of a group's log is known to be committed without asking.

use std::collections::BTreeMap;
use std::time::Duration;

use model::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use proto::raft;
use raftlog::{LogId, term_of};
use stdx::Clock;
use tokio::time::Instant;

use crate::group::standing_of;
use crate::{Group, Standing, StateMachine};

/// A leader that no quorum has acknowledged for so long says nothing: openraft may have stopped working for the group, or others
/// can't be reached. Its heartbeats come far more often.
const LEADS_NO_MORE: Duration = Duration::from_secs(2);

/// What pulses have told a replica.
pub(crate) struct Known {
    clock: Clock,
    /// To the leader: when it asked those who answered that they follow.
    following: Mutex<Following>,
    /// To others: how far the group was committed.
    committed: Mutex<Option<Committed>>,
    /// When somebody last wanted to know.
    asked: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Following {
    term: u64,
    asked: BTreeMap<NodeId, Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Committed {
    term: u64,
    /// The moment, by this node's clock, at which nothing more was committed.
    of: Instant,
    count: u64,
}

/// A group as its leader sees it.
struct Led {
    term: u64,
    /// How many entries are committed; unknown until one of the leader's own term is.
    committed_count: Option<u64>,
    /// Each needs its own majority.
    configs: Vec<Vec<NodeId>>,
    /// All other replicas.
    others: Vec<NodeId>,
    /// How long ago openraft asked a quorum that answered.
    quorum_age: Option<Duration>,
}

impl Known {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, following: Mutex::default(), committed: Mutex::default(), asked: Mutex::default() }
    }
}

impl<S: StateMachine> Group<S> {
    /// How many entries had been committed at some moment within the bound, if that is known here without asking.
    ///
    /// A leader goes by who answered it, others by what it told them. A replica that was elected or that voted only just now
    /// knows nothing.
    ///
    /// Pulses are rare as long as nobody wants to know: the first to ask after a while may get nothing.
    pub fn committed_lately(&self, bound: Duration) -> Option<u64> {
        *self.known().asked.lock() = Some(self.known().clock.now());
        if let Some(led) = self.led() {
            return self.quorum_age(&led).filter(|age| *age <= bound).and(led.committed_count);
        }
        let committed = (*self.known().committed.lock())?;
        let is_recent = self.known().clock.now().duration_since(committed.of) <= bound;
        (is_recent && committed.term == self.status().term).then_some(committed.count)
    }

    /// Whether somebody wanted to know within `limit` how much is committed.
    pub(crate) fn was_asked(&self, limit: Duration) -> bool {
        let asked = *self.known().asked.lock();
        asked.is_some_and(|asked| self.known().clock.now().duration_since(asked) <= limit)
    }

    /// What the leader says to all other replicas; `None` if this node does not lead, or can't be sure that it does.
    pub(crate) fn pulse(&self) -> Option<(Vec<NodeId>, raft::Pulse)> {
        let led = self.led()?;
        if !self.is_alone(&led) && led.quorum_age.is_none_or(|age| age > LEADS_NO_MORE) {
            return None;
        }
        // Rounded up: it must not seem younger than it is.
        let age_ms = self.quorum_age(&led).map(|age| age.as_millis() as u64 + 1);
        let pulse = raft::Pulse {
            group: self.id().0,
            term: led.term,
            committed_count: led.committed_count.unwrap_or(0),
            age_ms: age_ms.filter(|_| led.committed_count.is_some()),
        };
        Some((led.others, pulse))
    }

    /// Hears what the leader on another node says, which put it together after `since`; whether this replica follows it.
    pub(crate) fn hear(&self, from: NodeId, pulse: &raft::Pulse, since: Option<Instant>) -> bool {
        if !self.follows(from, pulse.term) {
            return false;
        }
        self.pace().hear();
        let age = pulse.age_ms.map(Duration::from_millis);
        if let Some(of) = since.zip(age).and_then(|(since, age)| since.checked_sub(age)) {
            let mut last = self.known().committed.lock();
            if last.is_none_or(|last| (last.term, last.of) < (pulse.term, of)) {
                *last = Some(Committed { term: pulse.term, of, count: pulse.committed_count });
            }
        }
        true
    }

    /// Notes that a replica followed in this term when it was asked at this moment, or later.
    pub(crate) fn note_following(&self, node: NodeId, term: u64, asked: Instant) {
        let mut following = self.known().following.lock();
        if following.term < term {
            *following = Following { term, asked: BTreeMap::new() };
        }
        if following.term == term {
            following.asked.insert(node, asked);
        }
    }

    /// Whether this node leads, and all other replicas answered within `limit` that they follow.
    pub(crate) fn is_followed_by_all(&self, limit: Duration) -> bool {
        let Some(led) = self.led() else { return false };
        let following = self.known().following.lock();
        let now = self.known().clock.now();
        let follows = |node| following.asked.get(node).is_some_and(|asked| now.duration_since(*asked) <= limit);
        following.term == led.term && led.others.iter().all(follows)
    }

    fn follows(&self, leader: NodeId, term: u64) -> bool {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let follows = matches!(standing_of(&metrics), Standing::Follower | Standing::Learner);
        follows && metrics.current_leader == Some(leader.0) && metrics.current_term == term
    }

    fn is_alone(&self, led: &Led) -> bool {
        led.configs.iter().all(|config| config == &[self.own_id()])
    }

    /// How long ago a quorum was asked that answered, as openraft knows it or by pulses.
    fn quorum_age(&self, led: &Led) -> Option<Duration> {
        let now = self.known().clock.now();
        let following = self.known().following.lock();
        let (own, answers) = (self.own_id(), (following.term == led.term).then_some(&following.asked));
        let asked = |node: &NodeId| if *node == own { Some(now) } else { answers?.get(node).copied() };
        let by_pulses = quorum_asked(&led.configs, asked).map(|asked| now.duration_since(asked));
        by_pulses.into_iter().chain(led.quorum_age).min()
    }

    fn led(&self) -> Option<Led> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        if standing_of(&metrics) != Standing::Leader {
            return None;
        }
        let membership = metrics.membership_config.membership();
        let configs = membership.get_joint_config().iter();
        let (nodes, own) = (membership.nodes().map(|(node, _)| NodeId(*node)), self.own_id());
        let is_own = |id: &LogId| term_of(id) == metrics.current_term;
        let committed = metrics.local_committed;
        let committed =
            committed.filter(|id| is_own(id) || stdx::makes_mistake("call what a former leader committed all"));
        Some(Led {
            term: metrics.current_term,
            committed_count: committed.map(|id| id.index() + 1),
            configs: configs.map(|config| config.iter().copied().map(NodeId).collect()).collect(),
            others: nodes.filter(|node| *node != own).collect(),
            quorum_age: metrics.last_quorum_acked.map(|at| openraft::Instant::elapsed(&*at)),
        })
    }
}

/// The latest moment at which, or after which, a majority of each configuration was asked that answered.
fn quorum_asked(configs: &[Vec<NodeId>], asked: impl Fn(&NodeId) -> Option<Instant>) -> Option<Instant> {
    let of_config = |config: &Vec<NodeId>| {
        let mut moments: Vec<Option<Instant>> = config.iter().map(&asked).collect();
        moments.sort_unstable_by(|a, b| b.cmp(a));
        moments.get(config.len() / 2).copied().flatten()
    };
    configs.iter().map(of_config).min().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_configuration_needs_its_own_majority() {
        let began = Clock::system().now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let asked = |node: &NodeId| (node.0 < 5).then(|| at(node.0));
        let config = |nodes: &[u64]| nodes.iter().copied().map(NodeId).collect::<Vec<_>>();
        let of =
            |configs: &[&[u64]]| quorum_asked(&configs.iter().map(|nodes| config(nodes)).collect::<Vec<_>>(), asked);
        assert_eq!(of(&[&[1]]), Some(at(1)));
        assert_eq!(of(&[&[1, 2]]), Some(at(1)), "two of two");
        assert_eq!(of(&[&[1, 2, 3]]), Some(at(2)));
        assert_eq!(of(&[&[1, 2, 9]]), Some(at(1)), "one never answered");
        assert_eq!(of(&[&[1, 8, 9]]), None);
        assert_eq!(of(&[&[1, 2, 3], &[3, 4, 9]]), Some(at(2)));
        assert_eq!(of(&[&[1, 2, 3], &[3, 8, 9]]), None);
        assert_eq!(of(&[]), None);
    }
}
