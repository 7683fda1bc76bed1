//! What a group answers to its other replicas.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use futures::{FutureExt, stream};
use model::NodeId;
use openraft::errors::{Fatal, RaftError};
use proto::raft::{self, append_reply, call::Call as Ask, reply::Reply as Told, snapshot_reply};
use raftlog::{TypeConfig, WireError, vote_to_proto};
use tokio::time::Instant;

use crate::receive::Receiving;
use crate::wire;
use crate::{Group, StateMachine};

/// A group of any state machine.
pub(crate) trait Serve: Send + Sync {
    fn call(&self, ask: Ask) -> BoxFuture<'_, Told>;
    fn append(&self, requests: BoxStream<'static, raft::AppendRequest>) -> BoxStream<'static, raft::AppendReply>;
    fn install(
        &self,
        offer: raft::SnapshotOffer,
        frames: BoxStream<'static, raft::SnapshotFrame>,
    ) -> BoxStream<'static, raft::SnapshotReply>;
    /// Takes a step of the node's timer, of this length.
    fn step_timer(&self, length: Duration) -> BoxFuture<'_, ()>;
    /// See [`Group::pulse`].
    fn pulse(&self) -> Option<(Vec<NodeId>, raft::Pulse)>;
    /// See [`Group::hear`].
    fn hear(&self, from: NodeId, pulse: &raft::Pulse, since: Option<Instant>) -> bool;
    /// See [`Group::note_following`].
    fn note_following(&self, node: NodeId, term: u64, asked: Instant);
    /// See [`Group::was_asked`].
    fn was_asked(&self, limit: Duration) -> bool;
}

impl<S: StateMachine> Serve for Group<S> {
    fn call(&self, ask: Ask) -> BoxFuture<'_, Told> {
        let answer = async move {
            let told = match ask {
                Ask::Vote(request) => {
                    let request = wire::vote_request_from_proto(&request)?;
                    let reply = match self.withheld_vote(&request).await? {
                        Some(withheld) => withheld,
                        None => self.raft().vote(request).await?,
                    };
                    Told::Vote(wire::vote_reply_to_proto(&reply))
                }
                Ask::PreVote(request) => {
                    let request = wire::vote_request_from_proto(&request)?;
                    let reply = match self.withheld_vote(&request).await? {
                        Some(withheld) => withheld,
                        None => self.raft().pre_vote(request).await?,
                    };
                    Told::Vote(wire::vote_reply_to_proto(&reply))
                }
                Ask::Heartbeat(request) => {
                    let prev = request.prev;
                    let reply = self.raft().append_entries(wire::append_from_proto(request)?).await?;
                    let reply = wire::append_reply_to_proto(reply, prev);
                    self.pace().answer(&reply);
                    Told::Append(reply)
                }
                Ask::Pulses(_) => return Err(Refusal("pulses are for a node, not for a group".to_owned())),
                Ask::Transfer(_) if self.promised().is_some() => {
                    return Err(Refusal("this replica lacks entries that it had acknowledged once".to_owned()));
                }
                Ask::Transfer(request) => {
                    let request = wire::transfer_from_proto(&request)?;
                    let taken_up = self.raft().handle_transfer_leader(request).await;
                    let taken_up = taken_up.map_err(|fatal| Refusal(fatal.to_string()))?;
                    taken_up.map_err(|error| Refusal(error.to_string()))?;
                    Told::Accepted(raft::reply::Accepted {})
                }
            };
            Ok::<_, Refusal>(told)
        };
        answer.map(|told| told.unwrap_or_else(|Refusal(why)| Told::Refused(why))).boxed()
    }

    fn append(&self, requests: BoxStream<'static, raft::AppendRequest>) -> BoxStream<'static, raft::AppendReply> {
        let group = self.id();
        // A request that makes no sense ends the stream: the leader opens another one from what it knows for sure.
        let requests = requests.map(wire::append_from_proto).scan((), move |(), request| {
            let request = request.inspect_err(|error| tracing::warn!(%group, %error, "ending an append stream"));
            futures::future::ready(request.ok())
        });
        let replies = self.raft().stream_append(requests).map(|reply| match reply {
            Ok(reply) => wire::stream_reply_to_proto(reply),
            Err(fatal) => raft::AppendReply { result: Some(append_reply::Result::Refused(fatal.to_string())) },
        });
        let pace = self.pace().clone();
        replies.inspect(move |reply| pace.answer(reply)).boxed()
    }

    fn install(
        &self,
        offer: raft::SnapshotOffer,
        frames: BoxStream<'static, raft::SnapshotFrame>,
    ) -> BoxStream<'static, raft::SnapshotReply> {
        let steps = stream::unfold(Step::Offered(self.clone(), offer, frames), |step| async move {
            let (reply, next) = step.advance().await?;
            Some((raft::SnapshotReply { reply: Some(reply) }, next))
        });
        steps.boxed()
    }

    fn step_timer(&self, length: Duration) -> BoxFuture<'_, ()> {
        Group::step_timer(self, length).boxed()
    }

    fn pulse(&self) -> Option<(Vec<NodeId>, raft::Pulse)> {
        Group::pulse(self)
    }

    fn hear(&self, from: NodeId, pulse: &raft::Pulse, since: Option<Instant>) -> bool {
        Group::hear(self, from, pulse, since)
    }

    fn note_following(&self, node: NodeId, term: u64, asked: Instant) {
        Group::note_following(self, node, term, asked);
    }

    fn was_asked(&self, limit: Duration) -> bool {
        Group::was_asked(self, limit)
    }
}

/// Where a snapshot transfer is.
enum Step<S: StateMachine> {
    Offered(Group<S>, raft::SnapshotOffer, BoxStream<'static, raft::SnapshotFrame>),
    Receiving(Group<S>, raftlog::Vote, Box<Receiving>, BoxStream<'static, raft::SnapshotFrame>),
    Done,
}

impl<S: StateMachine> Step<S> {
    /// The next reply and what comes after it; `None` at the end.
    async fn advance(self) -> Option<(snapshot_reply::Reply, Self)> {
        let outcome = match self {
            Self::Done => return None,
            Self::Offered(group, offer, frames) => begin(group, offer, frames),
            Self::Receiving(group, vote, receiving, frames) => {
                let installed = receive(&group, vote, *receiving, frames).await;
                installed.map(|vote| (snapshot_reply::Reply::Vote(vote), Self::Done))
            }
        };
        Some(outcome.unwrap_or_else(|Refusal(why)| (snapshot_reply::Reply::Refused(why), Self::Done)))
    }
}

fn begin<S: StateMachine>(
    group: Group<S>,
    offer: raft::SnapshotOffer,
    frames: BoxStream<'static, raft::SnapshotFrame>,
) -> Result<(snapshot_reply::Reply, Step<S>), Refusal> {
    let vote = wire::vote(offer.vote.as_ref())?;
    let manifest = offer.manifest.ok_or_else(|| Refusal("the offer has no manifest".to_owned()))?;
    let receiving = Receiving::new(group.folder().clone(), manifest).map_err(|error| Refusal(error.to_string()))?;
    let want = snapshot_reply::Reply::Want(receiving.want());
    Ok((want, Step::Receiving(group, vote, Box::new(receiving), frames)))
}

/// Takes the files and installs the snapshot; returns this node's vote.
async fn receive<S: StateMachine>(
    group: &Group<S>,
    vote: raftlog::Vote,
    mut receiving: Receiving,
    mut frames: BoxStream<'static, raft::SnapshotFrame>,
) -> Result<raft::Vote, Refusal> {
    while !receiving.is_complete() {
        let frame = frames.next().await.ok_or_else(|| Refusal("the leader broke off".to_owned()))?;
        if let Some(raft::snapshot_frame::Frame::Chunk(chunk)) = &frame.frame {
            // The leader sends no faster than frames are taken from the connection.
            group.receiving().take(chunk.data.len() as u64).await;
        }
        let taken = group.saving().run(move || {
            let result = receiving.take(frame);
            (receiving, result)
        });
        let (back, result) = taken.await;
        result.map_err(|error| Refusal(error.to_string()))?;
        receiving = back;
    }
    let snapshot = receiving.finish().into_snapshot()?;
    let installed = group.raft().install_full_snapshot(vote, snapshot).await;
    Ok(vote_to_proto(&installed.map_err(|fatal| Refusal(fatal.to_string()))?.vote))
}

/// Why a message was not taken up, in words for the other side.
struct Refusal(String);

impl From<Fatal<TypeConfig>> for Refusal {
    fn from(fatal: Fatal<TypeConfig>) -> Self {
        Self(fatal.to_string())
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self(error.to_string())
    }
}

impl From<RaftError<TypeConfig>> for Refusal {
    fn from(error: RaftError<TypeConfig>) -> Self {
        Self(error.to_string())
    }
}
