//! The state machine of a data shard: entries are decoded, and the head is told.
//!
//! Applying is pure: the same entries lead to the same head on every replica, and a record that comes twice is stored once.
//! What an entry may not decide by the state alone (quotas, how far a tick is ahead of the wall clock) its leader has decided,
//! and written into it as verdicts. What a client is told is the answer of the apply, never the guess of a leader.

mod decode;
mod definition;
mod machine;

pub use decode::decode_samples;
pub use definition::{DefinitionError, decode_definition, encode_definition};
pub use machine::{Mark, ShardMachine, ShardView};
