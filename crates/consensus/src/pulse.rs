//! What a node says to another one of all the groups that it leads, in one message: they are led, and how far they are committed.
//!
//! A heartbeat of openraft's wakes a group four times on its leader and once on each follower. As long as all replicas of a
//! group answer pulses, its heartbeats are rare (`pace.rs`), so that what rests costs next to nothing; and followers know what
//! they may answer without asking (`following.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::NodeId;
use parking_lot::Mutex;
use proto::raft::{self, call::Call as Ask, reply::Reply as Told};
use stdx::Tasks;
use tokio::time::Instant;

use crate::{Groups, Network};

/// The pause between two pulses while bounded reads are asked for. What a follower knows by them is at most three pauses old:
/// its leader's last answer was one old when it said so, a follower dates that from its own answer before, and the next pulse
/// is one pause away.
const PULSE: Duration = Duration::from_millis(75);
/// The pause as long as nobody asks: heartbeats stay rare all the same.
const PULSE_AT_REST: Duration = Duration::from_millis(200);
/// For so long after a question pulses come as often as questions need them.
const REST_AFTER: Duration = Duration::from_secs(10);
/// Whoever takes longer to answer gets the next one.
const PULSE_LIMIT: Duration = Duration::from_millis(500);
/// How many answers are remembered. A node has one pulse at a time, so that it speaks of the last answer or the one before.
const ECHOES: usize = 4;

impl Groups {
    /// Tells other nodes of the groups that this one leads, for ever.
    pub async fn pulse(&self, own: NodeId, network: Arc<dyn Network>, tasks: &Tasks) {
        let lines: Arc<Mutex<BTreeMap<NodeId, Line>>> = Arc::default();
        loop {
            let is_asked = self.is_asked() || lines.lock().values().any(|line| line.is_asked);
            match is_asked {
                true => self.clock().sleep(PULSE).await,
                false => self.clock().sleep_about(PULSE_AT_REST).await,
            }
            let by_node = self.by_node();
            // Who hears nothing any more has no say in how often others hear something.
            lines.lock().retain(|node, line| line.is_busy || by_node.contains_key(node));
            for (to, pulses) in by_node {
                let Some((number, answered)) = lines.lock().entry(to).or_default().begin() else { continue };
                let said = raft::Pulses { from: own.0, number, answered, pulses };
                let (groups, network, lines) = (self.clone(), network.clone(), lines.clone());
                tasks.spawn_until_stopped("pulse", async move {
                    let answer = groups.say(&*network, to, said).await;
                    lines.lock().entry(to).or_default().end(answer);
                });
            }
        }
    }

    /// What is to be said of the groups that are led here, by who is to hear it.
    fn by_node(&self) -> BTreeMap<NodeId, Vec<raft::Pulse>> {
        let mut by_node: BTreeMap<NodeId, Vec<raft::Pulse>> = BTreeMap::new();
        for (others, pulse) in self.all().iter().filter_map(|group| group.pulse()) {
            for node in others {
                by_node.entry(node).or_default().push(pulse);
            }
        }
        by_node
    }

    /// Whether somebody asked for a bounded read of a group here a while ago.
    fn is_asked(&self) -> bool {
        self.all().iter().any(|group| group.was_asked(REST_AFTER))
    }

    /// Sends what is to be said, and notes who follows. `None`: there was no answer.
    async fn say(&self, network: &dyn Network, to: NodeId, said: raft::Pulses) -> Option<raft::Following> {
        let terms: BTreeMap<u32, u64> = said.pulses.iter().map(|pulse| (pulse.group, pulse.term)).collect();
        let asked = self.clock().now();
        let call = raft::Call { id: 0, group: 0, call: Some(Ask::Pulses(said)) };
        match network.call(to, call, PULSE_LIMIT).await.map(|reply| reply.reply) {
            Ok(Some(Told::Following(following))) => {
                for number in &following.groups {
                    if let (Some(term), Some(group)) = (terms.get(number), self.find(*number)) {
                        group.note_following(to, *term, asked);
                    }
                }
                Some(following)
            }
            // A binary that knows no pulses refuses them. It gets heartbeats, like a node that can't be reached.
            Ok(other) => {
                tracing::debug!(%to, ?other, "no answer to a pulse");
                None
            }
            Err(error) => {
                tracing::debug!(%to, %error, "a pulse did not arrive");
                None
            }
        }
    }

    /// Hears another node's leaders; which of the groups follow them.
    pub(crate) fn hear(&self, said: &raft::Pulses) -> raft::Following {
        let from = NodeId(said.from);
        let since = self.echoes().lock().entry(from).or_default().answer(said, self.clock().now());
        let follows = |pulse: &&raft::Pulse| self.find(pulse.group).is_some_and(|group| group.hear(from, pulse, since));
        let groups: BTreeSet<u32> = said.pulses.iter().filter(follows).map(|pulse| pulse.group).collect();
        raft::Following { groups: groups.into_iter().collect(), is_asked: self.is_asked() }
    }
}

/// The pulses to one node.
#[derive(Debug, Default)]
struct Line {
    number: u64,
    answered: u64,
    is_busy: bool,
    /// Whether somebody asks for bounded reads there.
    is_asked: bool,
}

impl Line {
    /// The number of the next pulse and the last one that was answered; `None` as long as one is under way.
    fn begin(&mut self) -> Option<(u64, u64)> {
        if std::mem::replace(&mut self.is_busy, true) {
            return None;
        }
        self.number += 1;
        Some((self.number, self.answered))
    }

    fn end(&mut self, answer: Option<raft::Following>) {
        self.is_busy = false;
        self.is_asked = answer.as_ref().is_some_and(|answer| answer.is_asked);
        if answer.is_some() {
            self.answered = self.number;
        }
    }
}

/// When the last pulses of one node were answered.
#[derive(Debug, Default)]
pub(crate) struct Echoes(VecDeque<(u64, Instant)>);

impl Echoes {
    /// Notes that what was said is answered now. Returns a moment before it was put together, by this node's clock: however long
    /// the message was on its way, and however long this process slept, it is no younger than that.
    fn answer(&mut self, said: &raft::Pulses, now: Instant) -> Option<Instant> {
        // Another process at the same node counts anew: its numbers are behind those of the one before.
        let answered = self.0.iter().rev().find(|(number, _)| *number == said.answered);
        let since = answered.filter(|_| said.answered > 0).map(|(_, at)| *at);
        if self.0.len() == ECHOES {
            self.0.pop_front();
        }
        self.0.push_back((said.number, now));
        if stdx::makes_mistake("take a late pulse for a young one") { Some(now) } else { since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_one_pulse_at_a_time() {
        let mut line = Line::default();
        assert_eq!(line.begin(), Some((1, 0)));
        assert_eq!(line.begin(), None);
        line.end(None);
        assert_eq!(line.begin(), Some((2, 0)));
        line.end(Some(raft::Following::default()));
        assert_eq!(line.begin(), Some((3, 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_as_young_as_the_answer_that_it_speaks_of() {
        let clock = stdx::Clock::system();
        let began = clock.now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let said = |number, answered| raft::Pulses { from: 1, number, answered, pulses: Vec::new() };
        let mut echoes = Echoes::default();
        assert_eq!(echoes.answer(&said(1, 0), at(1)), None);
        assert_eq!(echoes.answer(&said(2, 1), at(9)), Some(at(1)), "it may have been under way for eight seconds");
        assert_eq!(echoes.answer(&said(3, 1), at(10)), Some(at(1)), "the second answer was lost");
        assert_eq!(echoes.answer(&said(1, 0), at(11)), None, "another process speaks");
        assert_eq!(echoes.answer(&said(2, 1), at(12)), Some(at(11)));
        for number in 3..20 {
            echoes.answer(&said(number, number - 1), at(number + 10));
        }
        assert_eq!((echoes.0.len(), echoes.answer(&said(20, 2), at(40))), (ECHOES, None), "it is forgotten");
    }
}
