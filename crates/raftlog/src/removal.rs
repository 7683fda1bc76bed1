//! A group that leaves this node.

use std::io;

use proto::raft;

use crate::device::{LogDevice, Write};
use crate::group_log::last_log_id;
use crate::wire::{log_id_from_proto, log_id_to_proto};

/// Removes the log of a group that is not open, and keeps what its other replicas count on even so: whom this node voted for,
/// and up to where it had acknowledged entries.
///
/// A replica that slept through the removal still takes this node for a voter. Were the node taken in again with an empty log
/// and a clean slate, the two could be a majority of the members of old, and lead without what was committed meanwhile.
///
/// # Errors
/// If the device fails, or the last entry does not decode. Blocks while it looks for that.
pub async fn remove_group(device: &dyn LogDevice, group: u32) -> io::Result<()> {
    let stored = device.state(group)?;
    // That of an earlier removal counts as long as the log has not come so far again.
    let earlier = stored.promised.as_ref().map(log_id_from_proto);
    let promised = last_log_id(device, group, &stored)?.max(earlier);
    // Who led is not to be taken for known when the group comes back.
    let vote = stored.vote.map(|vote| raft::Vote { committed: false, ..vote });
    device.write(Write::Remove { group, vote, promised: promised.as_ref().map(log_id_to_proto) }).await
}

/// Removes all that there is of a group that is not open, as if it had never been here: it is about to begin anew, because
/// nobody has it any more.
///
/// # Errors
/// If the device fails.
pub async fn forget_group(device: &dyn LogDevice, group: u32) -> io::Result<()> {
    device.write(Write::Remove { group, vote: None, promised: None }).await
}
