//! Zones that fail at once: six ingesters in three of them, and a scraper in two.
//!
//! `make chaos ROUNDS=20 ONLY=zones::` takes one zone after the other, round after round.

use stdx::Rng;

use crate::chaos::number;
use crate::cluster::{Cluster, Options, PATIENCE, wait_until};
use crate::fleet::Fleet;
use crate::handover::{newest, no_distance_is_longer};
use crate::journal::{check, readable};
use crate::queries::Queries;

const TARGETS: usize = 24;
/// Who is in which zone.
const ZONES: [(&str, &[&str]); 3] = [
    ("a", &["ingester-1", "ingester-4", "scraper-1"]),
    ("b", &["ingester-2", "ingester-5", "scraper-2"]),
    ("c", &["ingester-3", "ingester-6"]),
];
/// What the loss of a zone may cost a target: an interval, the lease of its scraper, and a second.
const LOSS_MS: i64 = 4000;
/// With meta's leader, another second until somebody is elected who sees that the lease has ended.
const ELECTION_MS: i64 = 1000;

#[test]
fn the_loss_of_a_zone_fails_no_query_and_loses_nothing() {
    let seed = number("CHAOS_SEED").unwrap_or_else(|| Rng::from_entropy().u64());
    let rng = Rng::from_seed(seed);
    // In CI one zone by chance.
    let losses = number("CHAOS_ROUNDS").map_or(1, |rounds| rounds * ZONES.len() as u64);
    eprintln!("{losses} losses, CHAOS_SEED={seed}");
    let fleet = Fleet::start(TARGETS);
    let mut cluster = six_in_three_zones(&fleet);
    let first = rng.below(ZONES.len() as u64);
    let queries = Queries::start(cluster.querier_port, TARGETS);
    let mut longest = 0;
    for loss in first..first + losses {
        let (zone, processes) = ZONES[loss as usize % ZONES.len()];
        let loses_disks = rng.below(3) == 0;
        eprintln!("zone {zone} is lost{}", if loses_disks { ", with its disks" } else { "" });
        let (began, election_ms) = (newest(&cluster), if leads_meta(&cluster, processes) { ELECTION_MS } else { 0 });
        processes.iter().for_each(|name| cluster.kill(name));
        cluster.wait_for_more_scrapes(8 * TARGETS);
        let missed_ms = LOSS_MS + election_ms + 1;
        longest = longest.max(no_distance_is_longer(&readable(&cluster), TARGETS, (began, missed_ms)));
        for name in processes {
            if loses_disks && name.starts_with("ingester") {
                cluster.wipe(name);
            }
            cluster.restart(name);
        }
        cluster.wait_until_settled();
        wait_until_spread(&cluster);
        check(&cluster, &fleet);
    }
    eprintln!(
        "{} queries were answered, none failed; the longest distance of two samples is {longest} ms",
        queries.end()
    );
}

fn six_in_three_zones(fleet: &Fleet) -> Cluster {
    let mut cluster = Cluster::start(fleet, Options::default());
    for (zone, processes) in ZONES {
        cluster.add_ingester(processes[1], zone);
    }
    cluster.wait_for_feature_level(2);
    wait_until("every ingester holds something", PATIENCE, || {
        let held: Vec<u64> = (0..=4).flat_map(|shard| cluster.holders(shard)).collect();
        let mut ingesters = ZONES.iter().flat_map(|(_, processes)| &processes[..2]);
        ingesters.all(|name| cluster.joined(name).is_some_and(|node| held.contains(&node))).then_some(())
    });
    cluster.wait_until_settled();
    cluster.wait_for_more_scrapes(3 * TARGETS);
    cluster
}

/// Whether meta is led by one of the ingesters of a zone.
fn leads_meta(cluster: &Cluster, processes: &[&str]) -> bool {
    let leader = wait_until("meta's leader has told that it leads", PATIENCE, || {
        let shards = cluster.order(&["shards"]);
        let meta = shards["shards"].as_array()?.iter().find(|known| known["shard"] == 0)?.clone();
        meta["holders"].as_array()?.iter().find(|holder| holder["isLeader"] == true)?["node"].as_u64()
    });
    processes[..2].iter().any(|name| cluster.node_of(name) == leader)
}

fn wait_until_spread(cluster: &Cluster) {
    wait_until("every shard has a replica in every zone", PATIENCE, || {
        let is_spread = |shard| {
            let holders = cluster.holders(shard);
            ZONES.iter().all(|(_, processes)| {
                let of_zone = processes[..2].iter().filter(|name| holders.contains(&cluster.node_of(name)));
                of_zone.count() == 1
            })
        };
        (0..=4).all(is_spread).then_some(())
    });
}
