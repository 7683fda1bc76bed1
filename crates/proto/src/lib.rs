//! Messages that cross a wire or reach a disk.
//!
//! Generated from `proto/`, where every message and field is explained.

/// Raft: what replicas of a group say to each other, and how entries lie in the log.
#[expect(missing_docs, clippy::allow_attributes_without_reason, reason = "generated; the .proto file documents it")]
pub mod raft {
    tonic::include_proto!("ringwood.raft.v1");
}
