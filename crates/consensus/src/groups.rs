//! The groups of a node, as other nodes reach them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use model::ShardId;
use parking_lot::RwLock;
use proto::raft::{self, append_reply, reply, snapshot_frame, snapshot_reply};

use crate::serve::Serve;
use crate::{Group, StateMachine};

/// Finds the group that a message from another node is for.
///
/// Messages for groups that this node does not have are refused with words, never lost without an answer.
#[derive(Clone, Default)]
pub struct Groups(Arc<RwLock<BTreeMap<u32, Arc<dyn Serve>>>>);

impl Groups {
    /// No groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on messages for this group reach it.
    pub fn insert<S: StateMachine>(&self, group: &Group<S>) {
        self.0.write().insert(group.id().0, Arc::new(group.clone()));
    }

    /// From now on messages for this group are refused.
    pub fn remove(&self, group: ShardId) {
        self.0.write().remove(&group.0);
    }

    /// Answers a call.
    pub async fn call(&self, call: raft::Call) -> raft::Reply {
        let told = match (self.find(call.group), call.call) {
            (Some(group), Some(ask)) => group.call(ask).await,
            (None, _) => reply::Reply::Refused(unknown(call.group)),
            (_, None) => reply::Reply::Refused("the call asks nothing".to_owned()),
        };
        raft::Reply { id: call.id, reply: Some(told) }
    }

    /// Takes a stream of appends and answers each, in order.
    pub fn append(&self, frames: BoxStream<'static, raft::AppendFrame>) -> BoxStream<'static, raft::AppendReply> {
        let groups = self.clone();
        stream::once(async move { groups.begin_append(frames).await }).flatten().boxed()
    }

    async fn begin_append(
        &self,
        mut frames: BoxStream<'static, raft::AppendFrame>,
    ) -> BoxStream<'static, raft::AppendReply> {
        let Some(first) = frames.next().await else { return stream::empty().boxed() };
        let Some(group) = self.find(first.group) else {
            let result = Some(append_reply::Result::Refused(unknown(first.group)));
            return stream::iter([raft::AppendReply { result }]).boxed();
        };
        let requests = stream::iter([first]).chain(frames).filter_map(async |frame| frame.request);
        group.append(requests.boxed())
    }

    /// Takes a snapshot that a leader offers.
    pub fn install(&self, frames: BoxStream<'static, raft::SnapshotFrame>) -> BoxStream<'static, raft::SnapshotReply> {
        let groups = self.clone();
        stream::once(async move { groups.begin_install(frames).await }).flatten().boxed()
    }

    async fn begin_install(
        &self,
        mut frames: BoxStream<'static, raft::SnapshotFrame>,
    ) -> BoxStream<'static, raft::SnapshotReply> {
        let refuse = |why: String| {
            let reply = raft::SnapshotReply { reply: Some(snapshot_reply::Reply::Refused(why)) };
            stream::iter([reply]).boxed()
        };
        let offer = match frames.next().await.and_then(|frame| frame.frame) {
            Some(snapshot_frame::Frame::Offer(offer)) => offer,
            _ => return refuse("a snapshot transfer must begin with an offer".to_owned()),
        };
        match self.find(offer.group) {
            Some(group) => group.install(offer, frames),
            None => refuse(unknown(offer.group)),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Serve>> {
        self.0.read().values().cloned().collect()
    }

    fn find(&self, group: u32) -> Option<Arc<dyn Serve>> {
        self.0.read().get(&group).cloned()
    }
}

fn unknown(group: u32) -> String {
    format!("this node has no replica of group {group}")
}
