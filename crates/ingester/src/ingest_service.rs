//! The gRPC service that takes records in, and speaks for leaders.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use consensus::Step;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use model::{NodeId, ShardId};
use prost::Message;
use proto::ingest;
use proto::ingest::append_reply::Reply;
use proto::ingest::ingest_server::Ingest;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use transport::{ErrorKind, RpcError};

use crate::batch::Outcome;
use crate::replicas::Replicas;
use crate::slots;

/// What a client may have without a reply, in bytes, on one stream.
const WINDOW_BYTES: u64 = 16 << 20;
/// Replies that wait for the connection.
const REPLIES: usize = 64;

/// The service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct IngestService(pub(crate) Arc<Replicas>);

#[tonic::async_trait]
impl Ingest for IngestService {
    type AppendStream = Pin<Box<dyn Stream<Item = Result<ingest::AppendReply, Status>> + Send>>;

    async fn append(
        &self,
        request: Request<Streaming<ingest::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let (sender, replies) = mpsc::channel(REPLIES);
        let appending = append(self.0.clone(), request.into_inner(), sender);
        self.0.tasks().spawn_until_stopped("ingest-append", appending);
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    async fn read_index(
        &self,
        request: Request<ingest::ReadIndexRequest>,
    ) -> Result<Response<ingest::ReadIndexReply>, Status> {
        let replica = self.0.require(ShardId(request.into_inner().shard))?;
        let count = replica.group.read_index().await.map_err(RpcError::from)?;
        Ok(Response::new(ingest::ReadIndexReply { count }))
    }

    async fn change_replicas(
        &self,
        request: Request<ingest::ChangeReplicasRequest>,
    ) -> Result<Response<ingest::ChangeReplicasReply>, Status> {
        let request = request.into_inner();
        let replica = self.0.require(ShardId(request.shard))?;
        let wanted: BTreeSet<NodeId> = request.replicas.into_iter().map(NodeId).collect();
        // A leader of meta that was replaced goes on with what it knew, for a moment.
        if let Some(newer) = self.0.wanted_since(replica.shard, request.map_epoch)
            && newer != wanted
        {
            let message = format!("shard {} is to be held by {newer:?} meanwhile", replica.shard);
            return Err(RpcError::new(ErrorKind::Rejected, message).into());
        }
        let reply = match replica.group.step_towards(&wanted).await.map_err(RpcError::from)? {
            Step::Done => ingest::ChangeReplicasReply { done: true, progress: String::new() },
            Step::Waiting(progress) => ingest::ChangeReplicasReply { done: false, progress },
        };
        Ok(Response::new(reply))
    }

    async fn transfer_leader(
        &self,
        request: Request<ingest::TransferLeaderRequest>,
    ) -> Result<Response<ingest::TransferLeaderReply>, Status> {
        let request = request.into_inner();
        let replica = self.0.require(ShardId(request.shard))?;
        if !replica.leads() {
            let leader = replica.group.status().leader;
            return Err(RpcError::new(ErrorKind::NotLeader(leader), "this node does not lead the shard").into());
        }
        replica.group.transfer_leader(NodeId(request.to)).await.map_err(RpcError::from)?;
        Ok(Response::new(ingest::TransferLeaderReply {}))
    }

    async fn give_slot(
        &self,
        request: Request<ingest::GiveSlotRequest>,
    ) -> Result<Response<ingest::GiveSlotReply>, Status> {
        slots::give(&self.0, request.into_inner()).await?;
        Ok(Response::new(ingest::GiveSlotReply {}))
    }

    async fn adopt_slot(
        &self,
        request: Request<ingest::AdoptSlotRequest>,
    ) -> Result<Response<ingest::AdoptSlotReply>, Status> {
        let taken = slots::adopt(&self.0, request.into_inner()).await?;
        Ok(Response::new(ingest::AdoptSlotReply { taken }))
    }
}

/// Takes requests in as they come and answers each as soon as its outcome is known, until the client is gone.
async fn append(
    replicas: Arc<Replicas>,
    mut requests: Streaming<ingest::AppendRequest>,
    replies: mpsc::Sender<Result<ingest::AppendReply, Status>>,
) {
    let mut under_way = FuturesUnordered::new();
    let mut window_bytes = WINDOW_BYTES;
    let mut open = true;
    while open || !under_way.is_empty() {
        tokio::select! {
            request = requests.message(), if open => match request {
                Ok(Some(request)) => under_way.push(append_one(&replicas, request)),
                // A stream that breaks is the client's to notice: it repeats what it has no reply to.
                Ok(None) | Err(_) => open = false,
            },
            Some(mut reply) = under_way.next() => {
                reply.window_bytes = std::mem::take(&mut window_bytes);
                if replies.send(Ok(reply)).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn append_one(replicas: &Replicas, request: ingest::AppendRequest) -> ingest::AppendReply {
    let ingest::AppendRequest { sequence, shard, map_epoch, records } = request;
    let bytes = records.iter().map(Message::encoded_len).sum();
    let started = replicas.clock().now();
    let outcome = match replicas.get(ShardId(shard)) {
        Some(replica) => replica.batcher.append(records, map_epoch, bytes).await,
        None => Outcome::NotLeader(None),
    };
    let reply = match outcome {
        Outcome::Answered(records) => {
            replicas.metrics().append_seconds.observe((replicas.clock().now() - started).as_secs_f64());
            count(replicas, &records);
            Reply::Answer(proto::entry::Answer { records })
        }
        Outcome::NotLeader(leader) => {
            Reply::NotLeader(ingest::NotLeader { leader: leader.map_or(0, |leader| leader.0) })
        }
        Outcome::Unknown => Reply::Unknown(ingest::Unknown {}),
        Outcome::Busy => Reply::Busy(ingest::Busy { reason: format!("shard {shard} has as much under way as it may") }),
    };
    ingest::AppendReply { sequence, reply: Some(reply), window_bytes: 0 }
}

fn count(replicas: &Replicas, records: &[proto::entry::RecordAnswer]) {
    for record in records {
        replicas.metrics().stored_samples.inc_by(record.stored.into());
        let refused = record.out_of_order + record.duplicate_timestamp + record.too_old + record.refused_series;
        replicas.metrics().refused_samples.inc_by(refused.into());
    }
}
