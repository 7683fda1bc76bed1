//! Nothing is removed because of what a node has merely heard.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::time::Duration;

use consensus::Standing;
use meta::Birth;
use model::{NodeId, ShardId};
use sim::{Node, World, virtual_clock};

/// When the test begins: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;
const LIMIT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(120);
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const SHARD: ShardId = ShardId(1);

fn standing(node: &Node, shard: ShardId) -> Option<Standing> {
    let all = (node.ingester.observer())();
    all.into_iter().find(|(id, _)| *id == shard).map(|(_, status)| status.standing)
}

fn id(node: &Node) -> NodeId {
    node.ingester.identity().node
}

/// Whether a node has heard that it has no part in the shard any more.
fn has_heard(node: &Node) -> bool {
    let state = node.ingester.client().state();
    let shard = &state.shard_map.as_ref().unwrap().shards[&SHARD];
    [&shard.replicas, &shard.joining, &shard.leaving].iter().all(|named| !named.contains(&id(node)))
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}: it did not come to that");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_not_wanted_stays_until_the_leader_of_meta_says_so() {
    let birth = Birth { shards: 1, replication: 3, block_window_ms: 7_200_000 };
    let world = World::new(&NAMES, birth, virtual_clock(START_MS));
    let nodes = world.start_all().await;
    let outsider = world.outsider();
    let mut states = outsider.client.watch();
    states.wait_for(|state| state.shard_map.is_some()).await.unwrap();
    let holds = |node: &&Node| standing(node, SHARD) == Some(Standing::Follower);
    wait_until("the shard has followers", || nodes.iter().any(|node| holds(&node))).await;
    let leaves_meta_alone = |node: &&Node| standing(node, ShardId::META) != Some(Standing::Leader);
    let emptied = nodes.iter().filter(holds).find(leaves_meta_alone).unwrap();

    outsider.client.drain(id(emptied), false, LIMIT).await.unwrap();
    wait_until("it has heard that it is not wanted", || has_heard(emptied)).await;
    let others = || NAMES.into_iter().filter(|name| *name != emptied.name);
    for other in others() {
        world.wires.cut(&emptied.name, other);
        world.wires.cut(other, &emptied.name);
    }
    // It would have been given back meanwhile, and not have heard of it.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(standing(emptied, SHARD).is_some(), "what it has may be wanted again");
    for other in others() {
        world.wires.mend(&emptied.name, other);
        world.wires.mend(other, &emptied.name);
    }
    wait_until("it lets its replica go", || standing(emptied, SHARD).is_none()).await;
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}
