//! What a follower does when the connection to its leader breaks: it does not wait for the election timeout.

use std::collections::BTreeSet;
use std::time::Duration;

use model::{NodeId, ShardId};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::TransferLeaderRequest;
use stdx::Clock;

use crate::{Group, StateMachine};

/// How long one candidate waits for another to be elected before it tries itself. Two votes and their fsyncs fit in.
const STAGGER: Duration = Duration::from_millis(100);
/// How often each candidate tries, before it leaves the rest to the election timeout.
const TRIES: u32 = 3;

impl<S: StateMachine> Group<S> {
    /// Hears that `lost` can't be reached any more. If it led the group, another leader is sought at once.
    ///
    /// Nothing is risked if it still lives: followers that hear from it refuse the vote before it is cast, and whoever heard
    /// nothing else keeps to its term. Returns when the group has another leader, or when trying is over.
    pub async fn succeed(&self, lost: NodeId, clock: &Clock) {
        let before = self.status();
        let own = self.own_id();
        if before.leader != Some(lost) || !before.voters.contains(&own) {
            return;
        }
        self.end_lease(lost).await;
        let candidates: BTreeSet<NodeId> = before.voters.into_iter().filter(|node| *node != lost).collect();
        let rank = rank_of(own, &candidates, self.id());
        let mut pause = STAGGER * rank;
        for _ in 0..TRIES {
            clock.sleep(pause).await;
            let now = self.status();
            if now.leader != Some(lost) || now.term != before.term {
                return;
            }
            if self.elect().await.is_err() {
                return;
            }
            pause = STAGGER * candidates.len() as u32;
        }
    }

    /// Lets votes be given to others although the leader was heard a moment ago. Its next heartbeat takes this back.
    async fn end_lease(&self, leader: NodeId) {
        let vote = self.raft().metrics().borrow_watched().vote;
        // This is how a leader itself tells its followers not to wait for it; `to` is nobody's, so that no one is named.
        let resigns = TransferLeaderRequest::new(vote, NOBODY, None);
        if let Err(error) = self.raft().handle_transfer_leader(resigns).await {
            tracing::debug!(group = %self.id(), %leader, %error, "the group has stopped");
        }
    }
}

/// No node has this id.
const NOBODY: u64 = 0;

/// The place of a node in the line of those who might lead. It differs between groups, so that the groups of a lost node
/// come to lie on several others.
fn rank_of(node: NodeId, candidates: &BTreeSet<NodeId>, group: ShardId) -> u32 {
    let place = candidates.iter().position(|candidate| *candidate == node).unwrap_or(0) as u32;
    let count = candidates.len().max(1) as u32;
    (place + group.0 % count) % count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_stand_in_a_line_that_differs_between_groups() {
        let candidates = BTreeSet::from([NodeId(1), NodeId(4), NodeId(7)]);
        let line =
            |group| candidates.iter().map(|node| rank_of(*node, &candidates, ShardId(group))).collect::<Vec<_>>();
        assert_eq!(line(0), [0, 1, 2]);
        assert_eq!(line(1), [1, 2, 0]);
        assert_eq!(line(5), [2, 0, 1]);
    }
}
