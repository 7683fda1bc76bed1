//! What operators do with `ringwood ctl`, on clusters of real processes.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;
use crate::journal::{check, readable};

#[test]
fn replicas_and_leaders_go_where_operators_want_them() {
    let fleet = Fleet::start(8);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.add_ingester("ingester-4", "b");
    cluster.wait_for_scrapes(8);
    wait_until("node 4 is filled", Duration::from_secs(60), || {
        let nodes = cluster.order(&["nodes"]);
        let node = nodes["nodes"].as_array()?.iter().find(|node| node["id"] == 4)?;
        (!node["replicas"].as_array()?.is_empty()).then_some(())
    });
    cluster.wait_until_settled();

    let shard = settled_shard(&cluster, &json!([1, 2, 3]));
    let of = shard.as_str();
    // One zone has two nodes: the others' replicas can't go there.
    let zone_b = replicas_in_zone_b(&cluster);
    let other = zone_b.iter().find(|node| **node != 4).copied().unwrap();
    let outside = [1, 2, 3].into_iter().find(|node| *node != other).unwrap();
    let (code, refused) = cluster.ctl(&["move", of, "--from", &outside.to_string(), "--to", "4"]);
    assert!(code == 1 && refused["error"].as_str().unwrap().contains("zone \"b\""), "{refused}");
    let moved = cluster.order(&["move", of, "--from", &other.to_string(), "--to", "4"]);
    assert!(moved["replicas"].as_array().unwrap().contains(&json!(4)), "{moved}");
    let (code, again) = cluster.ctl(&["move", of, "--from", &other.to_string(), "--to", "4"]);
    assert_eq!((code, &again["replicas"]), (0, &moved["replicas"]), "the same order is done already");

    let led = cluster.order(&["transfer-leader", of, "4"]);
    assert_eq!(led["leader"], 4);
    let rebuilt = cluster.order(&["rebuild", of, "4"]);
    assert!(rebuilt["replicas"].as_array().unwrap().contains(&json!(4)));
    let (code, unknown) = cluster.ctl(&["rebuild", of, "77"]);
    assert!(code == 1 && unknown["error"].as_str().unwrap().contains("never part"), "{unknown}");
    cluster.order(&["release", of]);

    // A replica that the others need for a majority is not dropped.
    let lost = [outside, if outside == 1 { 2 } else { 1 }].into_iter().find(|node| *node != other).unwrap();
    let name = format!("ingester-{}", ingester_of(&cluster, lost));
    cluster.kill(&name);
    wait_until_silent(&cluster, &[lost]);
    let (code, refused) = cluster.ctl(&["rebuild", of, "4"]);
    assert!(code == 1 && refused["error"].as_str().unwrap().contains("for a majority"), "{refused}");
    check(&cluster, &fleet);
}

#[test]
fn shards_go_on_with_less_than_their_majority_when_an_operator_says_so() {
    let fleet = Fleet::start(8);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.add_ingester("ingester-4", "b");
    cluster.wait_for_scrapes(8);
    wait_until("node 4 is filled", Duration::from_secs(60), || (!shards_of(&cluster, 4).is_empty()).then_some(()));
    cluster.wait_until_settled();

    // Node 4 and a node that holds a shard with it are lost: meta has two of its three replicas still, the shard has one.
    let shard = shards_of(&cluster, 4)[0];
    let lost = cluster.holders(shard).into_iter().find(|node| *node != 4).unwrap();
    let name = format!("ingester-{}", ingester_of(&cluster, lost));
    cluster.kill("ingester-4");
    cluster.kill(&name);
    wait_until_silent(&cluster, &[4, lost]);
    let of: Vec<u64> = shards_of(&cluster, 4).into_iter().filter(|id| cluster.holders(*id).contains(&lost)).collect();
    let survivor =
        |id: u64| cluster.holders(id).into_iter().find(|node| ![4, lost].contains(node)).unwrap().to_string();
    let survivors: Vec<(String, String)> = of.iter().map(|id| (id.to_string(), survivor(*id))).collect();
    let (id, node) = &survivors[0];
    let (code, refused) = cluster.ctl(&["recover", "shard", id, "--survivor", node, "--yes"]);
    assert!(code == 1 && refused["error"].as_str().unwrap().contains("may still have most"), "{refused}");
    cluster.order(&["remove", "4", "--force"]);
    cluster.order(&["remove", &lost.to_string(), "--force"]);
    let (code, asked) = cluster.ctl(&["recover", "shard", id, "--survivor", node]);
    assert!(code == 1 && asked["error"].as_str().unwrap().contains("--yes"), "{asked}");
    for (id, node) in &survivors {
        let recovered = cluster.order(&["recover", "shard", id, "--survivor", node, "--yes"]);
        assert_eq!(recovered["leader"].to_string(), *node);
    }
    // Every target is scraped and acknowledged again, and the other node is let in.
    cluster.wait_for_more_scrapes(10 * 8);
    wait_until("the shards have two replicas again", Duration::from_secs(60), || {
        of.iter().all(|id| cluster.holders(*id).len() == 2).then_some(())
    });
    assert!(!readable(&cluster).is_empty());
}

#[test]
fn shards_whose_replicas_are_all_lost_begin_anew_where_they_were_before() {
    let fleet = Fleet::start(8);
    let mut cluster = Cluster::start(&fleet, Options::default());
    let newcomers = [("ingester-4", "a"), ("ingester-5", "b"), ("ingester-6", "c")];
    for (name, zone) in newcomers {
        cluster.add_ingester(name, zone);
    }
    cluster.wait_for_scrapes(8);
    let lost = wait_until("the newcomers have joined", Duration::from_secs(60), || {
        newcomers.iter().map(|(name, _)| cluster.joined(name)).collect::<Option<Vec<_>>>()
    });

    // All shards but meta leave their first members, zone by zone.
    for (place, to) in lost.iter().enumerate() {
        let from = cluster.node_of(&format!("ingester-{}", place + 1));
        for shard in 1..=4 {
            let order = ["move", &shard.to_string(), "--from", &from.to_string(), "--to", &to.to_string()];
            // One that is on its way there has to arrive first.
            wait_until("a shard has moved", Duration::from_secs(60), || {
                (cluster.holders(shard).contains(to) || cluster.ctl(&order).0 == 0).then_some(())
            });
        }
    }
    cluster.wait_until_settled();
    newcomers.iter().for_each(|(name, _)| cluster.kill(name));
    wait_until_silent(&cluster, &lost);
    for node in &lost {
        cluster.order(&["remove", &node.to_string(), "--force"]);
    }
    // Their first members owe nothing to those that are gone. A shard that had come there by itself may be on its way back.
    let mut begun_anew = 0;
    for shard in 1..=4 {
        let (code, answer) = cluster.ctl(&["recover", "shard", &shard.to_string(), "--empty", "--yes"]);
        if code == 0 {
            assert!(answer["leader"].as_u64().is_some_and(|leader| !lost.contains(&leader)), "{answer}");
            begun_anew += 1;
        } else {
            assert!(answer["error"].as_str().unwrap().contains("may still have"), "{answer}");
        }
    }
    assert!(begun_anew > 0, "no shard had left its first members");
    cluster.wait_for_more_scrapes(10 * 8);
}

#[test]
fn damage_is_found_and_a_new_cluster_takes_over_what_the_bucket_has() {
    let fleet = Fleet::start(8);
    let options = Options { block_window: "20s", local_retention: "0s", snapshot_bytes: "4KiB", ..Options::default() };
    let mut cluster = Cluster::start(&fleet, options);
    let bucket = cluster.bucket_url();
    wait_until("every shard has shipped a block", Duration::from_secs(120), || {
        let status = cluster.status();
        (status["data"]["blocks"]["count"].as_u64()? >= 8).then_some(())
    });
    let whole = cluster.order(&["verify", &bucket]);
    assert!(whole["counts"]["blocks"].as_u64().unwrap() >= 8, "{whole}");

    let folder = cluster.path("ingester-3");
    // Of whichever shard has targets.
    let manifest = wait_until("a snapshot is taken", Duration::from_secs(60), || {
        let mut manifests = (1..=4).map(|shard| folder.join(format!("node/shards/{shard}/MANIFEST")));
        manifests.find(|manifest| manifest.try_exists().unwrap())
    });
    cluster.kill("ingester-3");
    let node = folder.to_str().unwrap().to_owned();
    assert_eq!(cluster.order(&["verify", &node])["faults"], json!([]));
    let mark = folder.join("node/raft/SYNCED");
    flip(&mark);
    let (code, found) = cluster.ctl(&["verify", &node]);
    assert_eq!((code, found["faults"].as_array().unwrap().len()), (1, 1), "{found}");
    assert_eq!(found["faults"][0]["file"], mark.to_str().unwrap());
    flip(&mark);
    // A replica whose snapshot is damaged can't be opened: it is built anew from the others, without anybody's order.
    flip(&manifest);
    let (code, found) = cluster.ctl(&["verify", &node]);
    assert!(code == 1 && !found["faults"].as_array().unwrap().is_empty(), "{found}");
    cluster.restart("ingester-3");
    cluster.wait_until_settled();
    cluster.wait_for_more_scrapes(8);
    check(&cluster, &fleet);

    // The catalog has what the bucket has.
    let same = cluster.order(&["catalog", "rebuild", "--dry-run", "--bucket.url", &bucket]);
    assert_eq!((&same["forgotten"], &same["corrected"]), (&json!([]), &json!([])), "{same}");

    let shipped_before = cluster.order(&["status"])["blocks"]["count"].as_u64().unwrap();
    let before = readable(&cluster);
    cluster.lose_all_ingesters();
    cluster.wait_until_settled();
    let (code, asked) = cluster.ctl(&["recover", "bucket", "--bucket.url", &bucket]);
    assert!(code == 1 && asked["error"].as_str().unwrap().contains("--yes"), "{asked}");
    let recovered = cluster.order(&["recover", "bucket", "--yes", "--bucket.url", &bucket]);
    assert!(recovered["blocks"].as_u64().unwrap() >= shipped_before, "{recovered}");
    // What no shard has lost by its own account is there again.
    let first_lost = first_lost(&recovered);
    wait_until("what was shipped can be read", Duration::from_secs(60), || {
        let after = readable(&cluster);
        let kept = before.iter().filter(|((_, time), _)| *time < first_lost);
        kept.into_iter().all(|(key, value)| after.get(key) == Some(value)).then_some(())
    });
    assert!(before.keys().any(|(_, time)| *time < first_lost), "nothing was to be recovered");
}

/// Waits until meta has missed these nodes, and no other one: a leader of meta that is new has heard of nobody yet (-1).
fn wait_until_silent(cluster: &Cluster, lost: &[u64]) {
    wait_until("the silence is noticed", Duration::from_secs(30), || {
        let nodes = cluster.order(&["nodes"]);
        let is_as_expected = |known: &Value| {
            let silence = known["silentMs"].as_i64().unwrap_or(-1);
            let is_lost = lost.iter().any(|node| known["id"] == *node);
            if is_lost { !(0..=2500).contains(&silence) } else { (0..2000).contains(&silence) }
        };
        nodes["nodes"].as_array()?.iter().all(is_as_expected).then_some(())
    });
}

/// The data shards that a node holds.
fn shards_of(cluster: &Cluster, node: u64) -> Vec<u64> {
    let shards = cluster.order(&["shards"]);
    let held = shards["shards"].as_array().unwrap().iter().filter(|shard| shard["shard"] != 0);
    let held = held.filter(|shard| shard["replicas"].as_array().unwrap().contains(&json!(node)));
    held.map(|shard| shard["shard"].as_u64().unwrap()).collect()
}

/// A shard whose replicas do not move, held by three of these nodes.
fn settled_shard(cluster: &Cluster, nodes: &Value) -> String {
    wait_until("a shard is at rest", Duration::from_secs(60), || {
        let shards = cluster.order(&["shards"]);
        let mut nodes = nodes.as_array()?.clone();
        nodes.sort_by_key(Value::as_u64);
        let is_there = |shard: &&Value| {
            let mut held = shard["replicas"].as_array().cloned().unwrap_or_default();
            held.sort_by_key(Value::as_u64);
            shard["shard"] != 0 && held == nodes && shard["joining"] == json!([]) && shard["leaving"] == json!([])
        };
        Some(shards["shards"].as_array()?.iter().find(is_there)?["shard"].to_string())
    })
}

fn replicas_in_zone_b(cluster: &Cluster) -> Vec<u64> {
    let nodes = cluster.order(&["nodes"]);
    let nodes = nodes["nodes"].as_array().unwrap().iter().filter(|node| node["zone"] == "b");
    nodes.map(|node| node["id"].as_u64().unwrap()).collect()
}

/// Which ingester, by the order of zones, a node is.
fn ingester_of(cluster: &Cluster, node: u64) -> usize {
    let nodes = cluster.order(&["nodes"]);
    let zone = nodes["nodes"].as_array().unwrap().iter().find(|known| known["id"] == node).unwrap()["zone"].clone();
    ["a", "b", "c"].iter().position(|known| zone == *known).unwrap() + 1
}

/// The first time from which on some shard has lost everything, in ms.
fn first_lost(recovered: &Value) -> i64 {
    let shards = recovered["shards"].as_array().unwrap();
    let times = shards.iter().map(|shard| shard["lostFromMs"].as_i64().unwrap());
    times.min().unwrap()
}

/// Flips a bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    std::fs::write(path, bytes).unwrap();
}
