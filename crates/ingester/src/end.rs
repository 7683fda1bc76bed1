//! Why an ingester can't go on.

use consensus::{Group, StateMachine};
use model::ShardId;
use stdx::Tasks;
use tokio::sync::watch;

/// Why an ingester can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// Meta has said that the identity of this node has ended.
    #[error("the cluster does not take this node any more: {0}")]
    NotWanted(String),
    /// A group could not write or read what it must. Whoever went on would count on what may not be there.
    #[error("group {0} can't go on: {1}")]
    Failed(ShardId, String),
}

/// Where the first reason is noted. Clones share it.
#[derive(Clone)]
pub(crate) struct Ends(watch::Sender<Option<End>>);

impl Ends {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Notes a reason, unless there is one already.
    pub(crate) fn note(&self, end: End) {
        self.0.send_if_modified(|noted| {
            let is_first = noted.is_none();
            noted.get_or_insert(end);
            is_first
        });
    }

    /// Notes if a group fails while `tasks` run.
    pub(crate) fn watch<S: StateMachine>(&self, group: &Group<S>, tasks: &Tasks) {
        let (ends, group) = (self.clone(), group.clone());
        tasks.spawn_until_stopped("group-failure", async move {
            let why = group.failed().await;
            tracing::error!(group = %group.id(), why, "a group has failed: this node ends");
            ends.note(End::Failed(group.id(), why));
        });
    }

    /// Waits for a reason.
    pub(crate) async fn noted(&self) -> End {
        match self.0.subscribe().wait_for(Option::is_some).await.as_deref() {
            Ok(Some(end)) => end.clone(),
            // Never: the sender lives in `self`, and `Some` was waited for.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts() {
        let ends = Ends::new();
        ends.note(End::Failed(ShardId(3), "the disk is full".to_owned()));
        ends.note(End::NotWanted("another one".to_owned()));
        assert_eq!(ends.noted().await.to_string(), "group 3 can't go on: the disk is full");
    }
}
