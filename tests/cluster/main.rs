//! Clusters of real processes: what was acknowledged can be read, whoever is killed.
//!
//! Everything goes through the binary and HTTP. Scrapers write a journal of what was acknowledged to them; values say which
//! target and which scrape they are of, so values are compared, not counts.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]
#![expect(clippy::print_stderr, reason = "whoever reads a failure wants the logs")]

mod buckets;
mod chaos;
mod cluster;
mod elastic;
mod fleet;
mod flips;
mod growth;
mod handover;
mod hardware;
mod hot;
mod http;
mod journal;
mod kept;
mod memory;
mod monitoring;
mod net;
mod operators;
mod pages;
mod queries;
mod store;
mod upgrade;
mod zones;

use std::time::Duration;

use cluster::{Cluster, Options, wait_until};
use fleet::Fleet;
use journal::{check, query_value, readable};

const TARGETS: usize = 24;

#[test]
fn acknowledged_scrapes_survive_kills() {
    let fleet = Fleet::start(TARGETS);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.wait_for_scrapes(3 * TARGETS);

    // Every ingester leads some shard: one after the other is killed, and comes back.
    for name in ["ingester-1", "ingester-2", "ingester-3"] {
        cluster.kill(name);
        cluster.wait_for_more_scrapes(TARGETS);
        check(&cluster, &fleet);
        cluster.restart(name);
        cluster.wait_until_settled();
    }

    // Targets change hands when a scraper dies, and when another one comes.
    cluster.kill("scraper-1");
    cluster.wait_for_more_scrapes(3 * TARGETS);
    cluster.add_scraper("scraper-3");
    cluster.wait_for_more_scrapes(3 * TARGETS);
    check(&cluster, &fleet);

    // All at once: what was synced is there again.
    for name in ["ingester-1", "ingester-2", "ingester-3"] {
        cluster.kill(name);
    }
    for name in ["ingester-1", "ingester-2", "ingester-3"] {
        cluster.restart(name);
    }
    cluster.wait_for_more_scrapes(2 * TARGETS);
    check(&cluster, &fleet);

    // A disk is lost: the node comes back as another one, and gets its replicas from the others.
    cluster.kill("ingester-2");
    cluster.wipe("ingester-2");
    cluster.restart("ingester-2");
    cluster.wait_until_settled();
    cluster.wait_for_more_scrapes(TARGETS);
    check(&cluster, &fleet);
    cluster.kill("ingester-1");
    cluster.wait_for_more_scrapes(TARGETS);
    check(&cluster, &fleet);
    if cluster.has_exporter() {
        let count = query_value(&cluster, "count(%7Bjob=%22node%22,__name__=~%22node_.*%22%7D)");
        assert!(count > 100.0, "a real node_exporter has more than {count} series");
    }
}

#[test]
fn the_bucket_gives_the_same_answer_as_the_shards() {
    let fleet = Fleet::start(8);
    let options = Options { block_window: "20s", local_retention: "0s", ..Options::default() };
    let mut cluster = Cluster::start(&fleet, options);
    cluster.wait_for_scrapes(8 * 25);
    let before = readable(&cluster);
    let oldest = before.keys().map(|(_, time)| *time).min().unwrap();
    wait_until("blocks are in the catalog and dropped from the shards", Duration::from_secs(120), || {
        let status = cluster.status();
        let blocks = status["data"]["blocks"]["count"].as_u64().unwrap_or(0);
        (blocks >= 4).then_some(())
    });
    cluster.wait_for_more_scrapes(8 * 25);
    let after = readable(&cluster);
    for (key, value) in &before {
        assert_eq!(after.get(key), Some(value), "{key:?}");
    }
    assert_eq!(after.keys().map(|(_, time)| *time).min(), Some(oldest));
    check(&cluster, &fleet);
    // Every part of every role has had something to do by now.
    monitoring::check_metrics(&cluster);
    // Nobody but the bucket has the oldest data now: a fresh querier reads them too.
    cluster.kill("querier");
    cluster.restart("querier");
    cluster.wait_until_settled();
    check(&cluster, &fleet);
}
