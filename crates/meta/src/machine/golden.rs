//! The state of meta as it was written once is read for ever.

use std::fs;

use super::*;

const FILE: &str = "tests/data/level-2.state";

/// A state in which every field says something. All of them are named here, so that whoever adds one comes by.
fn golden() -> meta::State {
    let birth = meta::Birth { shards: 2, replication: 3, block_window_ms: 7_200_000 };
    let cluster = meta::Cluster { cluster_id: wire::id_to_proto(7), birth: Some(birth), founders: vec![1, 2, 3] };
    let node = |node_id, state: meta::NodeState| meta::Node {
        node_id,
        address: format!("host{node_id}:9095"),
        zone: "ünï".to_owned(),
        incarnation: 4 + node_id,
        state: state.into(),
        nonce: 9,
    };
    let shard = |shard, forced| meta::Shard {
        shard,
        replicas: vec![2, 1, 3],
        born_on: vec![1, 2, 3],
        joining: vec![4],
        leaving: vec![3],
        rebuilding: vec![1],
        by_hand: true,
        forced,
    };
    let under_way = meta::SlotMove { r#move: 6, slot: 4095, from: 2, to: 1, since_ms: 0 };
    let shard_map = meta::ShardMap {
        epoch: 11,
        slots: (0..4096).map(|slot| 1 + slot % 2).collect(),
        shards: vec![shard(0, false), shard(1, true), shard(2, false)],
        moves: vec![under_way],
        moved: vec![meta::SlotMove { r#move: 5, slot: 0, from: 2, to: 1, since_ms: 1_700_000_000_000 }],
        last_move: 6,
    };
    let scraper =
        meta::Scraper { name: "scraper-1".to_owned(), incarnation: 3, address: "host8:9095".to_owned(), leaving: true };
    let block = meta::Block {
        id: wire::id_to_proto(12),
        tenant: "default".to_owned(),
        shard: 1,
        cut: 3,
        min_time_ms: 1_700_000_000_000,
        max_time_ms: 1_700_007_199_999,
        key: "blocks/a".to_owned(),
        size_bytes: 123_456,
        hash: wire::id_to_proto(13),
        series_count: 1000,
        sample_count: 480_000,
    };
    meta::State {
        version: 42,
        cluster: Some(cluster),
        next_node_id: 5,
        nodes: vec![
            node(1, meta::NodeState::Up),
            node(2, meta::NodeState::Draining),
            node(3, meta::NodeState::Gone),
            node(4, meta::NodeState::Up),
        ],
        shard_map: Some(shard_map),
        scrapers: Some(meta::Scrapers { epoch: 8, scrapers: vec![scraper] }),
        blocks: vec![block],
        shipped: vec![meta::ShippedCut { shard: 1, cut: 3, version: 40 }],
        adopted_before_ms: Some(1_600_000_000_000),
        feature_level: 2,
    }
}

#[test]
fn the_state_of_level_2_reads_for_ever() {
    let machine = MetaMachine::from_bytes(&fs::read(FILE).unwrap()).unwrap();
    assert_eq!(machine.to_proto(), golden());
}

/// Another version of zstd may write other bytes, which is no harm: then `UPDATE_EXPECT=1` writes the file anew, but keep
/// the old one beside it and read both.
#[test]
fn the_state_of_level_2_is_what_is_written() {
    let bytes = MetaMachine::from_proto(golden()).unwrap().to_bytes().unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(FILE, &bytes).unwrap();
    }
    assert!(fs::read(FILE).unwrap() == bytes, "{FILE} has other bytes");
}
