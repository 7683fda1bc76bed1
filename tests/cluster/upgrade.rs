//! Yesterday's binary and today's in one cluster: `make upgrade`.
//!
//! `tests/upgrade/PREVIOUS` names the commit that yesterday's is of, and the variable `UPGRADE_FROM` says where it is. Without it
//! there is nothing to do here.

use std::path::PathBuf;

use crate::cluster::{Cluster, Options};
use crate::fleet::Fleet;
use crate::journal::check;
use crate::queries::Queries;

const TARGETS: usize = 24;
/// What today's binary knows.
const TODAY: u64 = 2;

/// Six processes of yesterday's binary that scrape.
fn yesterdays(fleet: &Fleet) -> Option<Cluster> {
    let Some(binary) = std::env::var_os("UPGRADE_FROM").map(PathBuf::from) else {
        eprintln!("skipped: UPGRADE_FROM does not say where yesterday's binary is (`make upgrade`)");
        return None;
    };
    let cluster = Cluster::start(fleet, Options { binary, ..Options::default() });
    cluster.wait_for_scrapes(3 * TARGETS);
    Some(cluster)
}

#[test]
fn an_upgrade_one_by_one_loses_nothing_and_fails_no_query() {
    let fleet = Fleet::start(TARGETS);
    let Some(mut cluster) = yesterdays(&fleet) else { return };
    let queries = Queries::start(cluster.querier_port, TARGETS);
    for name in ["ingester-1", "scraper-1", "ingester-2", "ingester-3", "scraper-2"] {
        cluster.upgrade(name);
        cluster.wait_until_settled();
        cluster.wait_for_more_scrapes(3 * TARGETS);
        check(&cluster, &fleet);
    }
    // Yesterday's querier follows the state still. Long enough for a level to rise that may.
    cluster.wait_for_more_scrapes(15 * TARGETS);
    assert_eq!(cluster.feature_level(), 1, "the querier knows no more");
    cluster.use_todays_binary();
    cluster.add_querier("querier-2");
    queries.move_to(cluster.querier_port);
    cluster.end("querier");
    cluster.wait_for_feature_level(TODAY);
    cluster.wait_for_more_scrapes(3 * TARGETS);
    // What is new works: a scraper hands over, and all can be read.
    cluster.end("scraper-1");
    cluster.wait_for_more_scrapes(3 * TARGETS);
    check(&cluster, &fleet);
    eprintln!("{} queries were answered", queries.end());
}

#[test]
fn one_of_today_works_beside_those_of_yesterday_in_every_role() {
    let fleet = Fleet::start(TARGETS);
    let Some(mut cluster) = yesterdays(&fleet) else { return };
    cluster.use_todays_binary();
    cluster.add_ingester("ingester-4", "b");
    cluster.add_scraper("scraper-3");
    let before = cluster.querier_port;
    cluster.add_querier("querier-2");
    cluster.wait_until_settled();
    cluster.wait_for_more_scrapes(6 * TARGETS);
    check(&cluster, &fleet);
    // Today's replicas lead and follow; yesterday's querier reads them.
    for name in ["ingester-1", "ingester-4"] {
        cluster.kill(name);
        cluster.wait_for_more_scrapes(3 * TARGETS);
        for port in [before, cluster.querier_port] {
            cluster.querier_port = port;
            check(&cluster, &fleet);
        }
        cluster.restart(name);
        cluster.wait_until_settled();
    }
    cluster.end("scraper-3");
    cluster.wait_for_more_scrapes(3 * TARGETS);
    check(&cluster, &fleet);
    assert!(cluster.feature_level() <= 1, "most know no more");
}
