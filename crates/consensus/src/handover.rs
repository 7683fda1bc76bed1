//! Leadership that is handed over, until somebody has it.
//!
//! A leader that was told to hand over takes no more proposals, and openraft asks the heir once. If the heir does not hear it,
//! or can't be elected, the group would be without a leader that works for as long as the old one is heard of. So heirs are
//! asked again, one after the other.

use std::sync::Arc;
use std::time::Duration;

use model::NodeId;
use parking_lot::Mutex;
use stdx::{Clock, Tasks};

use crate::group::{Group, GroupStatus, Standing};
use crate::{ProposeError, StateMachine};

/// An heir that does not lead after so long is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// What handing over needs. Clones share it.
#[derive(Clone)]
pub(crate) struct HandOvers {
    clock: Clock,
    tasks: Tasks,
    /// The term in which leadership is being handed over.
    under_way: Arc<Mutex<Option<u64>>>,
}

impl HandOvers {
    pub(crate) fn new(clock: Clock, tasks: Tasks) -> Self {
        Self { clock, tasks, under_way: Arc::default() }
    }

    /// Whether this is news.
    fn begin(&self, term: u64) -> bool {
        self.under_way.lock().replace(term) != Some(term)
    }
}

impl<S: StateMachine> Group<S> {
    /// Asks the leader to let `to` lead. Returns before it does. From then on this node takes no more proposals as the leader
    /// of this term: if `to` does not take over within a second, another voter is asked.
    ///
    /// # Errors
    /// If the group has stopped.
    pub async fn transfer_leader(&self, to: NodeId) -> Result<(), ProposeError> {
        let status = self.status();
        self.ask_to_lead(to).await?;
        if status.standing == Standing::Leader && self.hand_overs().begin(status.term) {
            let (group, term) = (self.clone(), status.term);
            self.hand_overs().tasks.spawn_until_stopped("hand-over", async move {
                group.ask_until_somebody_leads(term).await;
            });
        }
        Ok(())
    }

    async fn ask_until_somebody_leads(&self, term: u64) {
        for attempt in 0.. {
            self.hand_overs().clock.sleep(PATIENCE).await;
            let status = self.status();
            if status.standing != Standing::Leader || status.term != term {
                return;
            }
            let heirs = heirs(&status, self.own_id());
            let Some(heir) = heirs.get(attempt % heirs.len().max(1)) else { continue };
            tracing::info!(group = %self.id(), %heir, "leadership was not taken over: asking again");
            if self.ask_to_lead(*heir).await.is_err() {
                return;
            }
        }
    }
}

/// The other voters, first who has most of the log.
fn heirs(status: &GroupStatus, own: NodeId) -> Vec<NodeId> {
    let has = |node: &NodeId| status.replicated_count.iter().find(|(id, _)| id == node).map_or(0, |(_, count)| *count);
    let mut heirs: Vec<NodeId> = status.voters.iter().copied().filter(|node| *node != own).collect();
    heirs.sort_by_key(|node| std::cmp::Reverse(has(node)));
    heirs
}
