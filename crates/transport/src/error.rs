//! Errors of ours ↔ statuses of gRPC, in one place.

use std::future::Future;
use std::time::Duration;

use consensus::ProposeError;
use model::NodeId;
use stdx::Clock;
use tonic::metadata::MetadataValue;
use tonic::{Code, Response, Status};

/// What whoever gets an error should do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Never repeat: it can't succeed.
    Rejected,
    /// Repeat, elsewhere or later.
    Unavailable,
    /// Repeat at the leader, if it is known.
    NotLeader(Option<NodeId>),
    /// It may have happened. Repeat only what is idempotent.
    Unknown,
    /// The data is damaged where it was asked for. Ask another replica.
    Corrupt,
    /// It is our mistake.
    Bug,
}

/// An error that crossed, or is about to cross, a wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What happened, in words.
    pub message: String,
}

/// Names the leader beside a status that says "I am not".
const LEADER: &str = "ringwood-leader";
/// Tells kinds apart that share a code.
const KIND: &str = "ringwood-kind";

impl RpcError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<RpcError> for Status {
    fn from(error: RpcError) -> Self {
        let (code, kind) = match error.kind {
            ErrorKind::Rejected => (Code::InvalidArgument, "rejected"),
            ErrorKind::Unavailable => (Code::Unavailable, "unavailable"),
            ErrorKind::NotLeader(_) => (Code::Unavailable, "not-leader"),
            ErrorKind::Unknown => (Code::Unknown, "unknown"),
            ErrorKind::Corrupt => (Code::DataLoss, "corrupt"),
            ErrorKind::Bug => (Code::Internal, "bug"),
        };
        let mut status = Self::new(code, error.message);
        status.metadata_mut().insert(KIND, MetadataValue::from_static(kind));
        if let ErrorKind::NotLeader(Some(leader)) = error.kind {
            status.metadata_mut().insert(LEADER, MetadataValue::from(leader.0));
        }
        status
    }
}

impl From<Status> for RpcError {
    /// A status that none of our servers made (a broken connection, a deadline) leaves the outcome open.
    fn from(status: Status) -> Self {
        let said = status.metadata().get(KIND).and_then(|kind| kind.to_str().ok());
        let leader = || {
            let leader = status.metadata().get(LEADER)?.to_str().ok()?.parse().ok()?;
            Some(NodeId(leader))
        };
        let kind = match (said, status.code()) {
            (Some("rejected"), _) => ErrorKind::Rejected,
            (Some("unavailable"), _) => ErrorKind::Unavailable,
            (Some("not-leader"), _) => ErrorKind::NotLeader(leader()),
            (Some("corrupt"), _) => ErrorKind::Corrupt,
            (Some("bug"), _) => ErrorKind::Bug,
            (Some(_), _) => ErrorKind::Unknown,
            (None, Code::ResourceExhausted | Code::Unimplemented | Code::FailedPrecondition) => ErrorKind::Unavailable,
            (None, _) => ErrorKind::Unknown,
        };
        Self { kind, message: status.message().to_owned() }
    }
}

impl From<ProposeError> for RpcError {
    fn from(error: ProposeError) -> Self {
        let kind = match &error {
            ProposeError::NotLeader(_, leader) => ErrorKind::NotLeader(*leader),
            ProposeError::Unknown(_) => ErrorKind::Unknown,
            ProposeError::Stopped(_) | ProposeError::Membership(..) => ErrorKind::Unavailable,
        };
        Self { kind, message: error.to_string() }
    }
}

/// Waits for the reply to a call for `limit` at the most.
///
/// # Errors
/// What the server said; [`ErrorKind::Unknown`] when the time is over, for the call may have been carried out.
pub async fn deadline<T>(
    clock: &Clock,
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, RpcError> {
    match clock.timeout(limit, call).await {
        Some(reply) => Ok(reply?.into_inner()),
        None => Err(RpcError::new(ErrorKind::Unknown, format!("no reply within {limit:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_wire() {
        for kind in [
            ErrorKind::Rejected,
            ErrorKind::Unavailable,
            ErrorKind::NotLeader(None),
            ErrorKind::NotLeader(Some(NodeId(7))),
            ErrorKind::Unknown,
            ErrorKind::Corrupt,
            ErrorKind::Bug,
        ] {
            let error = RpcError::new(kind, "it broke");
            assert_eq!(RpcError::from(Status::from(error.clone())), error);
        }
    }

    #[test]
    fn a_broken_connection_leaves_the_outcome_open() {
        let broken = RpcError::from(Status::new(Code::Unavailable, "connection reset"));
        assert_eq!(broken.kind, ErrorKind::Unknown);
    }
}
