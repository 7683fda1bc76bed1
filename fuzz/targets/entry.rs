//! Any bytes as an entry of a shard.
#![no_main]

use consensus::StateMachine;
use shard::ShardMachine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut machine = ShardMachine::new(head::HeadLimits::default());
    let first = machine.apply(0, bytes.to_vec().into());
    assert!(!first.is_empty() || machine.view().series_count() == 0);
});
