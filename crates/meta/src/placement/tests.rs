use std::sync::Arc;

use proptest::prelude::*;
use proto::meta::place_request::Order;
use proto::meta::{MoveReplica, RecoverShard, Release};
use ring::ShardMap;

use super::*;
use crate::state::Birth;
use NodeState::{Draining, Gone, Up};

const REPLICATION: u32 = 3;

/// Nodes 1, 2, … in these zones, and shards 1, 2, … on these nodes.
fn state(zones: &[(&str, NodeState)], shards: &[&[u64]]) -> ClusterState {
    let node = |(zone, state): &(&str, NodeState)| Node {
        address: String::new(),
        zone: (*zone).to_owned(),
        incarnation: 0,
        state: *state,
        nonce: 0,
    };
    let nodes = (1..).map(NodeId).zip(zones.iter().map(node)).collect();
    let shard = |replicas: &&[u64]| Shard::born(replicas.iter().copied().map(NodeId).collect());
    let shards = (1..).map(ShardId).zip(shards.iter().map(shard)).collect();
    ClusterState {
        nodes: Arc::new(nodes),
        shard_map: Some(Arc::new(ShardMap::born(shards))),
        birth: Some(Birth { shards: 1, replication: REPLICATION, block_window_ms: 1 }),
        ..ClusterState::default()
    }
}

fn change(state: &mut ClusterState, id: u32, change: impl FnOnce(&mut Shard)) {
    let mut map = ShardMap::clone(state.shard_map.as_ref().unwrap());
    change(map.shards.entry(ShardId(id)).or_insert_with(|| Shard::born(Vec::new())));
    state.shard_map = Some(Arc::new(map));
}

fn ids(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.0).collect()
}

/// Where the shards go that change.
fn wanted(state: &ClusterState) -> BTreeMap<u32, Vec<u64>> {
    changes(state, &BTreeMap::new(), 100).iter().map(|(id, shard)| (id.0, ids(&shard.wanted()))).collect()
}

#[track_caller]
fn check(state: &ClusterState, expected: &[(u32, &[u64])]) {
    let expected = expected.iter().map(|(id, nodes)| (*id, nodes.to_vec())).collect();
    assert_eq!(wanted(state), expected);
}

#[test]
fn nothing_changes_where_all_is_well() {
    check(&state(&[("a", Up), ("b", Up), ("c", Up), ("d", Up)], &[&[1, 2, 3], &[4, 1, 2]]), &[]);
}

#[test]
fn the_gone_are_replaced_in_another_zone_by_the_least_loaded() {
    // Node 4, which has nothing, takes something from node 1, too.
    let zones = [("a", Up), ("b", Gone), ("c", Up), ("a", Up), ("b", Up), ("b", Up)];
    check(&state(&zones, &[&[1, 2, 3], &[3, 1, 2], &[1, 3, 5]]), &[(1, &[1, 3, 6]), (2, &[3, 1, 5]), (3, &[3, 5, 4])]);
}

#[test]
fn shards_grow_to_their_replication_and_no_further() {
    check(&state(&[("", Up), ("", Up)], &[&[1]]), &[(1, &[1, 2])]);
    let grown = wanted(&state(&[("", Up), ("", Up), ("", Up), ("", Up)], &[&[1]]));
    assert_eq!(grown[&1].len(), 3);
}

#[test]
fn a_node_is_emptied_as_far_as_others_can_take_what_it_holds() {
    let zones = [("a", Up), ("b", Draining), ("c", Up), ("d", Up)];
    check(&state(&zones, &[&[2, 1, 3]]), &[(1, &[1, 3, 4])]);
    let zones = [("a", Up), ("b", Draining), ("c", Draining)];
    check(&state(&zones, &[&[2, 1, 3], &[2, 3]]), &[(1, &[1]), (2, &[1])]);
    check(&state(&[("a", Draining), ("b", Draining)], &[&[1, 2]]), &[]);
}

#[test]
fn a_shard_that_lost_everyone_is_left_alone() {
    check(&state(&[("", Gone), ("", Up)], &[&[1]]), &[]);
    check(&state(&[("", Gone), ("", Up), ("", Draining)], &[&[1, 3]]), &[(1, &[2])]);
}

#[test]
fn replicas_that_share_a_zone_part() {
    let zones = [("a", Up), ("a", Up), ("b", Up), ("c", Up)];
    check(&state(&zones, &[&[1, 2, 3]]), &[(1, &[1, 3, 4])]);
}

#[test]
fn a_new_node_is_filled() {
    let zones = [("a", Up), ("b", Up), ("c", Up), ("a", Up)];
    let mut state = state(&zones, &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2], &[1, 2, 3]]);
    let changed = wanted(&state);
    let moved = changed.values().filter(|nodes| nodes.contains(&4)).count();
    assert_eq!(moved, 2, "{changed:?}");
    assert!(changed.values().all(|nodes| !(nodes.contains(&4) && nodes.contains(&1))), "zones are kept: {changed:?}");

    // With one place for a move, there is one; with none, none.
    assert_eq!(changes(&state, &BTreeMap::new(), 1).len(), 1);
    assert!(changes(&state, &BTreeMap::new(), 0).is_empty());
    // What moves already goes on and is counted for its new nodes.
    change(&mut state, 1, |shard| (shard.joining, shard.leaving) = (vec![NodeId(4)], vec![NodeId(1)]));
    let changed = wanted(&state);
    assert!(!changed.contains_key(&1) && changed.values().filter(|nodes| nodes.contains(&4)).count() == 1);
}

#[test]
fn a_shard_with_many_series_weighs_more() {
    let zones = [("", Up), ("", Up), ("", Up), ("", Up)];
    let state = state(&zones, &[&[1, 2, 3], &[1, 2, 4], &[1, 3, 4], &[1, 2, 3]]);
    let series = [(ShardId(1), 1000), (ShardId(4), 1000)].into();
    let moved = changes(&state, &series, 1);
    let (id, shard) = moved.first_key_value().unwrap();
    assert!([1, 4].contains(&id.0) && shard.joining == [NodeId(4)], "{moved:?}");
}

#[test]
fn leaders_are_spread() {
    let zones = [("", Up), ("", Up), ("", Up)];
    let state = state(&zones, &[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3], &[1, 2, 3]]);
    let changed = wanted(&state);
    assert_eq!(changed.len(), 2);
    assert!(changed.values().all(|nodes| nodes[0] != 1 && nodes.len() == 3));
}

#[test]
fn a_move_to_a_node_that_is_lost_goes_elsewhere() {
    let zones = [("a", Up), ("b", Gone), ("c", Up), ("b", Gone), ("b", Up)];
    let mut state = state(&zones, &[&[1, 2, 3]]);
    change(&mut state, 1, |shard| (shard.joining, shard.leaving) = (vec![NodeId(4)], vec![NodeId(2)]));
    check(&state, &[(1, &[1, 3, 5])]);
}

#[test]
fn a_move_that_is_turned_back_forgets_nobody() {
    let mut state = state(&[("a", Up), ("b", Up), ("c", Up), ("c", Gone)], &[&[1, 2, 3]]);
    change(&mut state, 1, |shard| (shard.joining, shard.leaving) = (vec![NodeId(4)], vec![NodeId(3)]));
    let turned = changes(&state, &BTreeMap::new(), 100).remove(&ShardId(1)).unwrap();
    // Node 4 may have a vote by now, and node 3 may have none any more.
    assert_eq!((ids(&turned.replicas), ids(&turned.leaving)), (vec![1, 2, 3, 4], vec![4]));
    assert_eq!((ids(&turned.joining), ids(&turned.wanted())), (vec![3], vec![1, 2, 3]));
    change(&mut state, 1, |shard| *shard = turned.clone());
    assert_eq!(
        changes(&state, &BTreeMap::new(), 100).get(&ShardId(1)),
        None,
        "it goes on until its leader has done it"
    );
}

#[test]
fn meta_has_three_voters_whatever_the_replication() {
    let mut state = state(&[("a", Gone), ("b", Up), ("c", Up), ("d", Up), ("e", Up)], &[&[2, 3, 4]]);
    change(&mut state, 0, |shard| shard.replicas = vec![NodeId(1), NodeId(2), NodeId(3)]);
    assert_eq!(wanted(&state)[&0].len(), 3);
    assert!(!wanted(&state)[&0].contains(&1));
}

#[test]
fn a_lost_node_is_waited_for_unless_others_can_take_its_place() {
    let check = |nodes: usize, shards: &[&[u64]], heard: &[u64], expected: bool| {
        let state = state(&vec![("", Up); nodes], shards);
        let heard = heard.iter().copied().map(NodeId).collect();
        assert_eq!(can_do_without(&state, NodeId(1), &heard), expected, "{shards:?} {heard:?}");
    };
    check(4, &[&[1, 2, 3]], &[2, 3, 4], true);
    check(3, &[&[1, 2, 3]], &[2, 3], false);
    check(5, &[&[1, 2, 3]], &[3, 4, 5], false);
    check(5, &[&[1, 2, 3], &[1, 3, 4]], &[2, 3, 4], true);
    check(5, &[&[2, 3, 4]], &[3, 4, 5], true);
}

/// What an order makes of shard 1: replicas, joining, leaving, rebuilding.
fn order(state: &ClusterState, order: Order) -> Result<[Vec<u64>; 4], String> {
    let shard = ordered(state, ShardId(1), &order)?;
    Ok([&shard.replicas, &shard.joining, &shard.leaving, &shard.rebuilding].map(|nodes| ids(nodes)))
}

#[track_caller]
fn check_refused(state: &ClusterState, given: Order, why: &str) {
    let refused = order(state, given).unwrap_err();
    assert!(refused.contains(why), "{refused}");
}

fn moves(from: u64, to: u64) -> Order {
    Order::Move(MoveReplica { from, to, force: false })
}

#[test]
fn a_replica_is_moved_by_hand_and_stays_there() {
    let zones = [("a", Up), ("b", Up), ("c", Up), ("a", Up), ("d", Gone), ("c", Draining)];
    let mut state = state(&zones, &[&[1, 2, 3]]);
    assert_eq!(order(&state, moves(1, 4)).unwrap(), [vec![1, 2, 3], vec![4], vec![1], vec![]]);
    check_refused(&state, moves(2, 4), "zone \"a\" of node 4 holds a replica of shard 1 already");
    let forced = Order::Move(MoveReplica { from: 2, to: 4, force: true });
    assert_eq!(order(&state, forced).unwrap()[1], [4]);
    check_refused(&state, moves(1, 9), "never part");
    check_refused(&state, moves(1, 5), "has ended");
    check_refused(&state, moves(1, 6), "being emptied");
    check_refused(&state, moves(1, 2), "already");
    check_refused(&state, moves(1, 1), "already");

    // Neither zones nor loads take the forced move back; the same order again changes nothing, another one has to wait.
    let shard = ordered(&state, ShardId(1), &forced).unwrap();
    change(&mut state, 1, |known| *known = shard.clone());
    assert_eq!(ordered(&state, ShardId(1), &forced).unwrap(), shard);
    check_refused(&state, moves(1, 4), "moving already");
    settle(&mut state, &BTreeMap::new());
    change(&mut state, 1, |known| {
        *known = Shard { replicas: known.wanted(), joining: vec![], leaving: vec![], ..known.clone() };
    });
    check(&state, &[]);
    assert_eq!(ordered(&state, ShardId(1), &forced).unwrap(), state.shard_map.as_ref().unwrap().shards[&ShardId(1)]);
    let released = ordered(&state, ShardId(1), &Order::Release(Release {})).unwrap();
    change(&mut state, 1, |known| *known = released);
    assert_eq!(wanted(&state).len(), 1, "released, it goes where zones want it");
}

#[test]
fn a_leader_is_chosen_by_hand_and_goes_on_to_lead() {
    let zones = [("", Up), ("", Up), ("", Up)];
    let mut state = state(&zones, &[&[1, 2, 3], &[2, 1, 3], &[2, 1, 3]]);
    assert_eq!(order(&state, Order::Lead(2)).unwrap()[0], [2, 1, 3]);
    check_refused(&state, Order::Lead(4), "never part");
    let shard = ordered(&state, ShardId(1), &Order::Lead(2)).unwrap();
    change(&mut state, 1, |known| *known = shard.clone());
    let changed = wanted(&state);
    assert!(!changed.contains_key(&1) && !changed.is_empty(), "others make up for it: {changed:?}");
}

#[test]
fn a_replica_that_is_built_anew_keeps_its_place() {
    let zones = [("a", Up), ("b", Up), ("c", Up), ("d", Up)];
    let mut state = state(&zones, &[&[1, 2, 3], &[4, 2], &[4, 1, 3], &[4, 1, 2]]);
    assert_eq!(order(&state, Order::Rebuild(2)).unwrap(), [vec![1, 2, 3], vec![], vec![2], vec![2]]);
    check_refused(&state, Order::Rebuild(4), "holds no replica");
    let pair = ordered(&state, ShardId(2), &Order::Rebuild(2)).unwrap_err();
    assert!(pair.contains("needs that of node 2 for a majority"), "{pair}");

    // Nobody takes the place while it leaves, and while it drops what it has.
    let shard = ordered(&state, ShardId(1), &Order::Rebuild(2)).unwrap();
    change(&mut state, 1, |known| *known = shard.clone());
    assert_eq!(ordered(&state, ShardId(1), &Order::Rebuild(2)).unwrap(), shard);
    check_refused(&state, Order::Rebuild(1), "moving already");
    assert!(!wanted(&state).contains_key(&1));
    change(&mut state, 1, |known| {
        *known = Shard { replicas: known.wanted(), joining: vec![], leaving: vec![], ..known.clone() };
    });
    assert!(!wanted(&state).contains_key(&1));

    // Unless it is lost meanwhile.
    let mut nodes = BTreeMap::clone(&state.nodes);
    nodes.entry(NodeId(2)).and_modify(|node| node.state = Gone);
    state.nodes = Arc::new(nodes);
    let turned = changes(&state, &BTreeMap::new(), 100).remove(&ShardId(1)).unwrap();
    assert_eq!((ids(&turned.joining), ids(&turned.rebuilding)), (vec![4], vec![]));
}

#[test]
fn a_shard_goes_on_with_less_only_if_its_majority_is_gone() {
    let survivor = |node| Order::Recover(RecoverShard { survivor: node });
    let zones = [("a", Up), ("b", Gone), ("c", Gone), ("d", Up), ("e", Up)];
    let mut lost = state(&zones, &[&[1, 2, 3], &[2, 3], &[1, 2, 4]]);
    let next = ordered(&lost, ShardId(1), &survivor(1)).unwrap();
    assert_eq!((ids(&next.replicas), next.forced, next.born_on.len()), (vec![1], true, 0));
    check_refused(&lost, survivor(4), "holds no replica");
    check_refused(&lost, survivor(2), "has ended");
    check_refused(&lost, survivor(0), "[1] may still have shard 1");
    let most = ordered(&lost, ShardId(3), &survivor(1)).unwrap_err();
    assert!(most.contains("[1, 4] may still have most replicas"), "{most}");
    change(&mut lost, 0, |shard| shard.replicas = vec![NodeId(1), NodeId(2), NodeId(3)]);
    assert!(ordered(&lost, ShardId::META, &survivor(1)).is_err());

    // Nothing else is done with it until it leads; the order may be repeated.
    change(&mut lost, 1, |shard| *shard = next.clone());
    assert_eq!(ordered(&lost, ShardId(1), &survivor(1)).unwrap(), next);
    assert!(!wanted(&lost).contains_key(&1));
    change(&mut lost, 1, |shard| shard.forced = false);
    assert_eq!(wanted(&lost)[&1].len(), 3);

    // Where nobody is left, it is born on nodes that take part.
    let anew = ordered(&lost, ShardId(2), &survivor(0)).unwrap();
    assert_eq!((anew.replicas.len(), &anew.born_on), (3, &anew.replicas));
    assert!(anew.replicas.iter().all(|node| lost.nodes[node].state == Up));
}

/// Lets all moves end, over and over, until nothing changes.
fn settle(state: &mut ClusterState, series: &BTreeMap<ShardId, u64>) -> usize {
    for round in 0..1000 {
        let changed = changes(state, series, 4);
        if changed.is_empty() {
            return round;
        }
        for (id, shard) in changed {
            change(state, id.0, |known| {
                *known = Shard { replicas: shard.wanted(), joining: vec![], leaving: vec![], ..shard.clone() };
            });
        }
    }
    panic!("it never comes to rest");
}

fn any_state() -> impl Strategy<Value = (ClusterState, BTreeMap<ShardId, u64>)> {
    let zone = prop::sample::select(vec!["", "a", "b", "c"]);
    let node = (zone, prop::sample::select(vec![Up, Up, Up, Draining, Gone]));
    let nodes = prop::collection::vec(node, 1..9);
    let shards = prop::collection::vec((prop::collection::btree_set(1..9u64, 1..4), 0..10_000u64), 1..30);
    (nodes, shards).prop_map(|(nodes, shards)| {
        let count = nodes.len() as u64;
        let replicas: Vec<Vec<u64>> = shards
            .iter()
            .map(|(held, _)| {
                held.iter().map(|node| (node - 1) % count + 1).collect::<BTreeSet<_>>().into_iter().collect()
            })
            .collect();
        let series = (1..).map(ShardId).zip(shards.iter().map(|(_, series)| *series)).collect();
        (state(&nodes, &replicas.iter().map(Vec::as_slice).collect::<Vec<_>>()), series)
    })
}

proptest! {
    /// Whatever there is, it comes to rest: full, on nodes that take part, spread over zones, and even.
    #[test]
    fn every_cluster_comes_to_rest((mut state, series) in any_state()) {
        let before = state.shard_map.clone().unwrap();
        settle(&mut state, &series);
        let up: BTreeSet<NodeId> = state.nodes_up().map(|(node, _)| node).collect();
        let plan = Plan::new(&state, &state.shard_map.as_ref().unwrap().shards, &series, 0);
        let all_zones = plan.zones(&up.iter().copied().collect::<Vec<_>>()).len();
        for (id, shard) in &plan.shards {
            let had_data = before.shards[id].replicas.iter().any(|node| state.nodes[node].state != Gone);
            if !had_data || up.is_empty() {
                prop_assert_eq!(&shard.replicas, &before.shards[id].replicas);
                continue;
            }
            prop_assert_eq!(shard.replicas.len(), up.len().min(REPLICATION as usize));
            prop_assert!(shard.replicas.iter().all(|node| up.contains(node)));
            prop_assert_eq!(plan.zones(&shard.replicas).len(), all_zones.min(REPLICATION as usize));
        }
        prop_assert!(plan.best_move().is_none());
    }
}
