//! What this node answers to other nodes' Raft messages.

use std::pin::Pin;

use consensus::Groups;
use futures::stream::FuturesOrdered;
use futures::{Stream, StreamExt};
use model::NodeId;
use proto::raft::raft_server::Raft;
use proto::raft::{AppendFrame, AppendReply, Calls, Replies, SnapshotFrame, SnapshotReply, raft_server::RaftServer};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use crate::hello::sender_of;

/// The largest message of the Raft service: a batch of entries, or a piece of a snapshot.
pub(crate) const MESSAGE_BYTES: usize = 64 << 20;
/// How many batches of calls of one peer are worked on at once.
const CALLS_AT_ONCE: usize = 64;

/// Hands Raft messages to the groups of this node.
pub struct RaftService {
    groups: Groups,
    losses: mpsc::UnboundedSender<NodeId>,
}

impl RaftService {
    /// The service over these groups. `losses` hears of each node whose stream of calls to this one ends: a leader calls all
    /// its followers, so when it dies, this is how they notice at once, long before an election timeout.
    pub fn new(groups: Groups, losses: mpsc::UnboundedSender<NodeId>) -> RaftServer<Self> {
        RaftServer::new(Self { groups, losses })
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES)
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Raft for RaftService {
    type ExchangeStream = Answers<Replies>;
    type AppendStream = Answers<AppendReply>;
    type InstallSnapshotStream = Answers<SnapshotReply>;

    async fn exchange(&self, request: Request<Streaming<Calls>>) -> Result<Response<Self::ExchangeStream>, Status> {
        let groups = self.groups.clone();
        let caller = Caller { node: sender_of(request.metadata()), losses: self.losses.clone() };
        let calls = up_to_error(request.into_inner()).inspect(move |_| caller.is_there());
        let batches = calls.map(move |batch: Calls| {
            let groups = groups.clone();
            async move {
                let replies: FuturesOrdered<_> = batch.calls.into_iter().map(|call| groups.call(call)).collect();
                Ok(Replies { replies: replies.collect().await })
            }
        });
        Ok(Response::new(Box::pin(batches.buffer_unordered(CALLS_AT_ONCE))))
    }

    async fn append(&self, request: Request<Streaming<AppendFrame>>) -> Result<Response<Self::AppendStream>, Status> {
        let replies = self.groups.append(up_to_error(request.into_inner()).boxed());
        Ok(Response::new(Box::pin(replies.map(Ok))))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotFrame>>,
    ) -> Result<Response<Self::InstallSnapshotStream>, Status> {
        let replies = self.groups.install(up_to_error(request.into_inner()).boxed());
        Ok(Response::new(Box::pin(replies.map(Ok))))
    }
}

/// Reports the loss of a node when the stream of its calls is dropped.
struct Caller {
    node: Option<NodeId>,
    losses: mpsc::UnboundedSender<NodeId>,
}

impl Caller {
    /// Ties the caller to a stream that owns it.
    fn is_there(&self) {}
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(node) = self.node
            && self.losses.send(node).is_err()
        {
            tracing::debug!(%node, "nobody listens for lost nodes any more");
        }
    }
}

/// The messages of a stream until it ends or breaks: to Raft the two are the same, the peer will open another one.
fn up_to_error<T: Send + 'static>(stream: Streaming<T>) -> impl Stream<Item = T> + Send {
    stream.scan((), |(), message| futures::future::ready(message.ok()))
}
