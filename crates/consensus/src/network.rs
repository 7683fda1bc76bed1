//! How a group reaches its other replicas.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use model::{NodeId, ShardId};
use openraft::EmptyNode;
use openraft::network::RaftNetworkFactory;
use proto::raft;
use raftlog::TypeConfig;
use stdx::{Clock, Tasks};
use tokio::sync::mpsc;

use crate::SnapshotFolder;
use peer::{Appends, Peer};

mod peer;
mod send_snapshot;

/// A peer could not be reached, or did not answer; it may have received the message all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// A conversation with a peer: what is said and what is heard. It ends when either side is dropped.
pub struct Duplex<Q, A> {
    /// What this side says.
    pub requests: mpsc::Sender<Q>,
    /// What the peer says, until an error or its end.
    pub answers: BoxStream<'static, Result<A, Unreachable>>,
}

/// The conversation in which appends are replicated.
pub type AppendStream = Duplex<raft::AppendFrame, raft::AppendReply>;
/// The conversation in which a snapshot is transferred.
pub type SnapshotStream = Duplex<raft::SnapshotFrame, raft::SnapshotReply>;

/// Carries messages between nodes. Knows where nodes live, and nothing about Raft.
///
/// A node that can't be reached is reported within a few seconds, be it by a deadline or by keep-alive: openraft waits.
pub trait Network: Send + Sync + 'static {
    /// Sends a call and waits for its reply, for `limit` at the most. Calls never wait behind bulk traffic.
    fn call(&self, to: NodeId, call: raft::Call, limit: Duration) -> BoxFuture<'_, Result<raft::Reply, Unreachable>>;

    /// Opens a stream of appends.
    fn append(&self, to: NodeId) -> BoxFuture<'_, Result<AppendStream, Unreachable>>;

    /// Opens a snapshot transfer.
    fn install(&self, to: NodeId) -> BoxFuture<'_, Result<SnapshotStream, Unreachable>>;
}

/// Makes openraft's clients of one group.
pub(crate) struct Peers {
    pub(crate) group: ShardId,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) folder: SnapshotFolder,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _: &EmptyNode) -> Peer {
        self.peer(target, Appends::Streamed)
    }

    async fn new_heartbeat_client(&mut self, target: u64, _: &EmptyNode) -> Peer {
        self.peer(target, Appends::Called)
    }
}

impl Peers {
    fn peer(&self, target: u64, appends: Appends) -> Peer {
        Peer {
            group: self.group,
            appends,
            to: NodeId(target),
            network: self.network.clone(),
            folder: self.folder.clone(),
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
        }
    }
}
