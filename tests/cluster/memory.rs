//! Memory stays within its budget, whatever is scraped.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;
use crate::journal::check;

const TARGETS: usize = 8;
/// What the heads may take, in bytes: enough for the fleet and a node_exporter.
const LIMIT: &str = "8MiB";
const LIMIT_BYTES: f64 = (8 << 20) as f64;
/// Ten times as many series as there is room for.
const CROWD: usize = 80_000;
/// Series are estimated when they are let in.
const TOLERANCE: f64 = 1.25;
/// What is known goes on to grow until its window is cut, by so many bytes for a sample at most: 4.3 were measured.
const SAMPLE_BYTES: f64 = 5.0;

#[test]
fn ten_times_as_many_series_are_refused_and_the_others_go_on() {
    let fleet = Fleet::start(TARGETS);
    let mut cluster = Cluster::start(&fleet, Options { memory_limit: LIMIT, ..Options::default() });
    cluster.wait_for_scrapes(3 * TARGETS);
    assert!(!has_refused(&cluster), "the fleet has room");
    let before = resident(&cluster);

    cluster.scrape_also("crowd", start_crowd());
    wait_until("new series are refused", Duration::from_secs(60), || has_refused(&cluster).then_some(()));
    for _ in 0..5 {
        cluster.wait_for_more_scrapes(2 * TARGETS);
        heads_stay_small(&cluster, stored(&cluster));
    }
    check(&cluster, &fleet);
    let (crowded, stored_before) = (resident(&cluster), stored(&cluster));

    // Nor do replay and catching up take more than running did.
    cluster.kill("ingester-1");
    cluster.restart("ingester-1");
    cluster.wait_until_settled();
    stays_below(&cluster, before.max(crowded));
    cluster.kill("ingester-2");
    cluster.wipe("ingester-2");
    cluster.restart("ingester-2");
    cluster.wait_until_settled();
    cluster.wait_for_more_scrapes(TARGETS);
    stays_below(&cluster, before.max(crowded));
    heads_stay_small(&cluster, stored_before + stored(&cluster));
    check(&cluster, &fleet);
    // Whoever leads the shards of the crowd refuses it.
    let is_told = |name: &&str| cluster.log(name).contains("memory for new series");
    assert!(["ingester-1", "ingester-2", "ingester-3"].iter().any(is_told), "an operator is told");
}

fn has_refused(cluster: &Cluster) -> bool {
    cluster.most("scraper", "ringwood_target_scrapes_refused_series_total") > 0.0
}

fn resident(cluster: &Cluster) -> f64 {
    cluster.most("ingester", "process_resident_memory_bytes")
}

/// Samples that were stored so far. A leader that starts again counts anew.
fn stored(cluster: &Cluster) -> f64 {
    cluster.sum("ingester", "ringwood_ingester_stored_samples_total")
}

fn heads_stay_small(cluster: &Cluster, samples: f64) {
    let used = cluster.most("ingester", "ringwood_ingester_head_memory_bytes");
    let allowed = LIMIT_BYTES * TOLERANCE + samples * SAMPLE_BYTES;
    assert!(used < allowed, "the heads take {used} bytes of {LIMIT}, with {samples} samples");
}

fn stays_below(cluster: &Cluster, running: f64) {
    let now = resident(cluster);
    assert!(now < running * TOLERANCE, "an ingester takes {now} bytes, and took {running} before");
}

/// A target with a page of many series. It lives as long as the process.
fn start_crowd() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let page: String = (0..CROWD).map(|number| format!("crowd{{number=\"{number}\"}} 1\n")).collect();
        for stream in listener.incoming().map_while(Result::ok) {
            // A client that goes away gets nothing.
            drop(serve(stream, &page));
        }
    });
    port
}

/// Answers one request and closes the connection.
fn serve(mut stream: TcpStream, page: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\nContent-Length:";
    write!(stream, "{head} {}\r\n\r\n{page}", page.len())
}
