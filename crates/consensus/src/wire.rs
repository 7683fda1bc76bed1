//! openraft's messages ↔ ours.

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, StreamAppendResult, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use proto::raft;
use raftlog::{
    TypeConfig, Vote, WireError, entry_from_proto, entry_to_proto, log_id_from_proto, log_id_to_proto, vote_from_proto,
    vote_to_proto,
};

use raft::append_reply::{Matched, Result as Outcome};

/// The vote of a message that must have one.
pub(crate) fn vote(message: Option<&raft::Vote>) -> Result<Vote, WireError> {
    message.map(vote_from_proto).ok_or_else(|| WireError("a message has no vote".to_owned()))
}

pub(crate) fn append_to_proto(request: &AppendEntriesRequest<TypeConfig>) -> raft::AppendRequest {
    raft::AppendRequest {
        vote: Some(vote_to_proto(&request.vote)),
        prev: request.prev_log_id.as_ref().map(log_id_to_proto),
        entries: request.entries.iter().map(entry_to_proto).collect(),
        leader_commit: request.leader_commit.as_ref().map(log_id_to_proto),
    }
}

pub(crate) fn append_from_proto(message: raft::AppendRequest) -> Result<AppendEntriesRequest<TypeConfig>, WireError> {
    Ok(AppendEntriesRequest {
        vote: vote(message.vote.as_ref())?,
        prev_log_id: message.prev.as_ref().map(log_id_from_proto),
        entries: message.entries.into_iter().map(entry_from_proto).collect::<Result<_, _>>()?,
        leader_commit: message.leader_commit.as_ref().map(log_id_from_proto),
    })
}

/// The reply to a single append.
pub(crate) fn append_reply_to_proto(
    reply: AppendEntriesResponse<TypeConfig>,
    prev: Option<raft::LogId>,
) -> raft::AppendReply {
    let outcome = match reply {
        AppendEntriesResponse::Success => Outcome::Matched(Matched { log_id: None, all: true }),
        AppendEntriesResponse::PartialSuccess(upto) => {
            Outcome::Matched(Matched { log_id: upto.as_ref().map(log_id_to_proto), all: false })
        }
        AppendEntriesResponse::Conflict => Outcome::Conflict(prev.unwrap_or_default()),
        AppendEntriesResponse::HigherVote(vote) => Outcome::HigherVote(vote_to_proto(&vote)),
    };
    raft::AppendReply { result: Some(outcome) }
}

/// The reply to a single append; `Err` says why the follower can't take part.
pub(crate) fn append_reply_from_proto(
    message: raft::AppendReply,
) -> Result<AppendEntriesResponse<TypeConfig>, WireError> {
    match message.result {
        Some(Outcome::Matched(Matched { all: true, .. })) => Ok(AppendEntriesResponse::Success),
        Some(Outcome::Matched(matched)) => {
            Ok(AppendEntriesResponse::PartialSuccess(matched.log_id.as_ref().map(log_id_from_proto)))
        }
        Some(Outcome::Conflict(_)) => Ok(AppendEntriesResponse::Conflict),
        Some(Outcome::HigherVote(vote)) => Ok(AppendEntriesResponse::HigherVote(vote_from_proto(&vote))),
        Some(Outcome::Refused(why)) => Err(WireError(why)),
        None => Err(WireError("an append reply says nothing".to_owned())),
    }
}

/// The reply to one append of a stream.
pub(crate) fn stream_reply_to_proto(reply: StreamAppendResult<TypeConfig>) -> raft::AppendReply {
    let outcome = match reply {
        Ok(upto) => Outcome::Matched(Matched { log_id: upto.as_ref().map(log_id_to_proto), all: false }),
        Err(StreamAppendError::Conflict(log_id)) => Outcome::Conflict(log_id_to_proto(&log_id)),
        Err(StreamAppendError::HigherVote(vote)) => Outcome::HigherVote(vote_to_proto(&vote)),
    };
    raft::AppendReply { result: Some(outcome) }
}

/// The reply to one append of a stream; the outer `Err` says why the follower can't take part.
pub(crate) fn stream_reply_from_proto(message: raft::AppendReply) -> Result<StreamAppendResult<TypeConfig>, WireError> {
    match message.result {
        Some(Outcome::Matched(matched)) => Ok(Ok(matched.log_id.as_ref().map(log_id_from_proto))),
        Some(Outcome::Conflict(log_id)) => Ok(Err(StreamAppendError::Conflict(log_id_from_proto(&log_id)))),
        Some(Outcome::HigherVote(vote)) => Ok(Err(StreamAppendError::HigherVote(vote_from_proto(&vote)))),
        Some(Outcome::Refused(why)) => Err(WireError(why)),
        None => Err(WireError("an append reply says nothing".to_owned())),
    }
}

pub(crate) fn vote_request_to_proto(request: &VoteRequest<TypeConfig>) -> raft::VoteRequest {
    raft::VoteRequest {
        vote: Some(vote_to_proto(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id_to_proto),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(crate) fn vote_request_from_proto(message: &raft::VoteRequest) -> Result<VoteRequest<TypeConfig>, WireError> {
    let last = message.last.as_ref().map(log_id_from_proto);
    let mut request = VoteRequest::new(vote(message.vote.as_ref())?, last);
    request.leadership_transfer = message.leadership_transfer;
    Ok(request)
}

pub(crate) fn vote_reply_to_proto(reply: &VoteResponse<TypeConfig>) -> raft::VoteReply {
    raft::VoteReply {
        vote: Some(vote_to_proto(&reply.vote)),
        granted: reply.vote_granted,
        last: reply.last_log_id.as_ref().map(log_id_to_proto),
    }
}

pub(crate) fn vote_reply_from_proto(message: &raft::VoteReply) -> Result<VoteResponse<TypeConfig>, WireError> {
    let last = message.last.as_ref().map(log_id_from_proto);
    Ok(VoteResponse::new(vote(message.vote.as_ref())?, last, message.granted))
}

pub(crate) fn transfer_to_proto(request: &TransferLeaderRequest<TypeConfig>) -> raft::TransferRequest {
    raft::TransferRequest {
        from_leader: Some(vote_to_proto(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().map(log_id_to_proto),
    }
}

pub(crate) fn transfer_from_proto(
    message: &raft::TransferRequest,
) -> Result<TransferLeaderRequest<TypeConfig>, WireError> {
    let last = message.last.as_ref().map(log_id_from_proto);
    Ok(TransferLeaderRequest::new(vote(message.from_leader.as_ref())?, message.to, last))
}
