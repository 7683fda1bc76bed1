//! One peer of a group, as openraft sees it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use model::{NodeId, ShardId};
use openraft::OptionalSend;
use openraft::alias::SnapshotOf;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError};
use openraft::network::{RPCOption, RaftNetworkV2, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use proto::raft::{self, call::Call as Ask, reply::Reply as Told};
use raftlog::{TypeConfig, Vote, WireError};
use stdx::{Clock, Tasks};

use super::{Network, Unreachable, send_snapshot};
use crate::SnapshotFolder;
use crate::snapshot::SnapshotData;
use crate::wire;

type RpcError = RPCError<TypeConfig>;

/// How appends travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appends {
    /// On a stream of the group's own, many at a time: entries.
    Streamed,
    /// As calls, which all groups of a node make over one stream, several in a message: heartbeats. openraft asks for a stream
    /// for each of them, and to open one would cost far more than what is said on it.
    Called,
}

pub(crate) struct Peer {
    pub(super) group: ShardId,
    pub(super) appends: Appends,
    pub(super) to: NodeId,
    pub(super) network: Arc<dyn Network>,
    pub(super) folder: SnapshotFolder,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
}

impl Peer {
    async fn call(&self, ask: Ask, option: &RPCOption) -> Result<Told, RpcError> {
        let call = raft::Call { id: 0, group: self.group.0, call: Some(ask) };
        let reply = self.network.call(self.to, call, option.soft_ttl()).await.map_err(unreachable)?;
        match reply.reply {
            Some(Told::Refused(why)) => Err(unreachable(Unreachable(why))),
            Some(told) => Ok(told),
            None => Err(malformed(WireError("a reply says nothing".to_owned()))),
        }
    }

    async fn ask_for_vote(&self, ask: Ask, option: &RPCOption) -> Result<VoteResponse<TypeConfig>, RpcError> {
        match self.call(ask, option).await? {
            Told::Vote(reply) => wire::vote_reply_from_proto(&reply).map_err(malformed),
            _ => Err(malformed(WireError("the reply to a vote request is none".to_owned()))),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        match self.call(Ask::Heartbeat(wire::append_to_proto(&request)), &option).await? {
            Told::Append(reply) => wire::append_reply_from_proto(reply).map_err(malformed),
            _ => Err(malformed(WireError("the reply to a heartbeat is none".to_owned()))),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        requests: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        if self.appends == Appends::Called {
            return stream_append_sequential(self, requests, option);
        }
        // Nothing is opened before there is something to send: openraft's pause after a failure is in its stream of
        // requests, and a failure that came before the first of them would be retried at once, for ever.
        let opening = open_append_stream(
            self.group,
            self.to,
            self.network.clone(),
            (self.clock.clone(), option.hard_ttl()),
            self.tasks.clone(),
            requests,
        );
        let replies = futures::stream::once(opening).try_flatten();
        Box::pin(async move { Ok(Box::pin(replies) as BoxStream<'s, _>) })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_for_vote(Ask::Vote(wire::vote_request_to_proto(&request)), &option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_for_vote(Ask::PreVote(wire::vote_request_to_proto(&request)), &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let stream = self.network.install(self.to).await.map_err(unreachable)?;
        let sending = send_snapshot::send(self.group, vote, &snapshot.snapshot, &self.folder, stream);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.clock.timeout(option.hard_ttl(), sending) => {
                let timed_out = || Err(Unreachable("transferring a snapshot took too long".to_owned()));
                Ok(sent.unwrap_or_else(timed_out).map_err(unreachable)?)
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        match self.call(Ask::Transfer(wire::transfer_to_proto(&request)), &option).await? {
            Told::Accepted(_) => Ok(Ok(())),
            _ => Err(malformed(WireError("the reply to a leader transfer is none".to_owned()))),
        }
    }
}

/// Waits for the first request, opens a stream to the peer, and forwards this and all later requests to it.
async fn open_append_stream(
    group: ShardId,
    to: NodeId,
    network: Arc<dyn Network>,
    (clock, limit): (Clock, Duration),
    tasks: Tasks,
    requests: impl Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
) -> Result<impl Stream<Item = Result<StreamAppendResult<TypeConfig>, RpcError>> + Send + 'static, RpcError> {
    // There may be none at all.
    let mut requests = requests.fuse();
    let first = requests.next().await;
    let opened = clock.timeout(limit, network.append(to)).await;
    let timed_out = || Err(Unreachable("opening the append stream took too long".to_owned()));
    let stream = opened.unwrap_or_else(timed_out).map_err(unreachable)?;
    let sender = stream.requests;
    let sent = Arc::new(AtomicU64::new(0));
    let sending = sent.clone();
    tasks.spawn("raft-append", async move {
        let mut requests = futures::stream::iter(first).chain(requests);
        while let Some(request) = requests.next().await {
            let frame = raft::AppendFrame { group: group.0, request: Some(wire::append_to_proto(&request)) };
            sending.fetch_add(1, Ordering::Relaxed);
            if sender.send(frame).await.is_err() {
                // The peer is gone; openraft learns it from the answers.
                return;
            }
        }
    });
    Ok(until_all_are_answered(stream.answers, sent).map(|answer| {
        answer.map_err(unreachable).and_then(|reply| wire::stream_reply_from_proto(reply).map_err(malformed))
    }))
}

/// The answers, and an error if they end before everything that was `sent` has one: openraft takes what was sent on a stream
/// that simply ends for stored, and would not send it again.
fn until_all_are_answered<A>(
    answers: impl Stream<Item = Result<A, Unreachable>> + Send + Unpin,
    sent: Arc<AtomicU64>,
) -> impl Stream<Item = Result<A, Unreachable>> + Send
where
    A: Send,
{
    futures::stream::unfold(Some((answers, 0)), move |state| {
        let sent = sent.clone();
        async move {
            let (mut answers, answered) = state?;
            match answers.next().await {
                Some(Ok(answer)) => Some((Ok(answer), Some((answers, answered + 1)))),
                Some(Err(error)) => Some((Err(error), None)),
                None if sent.load(Ordering::Relaxed) > answered => {
                    let message = "the append stream ended before everything was answered".to_owned();
                    Some((Err(Unreachable(message)), None))
                }
                None => None,
            }
        }
    })
}

fn unreachable(error: Unreachable) -> RpcError {
    RPCError::Unreachable(openraft::errors::Unreachable::new(&error))
}

fn malformed(error: WireError) -> RpcError {
    RPCError::Network(NetworkError::new(&error))
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn heard(answers: Vec<Result<u8, Unreachable>>, sent: u64) -> Vec<Result<u8, String>> {
        let answers = until_all_are_answered(stream::iter(answers), Arc::new(AtomicU64::new(sent)));
        answers.map(|answer| answer.map_err(|Unreachable(why)| why)).collect().await
    }

    #[tokio::test]
    async fn a_stream_that_ends_too_early_has_failed() {
        assert_eq!(heard(vec![Ok(1), Ok(2)], 2).await, [Ok(1), Ok(2)]);
        let broken = heard(vec![Ok(1)], 2).await;
        assert!(broken.len() == 2 && broken[1].as_ref().is_err_and(|why| why.contains("ended before")), "{broken:?}");
        let failed = heard(vec![Err(Unreachable("gone".to_owned())), Ok(2)], 2).await;
        assert_eq!(failed, [Err("gone".to_owned())]);
    }
}
