//! All calls between two nodes on one stream.

use std::collections::HashMap;
use std::time::Duration;

use consensus::Unreachable;
use model::NodeId;
use proto::raft::call::Call as Ask;
use proto::raft::raft_client::RaftClient;
use proto::raft::{Call, Calls, Replies, Reply};
use stdx::{Clock, Tasks};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::book::Nodes;

/// How long a heartbeat waits for others to share its message: all groups of a node send theirs at once. Reads wait for one, too.
const HEARTBEAT_LINGER: Duration = Duration::from_millis(1);
/// The most calls of one message.
const BATCH: usize = 256;

type Waiting = oneshot::Sender<Result<Reply, Unreachable>>;

/// Calls to one node, in batches, over a stream that is opened when needed and again after it broke.
pub(super) struct Exchange {
    queue: mpsc::Sender<(Call, Waiting)>,
}

impl Exchange {
    pub(super) fn start(to: NodeId, nodes: Nodes, clock: Clock, tasks: &Tasks) -> Self {
        let (queue, calls) = mpsc::channel(BATCH);
        let worker = Worker { to, nodes, clock, calls, next_id: 1, waiting: HashMap::new() };
        tasks.spawn_until_stopped("raft-exchange", worker.run());
        Self { queue }
    }

    pub(super) async fn call(&self, call: Call) -> Result<Reply, Unreachable> {
        let (sender, receiver) = oneshot::channel();
        let stopping = || Unreachable("this node is stopping".to_owned());
        self.queue.send((call, sender)).await.map_err(|_| stopping())?;
        receiver.await.map_err(|_| stopping())?
    }
}

struct Worker {
    to: NodeId,
    nodes: Nodes,
    clock: Clock,
    calls: mpsc::Receiver<(Call, Waiting)>,
    next_id: u64,
    waiting: HashMap<u64, Waiting>,
}

impl Worker {
    async fn run(mut self) {
        while let Some(first) = self.calls.recv().await {
            let (requests, queue) = mpsc::channel(BATCH);
            // The batch goes into the stream before it is opened: the server answers the opening with the first reply.
            let batch = self.batch(first).await;
            let opened = self.open(queue);
            let sent = requests.send(batch).await;
            debug_assert!(sent.is_ok(), "the queue is empty and its receiver lives");
            let outcome = match opened.await {
                Ok(replies) => self.serve(&requests, replies).await,
                Err(status) => status,
            };
            self.fail(&outcome);
        }
    }

    /// Forwards calls and replies until the stream breaks.
    async fn serve(&mut self, requests: &mpsc::Sender<Calls>, mut replies: Streaming<Replies>) -> Status {
        loop {
            tokio::select! {
                call = self.calls.recv() => {
                    let Some(call) = call else { return Status::cancelled("this node is stopping") };
                    let batch = self.batch(call).await;
                    if requests.send(batch).await.is_err() {
                        return Status::unavailable("the stream is closed");
                    }
                }
                batch = replies.message() => match batch {
                    Ok(Some(batch)) => self.hand_out(batch),
                    Ok(None) => return Status::unavailable("the peer ended the stream"),
                    Err(status) => return status,
                },
            }
        }
    }

    fn open(&self, queue: mpsc::Receiver<Calls>) -> impl Future<Output = Result<Streaming<Replies>, Status>> + use<> {
        let client = self.nodes.client(self.to);
        let to = self.to;
        async move {
            let client = client.ok_or_else(|| Status::unavailable(format!("node {to} has no known address")))?;
            Ok(RaftClient::new(client).exchange(ReceiverStream::new(queue)).await?.into_inner())
        }
    }

    /// A message of this call and all that are waiting too.
    async fn batch(&mut self, first: (Call, Waiting)) -> Calls {
        if matches!(first.0.call, Some(Ask::Heartbeat(_))) {
            self.clock.sleep(HEARTBEAT_LINGER).await;
        }
        let mut calls = Vec::new();
        let mut next = Some(first);
        while let Some((mut call, waiting)) = next {
            call.id = self.next_id;
            self.next_id += 1;
            self.waiting.insert(call.id, waiting);
            calls.push(call);
            next = if calls.len() < BATCH { self.calls.try_recv().ok() } else { None };
        }
        // Those who gave up leave their place: a peer that never answers must not fill the memory.
        self.waiting.retain(|_, waiting| !waiting.is_closed());
        Calls { calls }
    }

    fn hand_out(&mut self, batch: Replies) {
        for reply in batch.replies {
            if let Some(waiting) = self.waiting.remove(&reply.id) {
                // Whoever no longer waits has called it unreachable already.
                drop(waiting.send(Ok(reply)));
            }
        }
    }

    fn fail(&mut self, status: &Status) {
        for (_, waiting) in self.waiting.drain() {
            drop(waiting.send(Err(Unreachable(status.message().to_owned()))));
        }
    }
}
