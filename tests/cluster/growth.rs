//! A target that is split while it is scraped, and whose scrapers change meanwhile.

use std::time::Duration;

use serde_json::Value;

use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;
use crate::http::get_json;
use crate::journal::check;
use crate::pages::Pages;

const TARGETS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(120);
/// Less than what one part may have, ...
const FEW: usize = 6_000;
/// ... less than two, and less than four.
const MORE: usize = 12_000;
const MOST: usize = 20_000;
/// Two samples that are farther apart have a tick between them that was missed. Scrapes begin late on a busy machine.
const MISSED_MS: i64 = 1_500;
/// What the loss of a scraper may cost: its lease and a second, and that the next one begins late.
const LOSS_MS: i64 = 4_000;

#[test]
#[ignore = "takes minutes: make chaos ONLY=growth::"]
fn a_target_grows_and_shrinks_while_its_scrapers_change() {
    let fleet = Fleet::start(TARGETS);
    let pages = Pages::start(1, FEW);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.wait_for_feature_level(2);
    cluster.scrape_pages("grown", &pages, 1);
    reaches(&cluster, FEW, 0);
    pages.set(0, MORE);
    reaches(&cluster, MORE, FEW);
    // Whoever has it goes: the other one is to know that it is split, with a page that need not be, too.
    for series in [MORE, FEW] {
        pages.set(0, series);
        reaches(&cluster, series, FEW);
        for name in ["scraper-1", "scraper-2"] {
            cluster.end(name);
            stays(&cluster, series);
            cluster.restart(name);
            cluster.wait_until_settled();
            stays(&cluster, series);
        }
    }
    no_tick_is_missed(&cluster, MISSED_MS);
    for (name, series) in [("scraper-1", MOST), ("scraper-2", FEW)] {
        cluster.kill(name);
        pages.set(0, series);
        reaches(&cluster, series, FEW);
        cluster.restart(name);
        cluster.wait_until_settled();
        stays(&cluster, series);
    }
    no_tick_is_missed(&cluster, LOSS_MS);
    let unlike = "count(rate(page_total[30s])%20%3C%200.5%20or%20rate(page_total[30s])%20%3E%202)";
    wait_until("no rate breaks", PATIENCE, || count(&cluster, unlike).is_none().then_some(()));
    check(&cluster, &fleet);
}

/// The value of an instant query with one result; `None` if it has none.
fn count(cluster: &Cluster, expression: &str) -> Option<usize> {
    let path = format!("/api/v1/query?query={expression}");
    let answer = wait_until("the query is answered", PATIENCE, || get_json(cluster.querier_port, &path));
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// Waits until the page has so many series, all of which can be read, and fails if there are ever less than those that were on
/// every page meanwhile.
fn reaches(cluster: &Cluster, series: usize, least: usize) {
    wait_until(&format!("{series} series are there"), PATIENCE, || {
        let now = count(cluster, "count(page_total)").unwrap_or(0);
        assert!(now >= least, "{} series have ended that were on every page", least - now);
        (now == series).then_some(())
    });
}

/// Looks for some scrapes whether any series ends by mistake, or one that has ended comes back.
fn stays(cluster: &Cluster, series: usize) {
    let newest = || count(cluster, "max(page_total)").unwrap_or(0);
    let began = newest();
    wait_until("more scrapes are stored", PATIENCE, || {
        assert_eq!(count(cluster, "count(page_total)"), Some(series));
        (newest() >= began + 5).then_some(())
    });
}

/// Series that were on every page have one sample for each tick, whatever part they were in, and their values only rise.
fn no_tick_is_missed(cluster: &Cluster, longest_ms: i64) {
    let query = "/api/v1/query?query=page_total%7Bn%3D~%22[0-9]%7B1,2%7D%22%7D[20m]";
    let answer = wait_until("the query is answered", PATIENCE, || get_json(cluster.querier_port, query));
    let all = answer["data"]["result"].as_array().unwrap();
    assert_eq!(all.len(), 100);
    for series in all {
        let sample = |sample: &Value| {
            let value: u64 = sample[1].as_str().unwrap().parse().unwrap();
            ((sample[0].as_f64().unwrap() * 1000.0).round() as i64, value)
        };
        let samples: Vec<(i64, u64)> = series["values"].as_array().unwrap().iter().map(sample).collect();
        for pair in samples.windows(2) {
            let [(before, low), (after, high)] = pair else { panic!("a window has two") };
            let name = &series["metric"]["n"];
            assert!(after - before <= longest_ms, "series {name} has nothing from {before} to {after}");
            assert!(low < high, "series {name} goes from {low} to {high} at {after}");
        }
    }
}
