//! Clusters that grow and shrink while they are written and read.

use stdx::Rng;

use crate::chaos::number;
use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;
use crate::handover;
use crate::journal::{Minutes, check, check_since, readable_since};
use crate::queries::Queries;

const TARGETS: usize = 24;
/// Where the newcomers are.
const NEWCOMERS: [(&str, &str); 3] = [("ingester-4", "a"), ("ingester-5", "b"), ("ingester-6", "c")];
/// Who goes: two of the founders, so that meta moves, and a newcomer. One stays in each zone.
const LEAVERS: [&str; 3] = ["ingester-2", "ingester-3", "ingester-4"];
const STAYERS: [&str; 3] = ["ingester-1", "ingester-5", "ingester-6"];

#[test]
fn from_three_ingesters_to_six_and_back_no_query_fails_and_no_tick_is_missed() {
    let fleet = Fleet::start(TARGETS);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.wait_for_scrapes(3 * TARGETS);
    cluster.wait_for_feature_level(2);
    let began = handover::newest(&cluster);
    let queries = Queries::start(cluster.querier_port, TARGETS);
    for (name, zone) in NEWCOMERS {
        cluster.add_ingester(name, zone);
    }
    let newcomers = NEWCOMERS.map(|(name, _)| name);
    wait_until("every newcomer holds something", crate::cluster::PATIENCE, || {
        let nodes = newcomers.map(|name| cluster.joined(name));
        let held: Vec<u64> = (0..=4).flat_map(|shard| cluster.holders(shard)).collect();
        nodes.iter().all(|node| node.is_some_and(|node| held.contains(&node))).then_some(())
    });
    cluster.wait_until_settled();
    handover::nothing_is_missed(&cluster, TARGETS, began);
    for name in LEAVERS {
        cluster.retire(name);
        cluster.wait_for_more_scrapes(TARGETS);
    }
    cluster.wait_until_settled();
    cluster.wait_for_more_scrapes(3 * TARGETS);
    let mut stayers = STAYERS.map(|name| cluster.node_of(name));
    stayers.sort_unstable();
    for shard in 0..=4 {
        assert_eq!(cluster.holders(shard), stayers, "shard {shard}");
    }
    let longest = handover::nothing_is_missed(&cluster, TARGETS, began);
    eprintln!(
        "{} queries were answered, none failed; the longest distance of two samples is {longest} ms",
        queries.end()
    );
    check(&cluster, &fleet);
}

/// How many targets there are while scrapers come and go, in `make chaos` and in CI.
const MANY: usize = 2000;
const SOME: usize = 200;
/// How often they are scraped: two cores have six processes and the targets to carry.
const INTERVAL: (&str, i64) = ("5s", 5000);
/// There are at least and at most so many scrapers.
const SCRAPERS: [usize; 2] = [1, 5];

#[test]
fn scrapers_come_and_go_every_minute_and_no_tick_is_missed() {
    let rounds = number("CHAOS_ROUNDS");
    let (targets, pause_seconds, rounds) = rounds.map_or((SOME, 10, 2), |rounds| (MANY, 60, rounds));
    let seed = number("CHAOS_SEED").unwrap_or_else(|| Rng::from_entropy().u64());
    eprintln!("{targets} targets, {rounds} rounds, CHAOS_SEED={seed}");
    let rng = Rng::from_seed(seed);
    let fleet = Fleet::start(targets);
    let mut cluster = Cluster::start(&fleet, Options { scrape_interval: INTERVAL.0, ..Options::default() });
    cluster.wait_for_feature_level(2);
    cluster.wait_for_scrapes(2 * targets);
    let mut scrapers = vec!["scraper-1".to_owned(), "scraper-2".to_owned()];
    let (mut added, mut longest) = (2, 0);
    let mut began = handover::newest(&cluster);
    for round in 0..rounds {
        let next = handover::newest(&cluster);
        let grows = match scrapers.len() {
            few if few <= SCRAPERS[0] => true,
            many if many >= SCRAPERS[1] => false,
            _ => rng.below(2) == 0,
        };
        if grows {
            added += 1;
            scrapers.push(format!("scraper-{added}"));
            cluster.add_scraper(&format!("scraper-{added}"));
        } else {
            cluster.end(&scrapers.remove(rng.below(scrapers.len() as u64) as usize));
        }
        cluster.wait_for_scraping(pause_seconds);
        // With the round before: what is missed may have begun there.
        let readable = readable_since(&cluster, Minutes(3));
        longest = longest.max(handover::no_distance_is_longer(&readable, targets, (began, INTERVAL.1 * 3 / 2)));
        check_since(&cluster, &fleet, Minutes(2));
        began = next;
        eprintln!(
            "round {round}: {} scrapers, the longest distance of two samples so far is {longest} ms",
            scrapers.len()
        );
    }
}
