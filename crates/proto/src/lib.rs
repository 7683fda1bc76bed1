//! Messages that cross a wire or reach a disk.
//!
//! Generated from `proto/`, where every message and field is explained.

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $package:literal;)*) => {
        $(
            $(#[$doc])*
            pub mod $name {
                pub use v1::*;

                /// Version 1: fields are added to it, never changed.
                #[allow(missing_docs, clippy::allow_attributes_without_reason, clippy::large_enum_variant, reason = "generated")]
                pub mod v1 {
                    tonic::include_proto!($package);
                }
            }
        )*
    };
}

messages! {
    /// What a data shard replicates, and the answers to it.
    entry = "ringwood.entry.v1";
    /// What a snapshot of a shard has beside its segment files.
    head = "ringwood.head.v1";
    /// How samples reach the leaders of shards.
    ingest = "ringwood.ingest.v1";
    /// What everyone asks of meta.
    meta = "ringwood.meta.v1";
    /// What replicas of a group say to each other, and how entries lie in the log.
    raft = "ringwood.raft.v1";
    /// How queriers read from ingesters.
    select = "ringwood.select.v1";
}
