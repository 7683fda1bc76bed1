//! One timer for all groups of a node.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use proto::raft::AppendReply;
use proto::raft::append_reply::Result as Outcome;

use crate::{Group, Groups, Standing, StateMachine};

/// A follower that has not heard its leader between so many steps looks at its election timeout, which has passed by then or is
/// about to: it counts from the last heartbeat, and who answers pulses gets few of them.
const SILENT_STEPS: u32 = 6;
/// One that was just opened does so sooner: it may be that nobody leads.
const STEPS_AT_FIRST: u32 = 2;
/// The leader of a group whose replicas all answer pulses sends a heartbeat at every so many steps. Two come in the time for
/// which openraft lets a leader write, and followers refuse to vote for another one, after it was heard: twice the shortest
/// election timeout.
const STEPS_PER_HEARTBEAT: u32 = 4;
/// Whoever did not answer a pulse for so many steps gets heartbeats at each.
const STEPS_TO_ANSWER: u32 = 2;

impl Groups {
    /// Lets all groups of this node live by one timer, for ever.
    ///
    /// By itself each group looks at its timers 25 times a second. Here leaders are told when to send their heartbeats, all
    /// at once, so that they travel in one message for each node, and few where pulses are answered; and followers that hear
    /// their leader sleep. A group without a leader goes by its own timers.
    pub async fn pace(&self, heartbeat: Duration) {
        loop {
            self.clock().sleep_about(heartbeat).await;
            let groups = self.all();
            let steps = join_all(groups.iter().map(|group| group.step_timer(heartbeat)));
            // One group whose queue is full must not keep the others from theirs.
            if self.clock().timeout(heartbeat, steps).await.is_none() {
                tracing::warn!("a group is too busy to send its heartbeat");
            }
        }
    }
}

/// When a group heard its leader, and when it sent a heartbeat as one, in steps of the timer.
#[derive(Debug)]
pub(crate) struct Pace {
    has_heard: AtomicBool,
    silent_steps: AtomicU32,
    steps_led: AtomicU32,
}

impl Default for Pace {
    fn default() -> Self {
        let silent_steps = AtomicU32::new(SILENT_STEPS - STEPS_AT_FIRST);
        Self { has_heard: AtomicBool::new(false), silent_steps, steps_led: AtomicU32::new(0) }
    }
}

impl Pace {
    /// The group answers its leader, unless it says that it knows a newer one or has stopped.
    pub(crate) fn answer(&self, reply: &AppendReply) {
        if matches!(reply.result, Some(Outcome::Matched(_) | Outcome::Conflict(_))) {
            self.hear();
        }
    }

    /// The group heard its leader.
    pub(crate) fn hear(&self) {
        self.has_heard.store(true, Ordering::Relaxed);
    }

    /// Takes a step; whether the leader was heard lately.
    fn step(&self) -> bool {
        let silent = if self.has_heard.swap(false, Ordering::Relaxed) { 0 } else { self.silent_steps() + 1 };
        self.silent_steps.store(silent, Ordering::Relaxed);
        silent < SILENT_STEPS
    }

    /// Takes a step as a leader; whether a heartbeat is due although all follow.
    fn step_as_leader(&self) -> bool {
        self.steps_led.fetch_add(1, Ordering::Relaxed).is_multiple_of(STEPS_PER_HEARTBEAT)
    }

    fn silent_steps(&self) -> u32 {
        self.silent_steps.load(Ordering::Relaxed)
    }
}

impl<S: StateMachine> Group<S> {
    /// Takes a step of the node's timer, of this length.
    pub(crate) async fn step_timer(&self, length: Duration) {
        self.look_at_promise().await;
        let (is_heard, standing) = (self.pace().step(), self.standing());
        let leads = standing == Standing::Leader;
        let sleeps = leads || (is_heard && matches!(standing, Standing::Follower | Standing::Learner));
        self.raft().runtime_config().tick(!sleeps);
        if leads && (self.pace().step_as_leader() || !self.is_followed_by_all(length * STEPS_TO_ANSWER)) {
            self.send_heartbeat().await;
        }
    }

    /// Followers that were sent entries a moment ago are left out.
    async fn send_heartbeat(&self) {
        // A group that has stopped is told so elsewhere.
        if let Err(error) = self.raft().trigger().heartbeat().await {
            tracing::debug!(group = %self.id(), %error, "no heartbeat");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timing;

    #[test]
    fn a_follower_wakes_after_a_while_of_silence() {
        let pace = Pace::default();
        let told = |outcome| AppendReply { result: Some(outcome) };
        let steps_asleep = || (0..100).take_while(|_| pace.step()).count();
        pace.answer(&told(Outcome::HigherVote(proto::raft::Vote::default())));
        assert_eq!(steps_asleep(), STEPS_AT_FIRST as usize - 1, "a group that was just opened is given time");
        pace.answer(&told(Outcome::Matched(proto::raft::append_reply::Matched::default())));
        assert_eq!(steps_asleep(), SILENT_STEPS as usize);
        pace.answer(&told(Outcome::Conflict(proto::raft::LogId::default())));
        assert_eq!(steps_asleep(), SILENT_STEPS as usize);
        pace.hear();
        assert_eq!(steps_asleep(), SILENT_STEPS as usize);
    }

    #[test]
    fn a_lost_heartbeat_costs_no_lease() {
        let Timing { heartbeat, election_timeout } = Timing::default();
        assert!(heartbeat * STEPS_PER_HEARTBEAT * 2 <= election_timeout * 2);
        let silence = heartbeat * SILENT_STEPS;
        assert!((election_timeout..election_timeout * 2).contains(&silence), "{silence:?}");
        let pace = Pace::default();
        let due: Vec<bool> = (0..6).map(|_| pace.step_as_leader()).collect();
        assert_eq!(due, [true, false, false, false, true, false]);
    }
}
