//! One timer for all groups of a node.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use proto::raft::AppendReply;
use proto::raft::append_reply::Result as Outcome;
use stdx::Clock;

use crate::{Group, Groups, Standing, StateMachine};

/// A follower that has not heard its leader between so many steps looks at its election timeout.
///
/// That takes three heartbeats at the most, which is less than the shortest election timeout: nobody is elected later for it.
const SILENT_STEPS: u32 = 2;

impl Groups {
    /// Lets all groups of this node live by one timer, for ever.
    ///
    /// By itself each group looks at its timers 25 times a second. Here leaders are told when to send their heartbeats, all
    /// at once, so that they travel in one message for each node; and followers that hear their leader sleep. A group without
    /// a leader goes by its own timers, so that elections are what they always were.
    pub async fn pace(&self, heartbeat: Duration, clock: &Clock) {
        loop {
            clock.sleep(heartbeat).await;
            let groups = self.all();
            let steps = join_all(groups.iter().map(|group| group.step_timer()));
            // One group whose queue is full must not keep the others from theirs.
            if clock.timeout(heartbeat, steps).await.is_none() {
                tracing::warn!("a group is too busy to send its heartbeat");
            }
        }
    }
}

/// When a group heard its leader, in steps of the timer.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    has_heard: AtomicBool,
    silent_steps: AtomicU32,
}

impl Pace {
    /// The group answers its leader, unless it says that it knows a newer one or has stopped.
    pub(crate) fn answer(&self, reply: &AppendReply) {
        if matches!(reply.result, Some(Outcome::Matched(_) | Outcome::Conflict(_))) {
            self.has_heard.store(true, Ordering::Relaxed);
        }
    }

    /// Takes a step; whether the leader was heard lately.
    fn step(&self) -> bool {
        let silent = if self.has_heard.swap(false, Ordering::Relaxed) { 0 } else { self.silent_steps() + 1 };
        self.silent_steps.store(silent, Ordering::Relaxed);
        silent < SILENT_STEPS
    }

    fn silent_steps(&self) -> u32 {
        self.silent_steps.load(Ordering::Relaxed)
    }
}

impl<S: StateMachine> Group<S> {
    /// Takes a step of the node's timer.
    pub(crate) async fn step_timer(&self) {
        self.look_at_promise().await;
        let (is_heard, standing) = (self.pace().step(), self.standing());
        let leads = standing == Standing::Leader;
        let sleeps = leads || (is_heard && matches!(standing, Standing::Follower | Standing::Learner));
        self.raft().runtime_config().tick(!sleeps);
        // Followers that were sent entries a moment ago are left out. A group that has stopped is told so elsewhere.
        if leads && let Err(error) = self.raft().trigger().heartbeat().await {
            tracing::debug!(group = %self.id(), %error, "no heartbeat");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_wakes_before_an_election_could_begin() {
        let pace = Pace::default();
        let told = |outcome| AppendReply { result: Some(outcome) };
        pace.answer(&told(Outcome::HigherVote(proto::raft::Vote::default())));
        assert!(pace.step(), "a group that was just opened is given time");
        assert!(!pace.step());
        pace.answer(&told(Outcome::Matched(proto::raft::append_reply::Matched::default())));
        assert_eq!([pace.step(), pace.step(), pace.step(), pace.step()], [true, true, false, false]);
        pace.answer(&told(Outcome::Conflict(proto::raft::LogId::default())));
        assert_eq!([pace.step(), pace.step(), pace.step()], [true, true, false]);
        let timing = crate::Timing::default();
        assert!(timing.heartbeat * (SILENT_STEPS + 1) < timing.election_timeout);
    }
}
