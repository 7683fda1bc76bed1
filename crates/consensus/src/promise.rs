//! What a replica owes that was removed from this node, and is back.
//!
//! Its log is empty, or on the way to what it was. Others may count on what it had: a replica that slept through the removal
//! takes it for a voter, and its own log tells it so too, as long as it lacks the entry by which it left. So it goes by what it
//! had acknowledged, as if its log still had that.

use std::sync::Arc;

use openraft::errors::Fatal;
use openraft::raft::{VoteRequest, VoteResponse};
use parking_lot::Mutex;
use raftlog::{LogId, TypeConfig};

use crate::{Group, StateMachine};

/// The last entry that is owed, until the log has come so far.
#[derive(Clone)]
pub(crate) struct Promise(Arc<Mutex<Option<LogId>>>);

impl Promise {
    pub(crate) fn new(promised: Option<LogId>) -> Self {
        Self(Arc::new(Mutex::new(promised.filter(|_| !stdx::makes_mistake("forget what was promised")))))
    }

    pub(crate) fn get(&self) -> Option<LogId> {
        *self.0.lock()
    }
}

impl<S: StateMachine> Group<S> {
    /// The last entry that this node had acknowledged when the group was removed from it, as long as it does not have it again:
    /// until then it stands for no election, and whoever lacks that entry gets no vote.
    pub fn promised(&self) -> Option<LogId> {
        self.promise().get()
    }

    /// Looks whether the log has what is owed.
    pub(crate) async fn look_at_promise(&self) {
        let Some(promised) = self.promised() else { return };
        let last = self.raft().with_raft_state(|state| state.log_ids.last().copied()).await;
        if last.is_ok_and(|last| last >= Some(promised)) {
            *self.promise().0.lock() = None;
            self.raft().runtime_config().elect(true);
        }
    }

    /// The answer to a candidate that lacks what is owed; Raft, which sees a shorter log, would vote for it.
    pub(crate) async fn withheld_vote(
        &self,
        request: &VoteRequest<TypeConfig>,
    ) -> Result<Option<VoteResponse<TypeConfig>>, Fatal<TypeConfig>> {
        let Some(promised) = self.promised().filter(|promised| request.last_log_id < Some(*promised)) else {
            return Ok(None);
        };
        let own = self.raft().with_raft_state(|state| *state.vote_ref()).await?;
        Ok(Some(VoteResponse::new(own, Some(promised), false)))
    }
}
