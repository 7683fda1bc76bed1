//! A shard that takes in far more than others gives its hot slots away by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;
use crate::http::get_json;
use crate::journal::check;
use crate::pages::Pages;

const TARGETS: usize = 4;
const SHARDS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(180);
/// So many that one shard surely has four of them.
const PAGES: usize = 32;
/// What each of four targets has that are to lie on one shard.
const HEAVY: usize = 2_000;

#[test]
#[ignore = "takes minutes: make chaos ONLY=hot::"]
fn load_on_one_shard_evens_out_and_stays_so() {
    let fleet = Fleet::start(TARGETS);
    let pages = Pages::start(PAGES, 1);
    let flags = vec!["--placement.move-slots-after=3s".to_owned()];
    let cluster = Cluster::start(&fleet, Options { flags, ..Options::default() });
    cluster.wait_for_feature_level(2);
    cluster.scrape_pages("page", &pages, PAGES);
    let heavy = wait_until("all pages are scraped", PATIENCE, || four_of_one_shard(&cluster));
    let own = wait_until("slots are known", PATIENCE, || slots(&cluster));
    assert_eq!(own, [1024; SHARDS]);
    heavy.iter().for_each(|target| pages.set(*target, HEAVY));
    // The shard of four keeps one, and each of the others gets one: that is as even as can be.
    let even = |mut slots: Vec<u64>| {
        slots.sort_unstable();
        slots == [1021, 1025, 1025, 1025]
    };
    wait_until("three slots have moved", PATIENCE, || slots(&cluster).filter(|now| even(now.clone())));
    let settled = slots(&cluster);
    let moves = |cluster: &Cluster| {
        let logs: String = ["ingester-1", "ingester-2", "ingester-3"].map(|name| cluster.log(name)).concat();
        logs.matches("a hot slot is to move").count()
    };
    // Longer than what a shard takes in is averaged over.
    for _ in 0..8 {
        cluster.wait_for_more_scrapes(10 * TARGETS);
        assert_eq!((slots(&cluster), moves(&cluster)), (settled.clone(), 3), "a slot goes to and fro");
    }
    nothing_is_missed(&cluster, &heavy);
    check(&cluster, &fleet);
}

/// How many slots each shard has; `None` while one moves.
fn slots(cluster: &Cluster) -> Option<Vec<u64>> {
    let status = cluster.status();
    let moves = status["data"]["slotMoves"].as_array()?;
    let shards = status["data"]["shards"].as_array()?.iter().filter(|shard| shard["shard"] != 0);
    let slots = shards.map(|shard| shard["slots"].as_u64()).collect::<Option<Vec<u64>>>()?;
    moves.is_empty().then_some(slots)
}

/// Four pages whose targets are in slots of their own, all of one shard; `None` until all were scraped.
fn four_of_one_shard(cluster: &Cluster) -> Option<Vec<usize>> {
    let mut by_shard: BTreeMap<usize, BTreeMap<u16, usize>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in cluster.journals().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(page) = line["labels"]["page"].as_str().and_then(|page| page.parse().ok()) else { continue };
        if !seen.insert(page) {
            continue;
        }
        let id = u128::from_str_radix(line["target"].as_str()?, 16).unwrap();
        let slot = ring::slot_of_target(model::TargetId(id), 0).0;
        // Slots of a new cluster go to its shards in turn.
        by_shard.entry(usize::from(slot) % SHARDS).or_default().insert(slot, page);
    }
    if seen.len() < PAGES {
        return None;
    }
    let most = by_shard.into_values().max_by_key(BTreeMap::len)?;
    assert!(most.len() >= 4, "{PAGES} targets on {SHARDS} shards");
    Some(most.into_values().take(4).collect())
}

/// Every tick of these targets is there, once, whichever shard it went to.
fn nothing_is_missed(cluster: &Cluster, targets: &[usize]) {
    let pages = targets.iter().map(ToString::to_string).collect::<Vec<_>>().join("%7C");
    let query = format!("/api/v1/query?query=page_total%7Bn%3D%220%22,page%3D~%22{pages}%22%7D[10m]");
    let answer = wait_until("the query is answered", PATIENCE, || get_json(cluster.querier_port, &query));
    let all = answer["data"]["result"].as_array().unwrap();
    assert_eq!(all.len(), targets.len());
    for series in all {
        let times = series["values"].as_array().unwrap().iter();
        let times: Vec<i64> = times.map(|sample| (sample[0].as_f64().unwrap() * 1000.0).round() as i64).collect();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest <= 1_500, "page {} has nothing for {longest} ms", series["metric"]["page"]);
    }
}
