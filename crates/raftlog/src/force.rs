//! A group that goes on without most of its voters, because they are lost for ever.

use std::io;

use prost::Message;
use proto::raft;

use crate::device::{LogDevice, Write};
use crate::group_log::last_log_id;
use crate::wire::log_id_to_proto;

/// Makes `node` the only voter of a group by an entry behind the last one that its log has here, in a term that no leader had
/// as far as the log knows. The group must not be open; when it is opened again, the node elects itself, and everything in
/// its log is committed.
///
/// This breaks what Raft promises: entries that the others had committed and that are not here are lost, and if one of the
/// others lives, there are two groups. It is for an operator to know that they are gone.
///
/// # Errors
/// If the device fails, or the last entry does not decode.
pub async fn force_sole_voter(device: &dyn LogDevice, group: u32, node: u64) -> io::Result<()> {
    let state = device.state(group)?;
    let last = last_log_id(device, group, &state)?.map(|last| log_id_to_proto(&last));
    let voted = state.vote.map_or(0, |vote| vote.term);
    let term = voted.max(last.as_ref().map_or(0, |last| last.term)) + 1;
    let log_index = last.map_or(0, |last| last.log_index + 1);
    let config = raft::membership::Config { voters: vec![node] };
    let membership = raft::Membership { configs: vec![config], learners: Vec::new() };
    let entry = raft::Entry { term, log_index, payload: Some(raft::entry::Payload::Membership(membership)) };
    // The vote comes first: an entry of a term that was never voted for would be one that nobody can explain.
    device.write(Write::Vote { group, vote: raft::Vote { term, node_id: node, committed: false } }).await?;
    device.write(Write::Append { group, first: log_index, entries: vec![entry.encode_to_vec().into()] }).await
}
