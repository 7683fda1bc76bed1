//! The bucket is away, late, refuses, cuts answers short, or does what it is told and does not say so.
//!
//! Whatever it does, scrapes go on being acknowledged, recent data are read, and who asks for what only the bucket has is told
//! so. When it is itself again, everything is shipped, once. A short form runs in CI; `make chaos` goes on for longer.

use std::time::Duration;

use serde_json::json;

use crate::chaos::number;
use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;
use crate::journal::{check, check_once};
use crate::queries::Queries;
use crate::store::{Store, Trouble};

const TARGETS: usize = 24;
/// What the ingesters have in any case: late scrapes may come for so long.
const RECENT: &str = "count(last_over_time(fleet_0%5B8s%5D))";
/// Has nothing in its cache when the bucket goes away.
const FRESH: &str = "fresh-querier";

/// How long a window of blocks is, and for how many each trouble lasts.
struct Form {
    window: &'static str,
    window_seconds: i64,
    troubles: [(Trouble, i64); 5],
    rounds: u64,
}

impl Form {
    const SHORT: Self = Self {
        window: "5s",
        window_seconds: 5,
        troubles: [
            (Trouble::CutsShort, 1),
            (Trouble::LosesAnswers, 1),
            (Trouble::Refuses, 1),
            (Trouble::Slow, 1),
            (Trouble::Away, 2),
        ],
        rounds: 1,
    };

    /// Windows are a minute instead of two hours: six of them are half a day.
    fn long(rounds: u64) -> Self {
        let troubles = Self::SHORT.troubles.map(|(trouble, _)| (trouble, if trouble == Trouble::Away { 6 } else { 2 }));
        Self { window: "60s", window_seconds: 60, troubles, rounds: rounds.div_ceil(ROUNDS_OF_OTHERS) }
    }
}

/// A round takes a quarter of an hour, while others of `make chaos` take this many.
const ROUNDS_OF_OTHERS: u64 = 50;

#[test]
fn whatever_the_bucket_does_nothing_is_lost_and_what_is_missing_is_said() {
    let Some(store) = Store::start() else { return };
    let form = number("CHAOS_ROUNDS").map_or(Form::SHORT, Form::long);
    let fleet = Fleet::start(TARGETS);
    let options =
        Options { block_window: form.window, local_retention: "0s", store: Some(store), ..Options::default() };
    let mut cluster = Cluster::start(&fleet, options);
    wait_for_blocks(&cluster, 4);
    let queries = Queries::ask_for(cluster.querier_port, RECENT, TARGETS);
    cluster.add_querier(FRESH);
    for round in 0..form.rounds {
        for (trouble, windows) in form.troubles {
            let before = blocks(&cluster).unwrap();
            let said = endure(&mut cluster, &fleet, trouble, windows * form.window_seconds);
            let struck = cluster.store().set(Trouble::Nothing);
            let unanswered = said.len();
            eprintln!(
                "round {round}: {trouble:?}: {struck} requests, {unanswered} queries for everything not answered"
            );
            assert!(struck > 0, "nobody asked the bucket while it was {trouble:?}");
            if trouble == Trouble::Away {
                assert!(!said.is_empty(), "the bucket was away, and everything was read");
            }
            for error in said {
                assert!(error.contains(&cluster.store().url()), "{trouble:?}: {error}");
            }
            wait_for_blocks(&cluster, before + windows as u64);
            cluster.wait_until_settled();
            check(&cluster, &fleet);
        }
    }
    eprintln!("{} queries for recent data were answered, none failed", queries.end());
    let found = cluster.order(&["verify", &cluster.store().url(), &cluster.store().setting()]);
    assert_eq!(found["faults"], json!([]), "{found}");
}

/// Lets the trouble last for so long; returns what queries for everything were told meanwhile.
fn endure(cluster: &mut Cluster, fleet: &Fleet, trouble: Trouble, seconds: i64) -> Vec<String> {
    // Its cache is empty, and its recent answers are.
    cluster.kill(FRESH);
    cluster.store().set(trouble);
    cluster.restart(FRESH);
    cluster.wait_until_ready(FRESH);
    let began = cluster.newest_scrape().unwrap();
    let mut said = Vec::new();
    while cluster.newest_scrape().unwrap() < began + seconds * 1000 {
        cluster.wait_for_more_scrapes(TARGETS);
        said.extend(check_once(cluster, fleet).err());
    }
    said
}

/// Waits until there are so many blocks, and nothing that was cut is not among them.
fn wait_for_blocks(cluster: &Cluster, count: u64) {
    wait_until("everything that was cut is shipped", Duration::from_secs(180), || {
        (blocks(cluster)? >= count && unshipped(cluster)? == 0).then_some(())
    });
}

fn blocks(cluster: &Cluster) -> Option<u64> {
    cluster.status()["data"]["blocks"]["count"].as_u64()
}

/// How many cuts the leaders have not shipped.
fn unshipped(cluster: &Cluster) -> Option<u64> {
    let status = cluster.status();
    let nodes = status["data"]["nodes"].as_array()?;
    let replicas = nodes.iter().filter_map(|node| node["replicas"].as_array()).flatten();
    let led = replicas.filter(|replica| replica["isLeader"] == true && replica["shard"] != 0);
    led.map(|replica| replica["unshippedCuts"].as_u64()).sum()
}
