//! Targets change hands: nothing is missed when that is planned, and little when it is not.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Cluster, Options};
use crate::fleet::Fleet;
use crate::http::get_json;
use crate::journal::{Samples, acknowledged, check, readable};

const TARGETS: usize = 24;
const INTERVAL_MS: i64 = 1_000;
/// Two samples that are farther apart have a tick between them that was missed. Scrapes begin late on a busy machine.
const MISSED_MS: i64 = INTERVAL_MS * 3 / 2;
/// What the loss of a scraper may cost: its lease and a second, which is longer than an interval here.
const LOSS_MS: i64 = 3_000;

#[test]
fn no_tick_is_missed_when_scrapers_are_added_and_ended() {
    let fleet = Fleet::start(TARGETS);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.wait_for_feature_level(2);
    cluster.wait_for_scrapes(3 * TARGETS);
    let began = newest(&cluster);
    let rounds = std::env::var("HANDOVER_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2);
    cluster.add_scraper("scraper-3");
    for _ in 0..rounds {
        for name in ["scraper-1", "scraper-2", "scraper-3"] {
            cluster.wait_for_more_scrapes(3 * TARGETS);
            cluster.end(name);
            cluster.wait_for_more_scrapes(3 * TARGETS);
            cluster.restart(name);
        }
    }
    cluster.wait_for_more_scrapes(4 * TARGETS);
    let longest = nothing_is_missed(&cluster, TARGETS, began);
    eprintln!("{} changes of scrapers: the longest distance of two samples is {longest} ms", 1 + 6 * rounds);
    nothing_ended(&cluster, began);
    check(&cluster, &fleet);
}

#[test]
fn a_scraper_that_is_killed_costs_its_own_targets_its_lease_and_others_nothing() {
    let fleet = Fleet::start(TARGETS);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.add_scraper("scraper-3");
    cluster.wait_for_more_scrapes(6 * TARGETS);
    for name in ["scraper-1", "scraper-2"] {
        let began = newest(&cluster);
        cluster.wait_for_more_scrapes(3 * TARGETS);
        cluster.kill(name);
        let own: BTreeSet<usize> =
            acknowledged(&cluster.journal(name)).into_iter().filter(|(_, at)| *at > began).map(|(it, _)| it).collect();
        assert!(!own.is_empty() && own.len() < TARGETS, "{name} had {own:?}");
        cluster.wait_for_more_scrapes(8 * TARGETS);
        let distances = distances(&readable(&cluster), began);
        let longest = |of_own: bool| {
            let those = distances.iter().filter(|(target, _)| own.contains(target) == of_own);
            those.map(|(_, longest)| *longest).max().unwrap()
        };
        eprintln!("{name} was killed: its targets miss {} ms, others {} ms at most", longest(true), longest(false));
        assert!(longest(true) <= INTERVAL_MS + LOSS_MS, "its own: {distances:?}");
        assert!(longest(false) < MISSED_MS, "not {own:?}: {distances:?}");
        nothing_ended(&cluster, began);
        // Back again, it takes its targets over from those who have them.
        let began = newest(&cluster);
        cluster.restart(name);
        cluster.wait_for_more_scrapes(5 * TARGETS);
        nothing_is_missed(&cluster, TARGETS, began);
    }
    check(&cluster, &fleet);
}

/// No tick of any target was missed since `began`. Returns the longest distance of two samples, in ms.
pub(crate) fn nothing_is_missed(cluster: &Cluster, targets: usize, began: i64) -> i64 {
    no_distance_is_longer(&readable(cluster), targets, (began, MISSED_MS))
}

/// All targets were scraped since `began`, without a pause of `missed_ms`. Returns the longest distance of two samples.
pub(crate) fn no_distance_is_longer(readable: &Samples, targets: usize, (began, missed_ms): (i64, i64)) -> i64 {
    let distances = distances(readable, began);
    assert_eq!(distances.len(), targets);
    let missed: BTreeMap<_, _> = distances.iter().filter(|(_, longest)| **longest >= missed_ms).collect();
    assert!(missed.is_empty(), "{missed:?}");
    distances.into_values().max().unwrap_or(0)
}

/// The time of the newest scrape that was acknowledged.
pub(crate) fn newest(cluster: &Cluster) -> i64 {
    acknowledged(&cluster.journals()).into_iter().map(|(_, time)| time).max().unwrap()
}

/// The longest distance between two samples of each target since `began`, in ms.
fn distances(readable: &Samples, began: i64) -> BTreeMap<usize, i64> {
    let mut times: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for (series, time) in readable.keys().filter(|(_, time)| *time >= began - INTERVAL_MS) {
        if let Some(target) = series.strip_prefix("\"fleet_0\"/") {
            times.entry(target.trim_matches('"').parse().unwrap()).or_default().push(*time);
        }
    }
    let longest = |times: Vec<i64>| times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(i64::MAX);
    times.into_iter().map(|(target, times)| (target, longest(times))).collect()
}

/// At each moment since `began` every series was there, and every target up: a staleness marker, or a failure, would show.
fn nothing_ended(cluster: &Cluster, began: i64) {
    let (start, end) = (began as f64 / 1000.0, newest(cluster) as f64 / 1000.0);
    for expression in ["count(fleet_0)", "sum(up%7Bfleet=~%22.%2B%22%7D)"] {
        let path = format!("/api/v1/query_range?query={expression}&start={start}&end={end}&step=0.1");
        let answer = get_json(cluster.querier_port, &path).unwrap();
        for value in answer["data"]["result"][0]["values"].as_array().unwrap() {
            assert_eq!(value[1].as_str(), Some(TARGETS.to_string().as_str()), "{expression} at {}", value[0]);
        }
    }
}
