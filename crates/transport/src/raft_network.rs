//! Raft between nodes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use consensus::{AppendStream, Duplex, Network, SnapshotStream, Unreachable};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use model::NodeId;
use parking_lot::Mutex;
use proto::raft::raft_client::RaftClient;
use proto::raft::{Call, Reply};
use stdx::{Clock, Tasks};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::book::{Client, Nodes};
use crate::raft_service::MESSAGE_BYTES;
use exchange::Exchange;

mod exchange;

/// Messages that wait for the connection before their sender does.
const QUEUE: usize = 32;

/// Carries Raft messages over the connections of this process.
pub struct RaftNetwork {
    nodes: Nodes,
    clock: Clock,
    tasks: Tasks,
    exchanges: Mutex<HashMap<NodeId, Arc<Exchange>>>,
}

impl RaftNetwork {
    /// A network over the connections of `nodes`.
    pub fn new(nodes: Nodes, clock: Clock, tasks: Tasks) -> Self {
        Self { nodes, clock, tasks, exchanges: Mutex::default() }
    }

    fn client(&self, to: NodeId) -> Result<RaftClient<Client>, Unreachable> {
        let client = self.nodes.client(to).ok_or_else(|| Unreachable(format!("node {to} has no known address")))?;
        let client = RaftClient::new(client);
        Ok(client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES))
    }

    fn exchange(&self, to: NodeId) -> Arc<Exchange> {
        let mut exchanges = self.exchanges.lock();
        let start = || {
            let (clock, nodes) = (self.clock.clone(), self.nodes.clone());
            Arc::new(Exchange::start(to, nodes, clock, &self.tasks))
        };
        exchanges.entry(to).or_insert_with(start).clone()
    }
}

impl Network for RaftNetwork {
    fn call(&self, to: NodeId, call: Call, limit: Duration) -> BoxFuture<'_, Result<Reply, Unreachable>> {
        let exchange = self.exchange(to);
        async move {
            let reply = self.clock.timeout(limit, exchange.call(call)).await;
            reply.unwrap_or_else(|| Err(Unreachable(format!("no reply from node {to} within {limit:?}"))))
        }
        .boxed()
    }

    fn append(&self, to: NodeId) -> BoxFuture<'_, Result<AppendStream, Unreachable>> {
        async move {
            let (requests, queue) = mpsc::channel(QUEUE);
            let replies = self.client(to)?.append(ReceiverStream::new(queue)).await;
            Ok(Duplex { requests, answers: answers(replies.map_err(unreachable)?.into_inner()) })
        }
        .boxed()
    }

    fn install(&self, to: NodeId) -> BoxFuture<'_, Result<SnapshotStream, Unreachable>> {
        async move {
            let (requests, queue) = mpsc::channel(QUEUE);
            let replies = self.client(to)?.install_snapshot(ReceiverStream::new(queue)).await;
            Ok(Duplex { requests, answers: answers(replies.map_err(unreachable)?.into_inner()) })
        }
        .boxed()
    }
}

fn answers<T: Send + 'static>(stream: Streaming<T>) -> futures::stream::BoxStream<'static, Result<T, Unreachable>> {
    stream.map(|answer| answer.map_err(unreachable)).boxed()
}

fn unreachable(status: Status) -> Unreachable {
    Unreachable(status.message().to_owned())
}
