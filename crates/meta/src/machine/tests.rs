use model::Slot;

use super::*;

fn ask(machine: &mut MetaMachine, command: Command) -> meta::CommandAnswer {
    let command = meta::Command { command: Some(command) }.encode_to_vec();
    meta::CommandAnswer::decode(machine.apply(0, command.into()).unwrap()).unwrap()
}

#[test]
fn commands_of_later_versions_are_not_passed_over() {
    let mut machine = MetaMachine::new();
    let mut refused = |bytes: &[u8]| machine.apply(3, Bytes::copy_from_slice(bytes)).unwrap_err().to_string();
    // Field 99, of no bytes: alone, and behind the end of a node.
    let why = refused(&[0x9a, 0x06, 0x00]);
    assert_eq!(why, "entry 3 of the log is of a later version (a field of a command of meta): upgrade this binary");
    assert_eq!(refused(&[0x18, 0x01, 0x9a, 0x06, 0x00]), why);
    assert!(refused(&[]).contains("(a command of meta)"));
    assert_eq!(machine.state.version, 0);
}

fn born(nodes: u64) -> MetaMachine {
    let member = |id| meta::Member { node_id: id, address: format!("host{id}:1"), zone: format!("z{id}") };
    let birthday = meta::Birthday {
        cluster: Some(meta::Cluster {
            cluster_id: wire::id_to_proto(7),
            birth: Some(meta::Birth { shards: 4, replication: 3, block_window_ms: 7_200_000 }),
            founders: vec![],
        }),
        members: (1..=nodes).map(member).collect(),
    };
    let mut machine = MetaMachine::new();
    assert_eq!(ask(&mut machine, Command::Birthday(birthday.clone())).refused, "");
    assert_eq!(ask(&mut machine, Command::Birthday(birthday)).version, 1, "a second birthday changes nothing");
    machine
}

fn register(address: &str, node_id: u64, nonce: u64) -> Command {
    let address = address.to_owned();
    Command::Register(meta::RegisterRequest { node_id, address, nonce, incarnation: 5, ..Default::default() })
}

#[test]
fn a_cluster_is_born_with_its_shards_placed() {
    let machine = born(3);
    let state = machine.view().into_state();
    let map = state.shard_map.unwrap();
    assert_eq!((state.cluster_id, map.shards.len(), state.nodes.len()), (7, 5, 3));
    assert!(map.shards.values().all(|shard| shard.replicas.len() == 3 && shard.born_on.len() == 3));
}

#[test]
fn nodes_join_move_and_end() {
    let mut machine = born(3);
    let joined = ask(&mut machine, register("new:1", 0, 99));
    assert_eq!((joined.node_id, joined.version), (4, 2));
    assert_eq!(ask(&mut machine, register("new:1", 0, 99)).node_id, 4, "a repeated request makes no second node");
    let moved = ask(&mut machine, register("elsewhere:1", 4, 0));
    assert_eq!((moved.node_id, moved.version), (4, 3));
    assert_eq!(machine.state.nodes[&NodeId(4)].address, "elsewhere:1");
    assert!(ask(&mut machine, register("x:1", 17, 0)).refused.contains("never part"));

    // A wiped node comes back to its address: the old identity ends.
    let wiped = ask(&mut machine, register("host2:1", 0, 100));
    assert_eq!(wiped.node_id, 5);
    assert_eq!(machine.state.nodes[&NodeId(2)].state, NodeState::Gone);
    assert!(ask(&mut machine, register("host2:1", 2, 0)).refused.contains("has ended"));
}

#[test]
fn founders_may_set_a_shard_up_until_its_replicas_change() {
    let mut machine = born(3);
    let set = |machine: &mut MetaMachine, change: &dyn Fn(&mut Shard)| {
        let mut shard = machine.state.shard_map.as_ref().unwrap().shards[&ShardId(1)].clone();
        change(&mut shard);
        let command = Command::SetReplicas(wire::shard_to_proto(ShardId(1), &shard));
        assert_eq!(ask(machine, command).refused, "");
        machine.state.shard_map.as_ref().unwrap().shards[&ShardId(1)].born_on.len()
    };
    assert_eq!(set(&mut machine, &|shard| shard.replicas.reverse()), 3, "another order is no change");
    let leaving = |shard: &mut Shard| shard.leaving = shard.replicas[1..].to_vec();
    assert_eq!(set(&mut machine, &leaving), 3, "they hold it still");
    let left = |shard: &mut Shard| (shard.replicas, shard.leaving) = (shard.wanted(), Vec::new());
    assert_eq!(set(&mut machine, &left), 0);
}

#[test]
fn nodes_are_drained_and_taken_back() {
    let mut machine = born(2);
    let drain = |node_id, cancel| Command::Drain(meta::DrainRequest { node_id, cancel });
    let state = |machine: &MetaMachine| machine.state.nodes[&NodeId(1)].state;
    assert_eq!(ask(&mut machine, drain(1, false)).refused, "");
    assert_eq!(state(&machine), NodeState::Draining);
    assert!(ask(&mut machine, drain(2, false)).refused.contains("no other node"));
    assert_eq!(ask(&mut machine, drain(1, true)).refused, "");
    assert_eq!(state(&machine), NodeState::Up);
    ask(&mut machine, Command::NodeGone(1));
    assert!(ask(&mut machine, drain(1, true)).refused.contains("has ended"));
    assert!(ask(&mut machine, drain(9, false)).refused.contains("never part"));
}

#[test]
fn scrapers_come_and_go_by_incarnation() {
    let mut machine = born(1);
    let join = |incarnation| {
        Command::ScraperJoin(meta::LeaseRequest { name: "s".to_owned(), incarnation, ..Default::default() })
    };
    let leave = |incarnation| Command::ScraperLeave(meta::LeaveRequest { name: "s".to_owned(), incarnation });
    ask(&mut machine, join(1));
    ask(&mut machine, join(1));
    assert_eq!(machine.state.scraper_epoch, 1, "renewing changes nothing");
    ask(&mut machine, join(2));
    ask(&mut machine, leave(1));
    assert_eq!((machine.state.scraper_epoch, machine.state.scrapers.len()), (2, 1), "the old one's end is late news");
    ask(&mut machine, leave(2));
    assert_eq!((machine.state.scraper_epoch, machine.state.scrapers.len()), (3, 0));
}

#[test]
fn scrapers_that_are_about_to_leave_are_known_and_own_nothing() {
    let mut machine = born(1);
    let join = |name: &str, leaving| {
        Command::ScraperJoin(meta::LeaseRequest { name: name.to_owned(), leaving, ..Default::default() })
    };
    ask(&mut machine, join("a", false));
    ask(&mut machine, join("b", false));
    ask(&mut machine, join("a", true));
    let ring = machine.state.scraper_ring();
    assert_eq!((ring.epoch(), ring.members().collect::<Vec<_>>()), (3, vec!["b"]));
    assert!(machine.state.scrapers["a"].is_leaving);
    // It changes its mind.
    ask(&mut machine, join("a", false));
    assert_eq!(machine.state.scraper_ring().members().count(), 2);
}

#[test]
fn a_slot_is_sent_once_and_is_there_when_that_is_said() {
    let mut machine = born(3);
    let send = |slot, to| Command::MoveSlot(meta::MoveSlotRequest { slot, to });
    let arrive = |id, at_ms| Command::SlotMoved(meta::SlotMoved { r#move: id, at_ms });
    let map = |machine: &MetaMachine| machine.state.shard_map.clone().unwrap();
    for (slot, to, why) in [(4096, 1, "no slot 4096"), (5, 0, "no shard 0"), (5, 9, "no shard 9")] {
        assert!(ask(&mut machine, send(slot, to)).refused.contains(why));
    }
    let (slot, from) = (Slot(4), map(&machine).shard_of(Slot(4)));
    assert_eq!(ask(&mut machine, send(4, from.0)).version, 1, "it is there");
    assert_eq!(ask(&mut machine, send(4, 3)).version, 2);
    assert_eq!(ask(&mut machine, send(4, 3)).version, 2, "it is on its way");
    assert!(ask(&mut machine, send(4, 2)).refused.contains("on its way to shard 3"));
    assert_eq!(map(&machine).shard_of(slot), from);
    assert_eq!(ask(&mut machine, arrive(1, 77)).version, 3);
    assert_eq!(ask(&mut machine, arrive(1, 78)).version, 3);
    assert_eq!((map(&machine).shard_of(slot), map(&machine).moved[&slot].1), (ShardId(3), 77));
    ask(&mut machine, send(4, 2));
    let saved = MetaMachine::from_proto(machine.to_proto()).unwrap();
    assert_eq!(saved.state, machine.state);
    let change = wire::change_to_proto(&Change::ShardMap(map(&machine)));
    assert_eq!(wire::change_from_proto(change), Ok(Change::ShardMap(map(&machine))));
}

#[test]
fn cuts_enter_the_catalog_once_and_in_order() {
    let mut machine = born(1);
    let block = |cut: u64| meta::Block {
        id: wire::id_to_proto(u128::from(cut)),
        tenant: "t".to_owned(),
        shard: 1,
        cut,
        hash: wire::id_to_proto(0),
        ..Default::default()
    };
    let add = |cut, blocks| Command::AddBlocks(meta::AddBlocksRequest { shard: 1, cut, blocks });
    let added = ask(&mut machine, add(1, vec![block(1)]));
    assert_eq!((added.refused.as_str(), added.version), ("", 2));
    assert_eq!(ask(&mut machine, add(1, vec![block(9)])).version, 2, "a redo adds nothing");
    assert!(ask(&mut machine, add(3, vec![])).refused.contains("comes before cut 2"));
    assert_eq!(ask(&mut machine, add(2, vec![])).refused, "");
    assert!(ask(&mut machine, add(3, vec![block(4)])).refused.contains("is not of cut 3"));
    assert_eq!(machine.state.blocks.len(), 1);
}

#[test]
fn a_shard_that_was_recovered_ships_cuts_of_numbers_that_were_shipped_before() {
    let mut machine = born(3);
    let block = |id: u128, cut| meta::Block {
        id: wire::id_to_proto(id),
        tenant: "t".to_owned(),
        shard: 1,
        cut,
        hash: wire::id_to_proto(0),
        ..Default::default()
    };
    let add = |cut, id| Command::AddBlocks(meta::AddBlocksRequest { shard: 1, cut, blocks: vec![block(id, cut)] });
    (1..=3).for_each(|cut| assert_eq!(ask(&mut machine, add(cut, cut.into())).refused, ""));
    let recover = |survivor| {
        let order = Some(Order::Recover(meta::RecoverShard { survivor }));
        Command::Place(meta::PlaceRequest { shard: 1, order })
    };
    assert!(ask(&mut machine, recover(1)).refused.contains("may still have most replicas"));
    assert_eq!(machine.shipped[&ShardId(1)].0, 3, "nothing came of it");
    for node in [2, 3] {
        ask(&mut machine, Command::NodeGone(node));
    }
    assert_eq!(ask(&mut machine, recover(1)).refused, "");
    let shard = machine.state.shard_map.as_ref().unwrap().shards[&ShardId(1)].clone();
    assert_eq!((shard.replicas, shard.forced, shard.born_on), (vec![NodeId(1)], true, vec![]));
    // The survivor knows of two cuts, and makes another third one.
    assert_eq!(ask(&mut machine, add(3, 30)).refused, "");
    assert_eq!(machine.state.blocks.len(), 4);

    ask(&mut machine, register("new:1", 0, 99));
    ask(&mut machine, Command::NodeGone(1));
    assert_eq!(ask(&mut machine, recover(0)).refused, "");
    let shard = machine.state.shard_map.as_ref().unwrap().shards[&ShardId(1)].clone();
    assert_eq!((shard.replicas, shard.forced, shard.born_on), (vec![NodeId(4)], false, vec![NodeId(4)]));
    assert_eq!(ask(&mut machine, add(1, 40)).refused, "");
    assert_eq!(machine.state.blocks.len(), 5);
}

#[test]
fn the_catalog_is_mended_without_a_word_about_cuts() {
    let mut machine = born(1);
    let block = |id: u128, size_bytes| meta::Block {
        id: wire::id_to_proto(id),
        tenant: "t".to_owned(),
        shard: 9,
        cut: 5,
        size_bytes,
        hash: wire::id_to_proto(0),
        ..Default::default()
    };
    let mend = |blocks, removed: &[u128], adopted_before_ms| {
        let removed = removed.iter().copied().map(wire::id_to_proto).collect();
        Command::MendCatalog(meta::MendCatalogRequest { blocks, removed, adopted_before_ms })
    };
    assert_eq!(ask(&mut machine, mend(vec![block(1, 10), block(2, 10)], &[], None)).version, 2);
    assert_eq!(ask(&mut machine, mend(vec![block(1, 10)], &[7], None)).version, 2, "nothing is new");
    assert_eq!(ask(&mut machine, mend(vec![block(1, 11)], &[2], Some(400))).version, 3);
    let blocks: Vec<_> = machine.state.blocks.iter().map(|(id, block)| (id.0, block.size_bytes)).collect();
    assert_eq!((blocks, machine.state.adopted_before_ms), (vec![(1, 11)], Some(400)));
    assert_eq!(ask(&mut machine, mend(vec![], &[], Some(300))).version, 3, "it never goes back");
    assert!(machine.shipped.is_empty());
    let mut watched = ClusterState::default();
    watched.apply(machine.state.version, machine.state.whole(true));
    assert_eq!(watched, machine.state);
    assert_eq!(MetaMachine::from_proto(machine.to_proto()).unwrap().state, machine.state);
}

#[test]
fn watchers_hear_what_is_new_and_a_snapshot_has_everything() {
    let mut machine = born(2);
    ask(&mut machine, register("new:1", 0, 99));
    let view = machine.view();
    assert_eq!(view.changes_since(1).unwrap().len(), 1);
    assert_eq!(view.changes_since(2).unwrap().len(), 0);
    assert!(view.changes_since(9).is_none(), "from another life");

    let mut watched = ClusterState::default();
    watched.apply(view.state().version, view.state().whole(true));
    assert_eq!(&watched, view.state());
    let mut restored = MetaMachine::from_proto(machine.to_proto()).unwrap();
    assert_eq!(restored.state, machine.state);
    assert!(restored.view().changes_since(1).is_none());
    assert_eq!(ask(&mut restored, register("newer:1", 0, 101)).node_id, 4);
}
