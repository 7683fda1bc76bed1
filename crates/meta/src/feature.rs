//! What the binaries of a cluster know: `docs/upgrade.md`.
//!
//! Nothing new is written into a log, or said to others in a way that they would misread, before all nodes know it: the leader of
//! meta raises the cluster's level when they do. It is never lowered.

use std::fmt::Display;

use transport::{ErrorKind, RpcError};

use crate::state::ClusterState;

/// The highest feature level that this binary knows.
pub const FEATURE_LEVEL: u32 = 2;
/// From this level on scrapers say that they are about to leave, and stay known until others have their targets.
pub const LEAVING_SCRAPERS: u32 = 2;
/// From this level on slots move: older binaries would pass over what moves them, and take what is refused for stored.
pub(crate) const MOVING_SLOTS: u32 = 2;
/// That of binaries and states of before there were levels, which say 0.
const FIRST: u32 = 1;

/// The level that is meant.
pub(crate) fn level_of(said: u32) -> u32 {
    said.max(FIRST)
}

/// Refuses whoever has a binary that is too old for the cluster. `said` is what it says it knows.
///
/// # Errors
/// [`ErrorKind::Rejected`], with both levels.
pub(crate) fn check(state: &ClusterState, who: impl Display, said: u32) -> Result<(), RpcError> {
    let (known, needed) = (level_of(said), level_of(state.feature_level));
    if known >= needed {
        return Ok(());
    }
    let message =
        format!("the binary of {who} knows feature level {known}, and the cluster is at {needed}: upgrade it");
    Err(RpcError::new(ErrorKind::Rejected, message))
}
