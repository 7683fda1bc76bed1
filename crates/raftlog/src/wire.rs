//! openraft's types ↔ messages.

use std::collections::{BTreeMap, BTreeSet};

use openraft::impls::EmptyNode;
use openraft::vote::RaftLeaderIdExt;
use openraft::{EntryPayload, RaftTypeConfig};
use proto::raft;

use crate::types::{Command, Entry, LogId, Membership, StoredMembership, TypeConfig, Vote, log_id, term_of};

/// A message that lacks what it must have, or contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a Raft message is malformed: {0}")]
pub struct WireError(pub String);

/// A log id as a message.
pub fn log_id_to_proto(log_id: &LogId) -> raft::LogId {
    raft::LogId { term: term_of(log_id), log_index: log_id.index() }
}

/// A log id from a message.
pub fn log_id_from_proto(message: &raft::LogId) -> LogId {
    log_id(message.term, message.log_index)
}

/// A vote as a message.
pub fn vote_to_proto(vote: &Vote) -> raft::Vote {
    raft::Vote { term: vote.leader_id.term, node_id: vote.leader_id.voted_for, committed: vote.committed }
}

/// A vote from a message.
pub fn vote_from_proto(message: &raft::Vote) -> Vote {
    let leader_id = <TypeConfig as RaftTypeConfig>::LeaderId::new_with_default_term(message.node_id);
    let mut vote = Vote { leader_id, committed: message.committed };
    vote.leader_id.term = message.term;
    vote
}

/// A membership as a message.
pub fn membership_to_proto(membership: &Membership) -> raft::Membership {
    let config = |voters: &BTreeSet<u64>| raft::membership::Config { voters: voters.iter().copied().collect() };
    raft::Membership {
        configs: membership.get_joint_config().iter().map(config).collect(),
        learners: membership.learner_ids().collect(),
    }
}

/// A membership from a message.
///
/// # Errors
/// If a config has no voters.
pub fn membership_from_proto(message: &raft::Membership) -> Result<Membership, WireError> {
    let configs: Vec<BTreeSet<u64>> =
        message.configs.iter().map(|config| config.voters.iter().copied().collect()).collect();
    if configs.iter().any(BTreeSet::is_empty) {
        return Err(WireError("a membership config has no voters".to_owned()));
    }
    if configs.is_empty() {
        return Ok(Membership::default());
    }
    let ids = configs.iter().flatten().chain(&message.learners);
    let nodes: BTreeMap<u64, EmptyNode> = ids.map(|id| (*id, EmptyNode::new())).collect();
    Membership::new(configs, nodes).map_err(|error| WireError(error.to_string()))
}

/// A stored membership as a message.
pub fn stored_membership_to_proto(stored: &StoredMembership) -> raft::StoredMembership {
    raft::StoredMembership {
        log_id: stored.log_id().as_ref().map(log_id_to_proto),
        membership: Some(membership_to_proto(stored.membership())),
    }
}

/// A stored membership from a message; absent: none was ever set.
///
/// # Errors
/// As [`membership_from_proto`].
pub fn stored_membership_from_proto(message: Option<&raft::StoredMembership>) -> Result<StoredMembership, WireError> {
    let Some(message) = message else {
        return Ok(StoredMembership::default());
    };
    let membership = message.membership.as_ref().map_or_else(|| Ok(Membership::default()), membership_from_proto)?;
    Ok(StoredMembership::new(message.log_id.as_ref().map(log_id_from_proto), membership))
}

/// An entry as a message. Commands are shared, not copied.
pub fn entry_to_proto(entry: &Entry) -> raft::Entry {
    let payload = match &entry.payload {
        EntryPayload::Blank => None,
        EntryPayload::Normal(command) => Some(raft::entry::Payload::Command(command.0.clone())),
        EntryPayload::Membership(membership) => Some(raft::entry::Payload::Membership(membership_to_proto(membership))),
    };
    raft::Entry { term: term_of(&entry.log_id), log_index: entry.log_id.index(), payload }
}

/// An entry from a message. Commands are shared, not copied.
///
/// # Errors
/// If it holds a malformed membership.
pub fn entry_from_proto(message: raft::Entry) -> Result<Entry, WireError> {
    let payload = match message.payload {
        None => EntryPayload::Blank,
        Some(raft::entry::Payload::Command(command)) => EntryPayload::Normal(Command(command)),
        Some(raft::entry::Payload::Membership(membership)) => {
            EntryPayload::Membership(membership_from_proto(&membership)?)
        }
    };
    Ok(Entry { log_id: log_id(message.term, message.log_index), payload })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[test]
    fn votes_and_memberships_survive() {
        for committed in [false, true] {
            let message = raft::Vote { term: 7, node_id: 3, committed };
            assert_eq!(vote_to_proto(&vote_from_proto(&message)), message);
        }
        let config = |voters: &[u64]| raft::membership::Config { voters: voters.to_vec() };
        let joint = raft::Membership { configs: vec![config(&[1, 2, 3]), config(&[2, 3, 4])], learners: vec![9] };
        assert_eq!(membership_to_proto(&membership_from_proto(&joint).unwrap()), joint);
        assert!(membership_from_proto(&raft::Membership { configs: vec![config(&[])], learners: vec![] }).is_err());
    }

    proptest! {
        #[test]
        fn entries_survive(term: u64, log_index: u64, command: Option<Vec<u8>>) {
            let payload = command.map(|command| raft::entry::Payload::Command(command.into()));
            let message = raft::Entry { term, log_index, payload };
            let decoded = raft::Entry::decode(&message.encode_to_vec()[..]).unwrap();
            prop_assert_eq!(entry_to_proto(&entry_from_proto(decoded).unwrap()), message);
        }

        #[test]
        fn any_bytes_are_an_entry_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(message) = raft::Entry::decode(&bytes[..]) {
                drop(entry_from_proto(message));
            }
        }
    }
}
