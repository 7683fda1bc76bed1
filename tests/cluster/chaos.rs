//! Blows that come by chance, one after the other, with all checks after each.
//!
//! `make chaos ROUNDS=500` goes on for long; a few rounds run in CI. The seed decides which blows come, not what becomes of them:
//! that is for `tests/sim`.

use std::collections::BTreeMap;

use stdx::Rng;

use crate::cluster::{Cluster, Options};
use crate::fleet::Fleet;
use crate::handover;
use crate::journal::check;
use crate::queries::Queries;

const TARGETS: usize = 24;
const INGESTERS: [&str; 3] = ["ingester-1", "ingester-2", "ingester-3"];
const SCRAPERS: [&str; 2] = ["scraper-1", "scraper-2"];
/// How many rounds there are, unless the variable `CHAOS_ROUNDS` says it.
const ROUNDS: u64 = 5;

/// What happens to processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    /// SIGKILL to one ingester.
    KillIngester,
    /// SIGKILL to all ingesters at once.
    KillAllIngesters,
    KillScraper,
    KillQuerier,
    /// SIGSTOP for some seconds: it comes back and believes that no time has passed.
    PauseIngester,
    PauseScraper,
    /// SIGTERM: it hands over what it leads.
    EndIngester,
    /// SIGTERM to all, one after the other.
    RollingRestart,
}

impl Blow {
    const ALL: [Self; 8] = [
        Self::KillIngester,
        Self::PauseIngester,
        Self::EndIngester,
        Self::KillAllIngesters,
        Self::KillScraper,
        Self::PauseScraper,
        Self::KillQuerier,
        Self::RollingRestart,
    ];
}

#[test]
fn what_is_acknowledged_outlives_blows_that_come_by_chance() {
    let rounds = number("CHAOS_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| Rng::from_entropy().u64());
    eprintln!("{rounds} rounds, CHAOS_SEED={seed}");
    let rng = Rng::from_seed(seed);
    let fleet = Fleet::start(TARGETS);
    let mut cluster =
        Cluster::start(&fleet, Options { block_window: "60s", local_retention: "0s", ..Options::default() });
    cluster.wait_for_scrapes(2 * TARGETS);
    let mut tally: BTreeMap<Blow, u64> = BTreeMap::new();
    for round in 0..rounds {
        let blow = Blow::ALL[rng.below(Blow::ALL.len() as u64) as usize];
        eprintln!("round {round}: {blow:?}");
        strike(&mut cluster, blow, &rng);
        cluster.wait_until_settled();
        cluster.wait_for_more_scrapes(TARGETS);
        check(&cluster, &fleet);
        *tally.entry(blow).or_default() += 1;
    }
    eprintln!("{tally:?}: nothing lost, nothing doubled");
}

#[test]
fn rolling_restarts_fail_no_query_and_miss_no_tick() {
    let rounds = number("CHAOS_ROUNDS").unwrap_or(1);
    let fleet = Fleet::start(TARGETS);
    let mut cluster = Cluster::start(&fleet, Options::default());
    cluster.wait_for_scrapes(3 * TARGETS);
    cluster.wait_for_feature_level(2);
    let began = handover::newest(&cluster);
    let queries = Queries::start(cluster.querier_port, TARGETS);
    for round in 0..rounds {
        eprintln!("round {round}");
        for name in INGESTERS.into_iter().chain(SCRAPERS) {
            cluster.end(name);
            cluster.restart(name);
            cluster.wait_until_settled();
            cluster.wait_for_more_scrapes(2 * TARGETS);
        }
        handover::nothing_is_missed(&cluster, TARGETS, began);
    }
    eprintln!("{} restarts, {} queries were answered, none failed", 5 * rounds, queries.end());
    check(&cluster, &fleet);
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn strike(cluster: &mut Cluster, blow: Blow, rng: &Rng) {
    let ingester = INGESTERS[rng.below(3) as usize];
    let scraper = SCRAPERS[rng.below(2) as usize];
    match blow {
        Blow::KillIngester => {
            cluster.kill(ingester);
            // The others go on without it.
            cluster.wait_for_more_scrapes(TARGETS);
            cluster.restart(ingester);
        }
        Blow::KillAllIngesters => {
            INGESTERS.iter().for_each(|name| cluster.kill(name));
            INGESTERS.iter().for_each(|name| cluster.restart(name));
        }
        Blow::KillScraper => {
            cluster.kill(scraper);
            cluster.wait_for_more_scrapes(TARGETS);
            cluster.restart(scraper);
        }
        Blow::KillQuerier => {
            cluster.kill("querier");
            cluster.restart("querier");
        }
        Blow::PauseIngester => pause(cluster, ingester, rng),
        Blow::PauseScraper => pause(cluster, scraper, rng),
        Blow::EndIngester => {
            cluster.end(ingester);
            cluster.wait_for_more_scrapes(TARGETS);
            cluster.restart(ingester);
        }
        Blow::RollingRestart => {
            for name in INGESTERS {
                cluster.end(name);
                cluster.restart(name);
                cluster.wait_until_settled();
            }
        }
    }
}

/// The others go on while a process stands still, for longer than any lease.
fn pause(cluster: &Cluster, name: &str, rng: &Rng) {
    cluster.signal(name, "STOP");
    let scrapes = 1 + rng.below(6) as usize;
    cluster.wait_for_more_scrapes(scrapes * TARGETS);
    cluster.signal(name, "CONT");
    cluster.wait_until_running(name);
}
