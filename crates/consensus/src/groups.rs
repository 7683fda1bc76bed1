//! The groups of a node, as other nodes reach them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use model::{NodeId, ShardId};
use parking_lot::{Mutex, RwLock};
use proto::raft::{self, append_reply, call::Call as Ask, reply, snapshot_frame, snapshot_reply};
use stdx::Clock;

use crate::pulse::Echoes;
use crate::serve::Serve;
use crate::{Group, StateMachine};

/// Finds the group that a message from another node is for.
///
/// Messages for groups that this node does not have are refused with words, never lost without an answer.
#[derive(Clone)]
pub struct Groups(Arc<Inner>);

struct Inner {
    groups: RwLock<BTreeMap<u32, Arc<dyn Serve>>>,
    echoes: Mutex<BTreeMap<NodeId, Echoes>>,
    clock: Clock,
}

impl Groups {
    /// No groups.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { groups: RwLock::default(), echoes: Mutex::default(), clock }))
    }

    /// From now on messages for this group reach it.
    pub fn insert<S: StateMachine>(&self, group: &Group<S>) {
        self.0.groups.write().insert(group.id().0, Arc::new(group.clone()));
    }

    /// From now on messages for this group are refused.
    pub fn remove(&self, group: ShardId) {
        self.0.groups.write().remove(&group.0);
    }

    /// Answers a call.
    pub async fn call(&self, call: raft::Call) -> raft::Reply {
        let told = match (self.find(call.group), call.call) {
            (_, Some(Ask::Pulses(said))) => reply::Reply::Following(self.hear(&said)),
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

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// When pulses of each node were answered.
    pub(crate) fn echoes(&self) -> &Mutex<BTreeMap<NodeId, Echoes>> {
        &self.0.echoes
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Serve>> {
        self.0.groups.read().values().cloned().collect()
    }

    pub(crate) fn find(&self, group: u32) -> Option<Arc<dyn Serve>> {
        self.0.groups.read().get(&group).cloned()
    }
}

fn unknown(group: u32) -> String {
    format!("this node has no replica of group {group}")
}
