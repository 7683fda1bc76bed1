//! The stream to a node, which carries the batches of all shards that it leads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{NodeId, ShardId};
use parking_lot::Mutex;
use proto::entry::RecordAnswer;
use proto::ingest::append_reply::Reply;
use proto::ingest::ingest_client::IngestClient;
use proto::ingest::{AppendReply, AppendRequest};
use stdx::{Clock, Tasks};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use transport::{Client, Nodes, RpcError};

use crate::batch::Batch;
use crate::config::Config;
use crate::window::Window;

/// What may be without a reply until the server has said how much it likes.
const FIRST_WINDOW: u64 = 4 << 20;

/// Why a batch has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Somebody else leads.
    NotLeader(Option<NodeId>),
    /// The node can't be reached, or the stream broke.
    Lost,
    /// No reply came in time.
    Deadline,
    /// The node does not know whether it will be stored.
    Unknown,
    /// The node has too much to do.
    Busy(String),
}

/// One stream to each node that is needed.
pub(crate) struct Links {
    nodes: Nodes,
    clock: Clock,
    config: Config,
    tasks: Tasks,
    open: Mutex<BTreeMap<NodeId, Arc<Link>>>,
}

/// One stream. Once it is lost, another one takes its place.
struct Link {
    /// Bounded by the window.
    requests: mpsc::UnboundedSender<AppendRequest>,
    window: Window,
    replies: Mutex<Replies>,
}

#[derive(Default)]
struct Replies {
    next_sequence: u64,
    /// By sequence; `None` once the stream is lost.
    awaited: Option<HashMap<u64, oneshot::Sender<Reply>>>,
}

impl Links {
    pub(crate) fn new(nodes: Nodes, clock: Clock, config: Config, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self { nodes, clock, config, tasks, open: Mutex::default() })
    }

    /// Sends a batch to a node and waits for its answer.
    pub(crate) async fn append(
        self: &Arc<Self>,
        node: NodeId,
        shard: ShardId,
        map_epoch: u64,
        batch: &Batch,
    ) -> Result<Vec<RecordAnswer>, Failure> {
        let link = self.link(node).ok_or(Failure::Lost)?;
        let room = link.window.room(batch.bytes as u64).await.ok_or(Failure::Lost)?;
        let (awaited, reply) = Awaited::new(&link).ok_or(Failure::Lost)?;
        let request =
            AppendRequest { sequence: awaited.sequence, shard: shard.0, map_epoch, records: batch.to_records() };
        link.requests.send(request).map_err(|_| Failure::Lost)?;
        let reply = self.clock.timeout(self.config.deadline, reply).await;
        drop((awaited, room));
        match reply.ok_or(Failure::Deadline)?.map_err(|_| Failure::Lost)? {
            Reply::Answer(answer) => Ok(answer.records),
            Reply::NotLeader(other) => Err(Failure::NotLeader((other.leader != 0).then_some(NodeId(other.leader)))),
            Reply::Unknown(_) => Err(Failure::Unknown),
            Reply::Busy(busy) => Err(Failure::Busy(busy.reason)),
        }
    }

    /// The open stream to a node, or a new one; `None` if nobody has said where the node lives.
    fn link(self: &Arc<Self>, node: NodeId) -> Option<Arc<Link>> {
        let mut open = self.open.lock();
        if let Some(link) = open.get(&node) {
            return Some(link.clone());
        }
        let client = self.nodes.client(node)?;
        let (requests, outgoing) = mpsc::unbounded_channel();
        let replies = Replies { next_sequence: 1, awaited: Some(HashMap::new()) };
        let link = Arc::new(Link { requests, window: Window::new(FIRST_WINDOW), replies: Mutex::new(replies) });
        open.insert(node, link.clone());
        let (links, opened) = (self.clone(), link.clone());
        self.tasks.spawn_until_stopped("append-stream", async move {
            if let Err(error) = opened.run(client, outgoing).await {
                tracing::debug!(node_id = %node, %error, "lost a stream of appends");
            }
            links.open.lock().remove(&node);
            opened.lose();
        });
        Some(link)
    }
}

impl Link {
    /// Carries requests and replies until the stream breaks.
    async fn run(&self, client: Client, outgoing: mpsc::UnboundedReceiver<AppendRequest>) -> Result<(), RpcError> {
        let mut client = IngestClient::new(client);
        let mut replies = client.append(UnboundedReceiverStream::new(outgoing)).await?.into_inner();
        while let Some(reply) = replies.message().await? {
            self.take(reply);
        }
        Ok(())
    }

    fn take(&self, reply: AppendReply) {
        if reply.window_bytes != 0 {
            self.window.set_limit(reply.window_bytes);
        }
        let Some(content) = reply.reply else { return };
        let awaited = self.replies.lock().awaited.as_mut().and_then(|awaited| awaited.remove(&reply.sequence));
        // One that came too late is awaited no more: the batch is on its way again.
        if let Some(awaited) = awaited {
            let _ = awaited.send(content);
        }
    }

    /// Nobody will get a reply any more.
    fn lose(&self) {
        self.replies.lock().awaited = None;
        self.window.close();
    }
}

/// A reply that somebody waits for. Dropping it gives it up.
struct Awaited<'l> {
    link: &'l Link,
    sequence: u64,
}

impl<'l> Awaited<'l> {
    /// `None` if the stream is lost.
    fn new(link: &'l Link) -> Option<(Self, oneshot::Receiver<Reply>)> {
        let (sender, reply) = oneshot::channel();
        let mut replies = link.replies.lock();
        let sequence = replies.next_sequence;
        replies.awaited.as_mut()?.insert(sequence, sender);
        replies.next_sequence += 1;
        Some((Self { link, sequence }, reply))
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(awaited) = &mut self.link.replies.lock().awaited {
            awaited.remove(&self.sequence);
        }
    }
}
