//! What a cluster takes while series come and go, and when ten times as many come as there is room for.
//!
//! Targets of a fleet are scraped every second, and a tenth of their series is replaced all the time. In the second third of
//! the time ten times as many targets are there. Heads must stay within their budget, processes within what is allowed, and
//! the series that were there before must go on.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use bench_query::system::System;
use processes::free_ports;
use serde_json::Value;
use stdx::ByteSize;

use crate::cluster::{Cluster, get};
use crate::page::Page;

/// Series of a target. One in ten is replaced by another each time.
const SERIES: usize = 500;
const CHURN_SECONDS: u64 = 20;
/// How many more targets there are for a while.
const FLOOD: usize = 10;
/// The limit is for letting series in: samples of those that are in go on to need room, until their frames are closed.
const SAMPLES: f64 = 1.25;
/// Memory goes up and down with each window: by so much at the end it may be more than before.
const GROWTH: f64 = 1.15;

/// Lets three ingesters, a scraper and a querier work for long.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// How often a line is printed.
    #[arg(long, default_value_t = 60)]
    every_seconds: u64,
    /// Targets, each of 500 series, before and after ten times as many.
    #[arg(long, default_value_t = 20)]
    targets: usize,
    /// What the heads of an ingester may take.
    #[arg(long, default_value = "16MiB")]
    memory_limit: ByteSize,
    /// What an ingester may take beside its heads: the log's write buffers, files that are mapped, connections.
    #[arg(long, default_value = "512MiB")]
    beside: ByteSize,
    /// The fleet's program.
    #[arg(long, default_value = "target/release/fleet")]
    fleet: PathBuf,
}

/// A line of the table.
#[derive(Debug)]
struct Line {
    targets: usize,
    /// The most that an ingester takes, in bytes.
    resident: f64,
    heads: f64,
    series: f64,
    /// Since the beginning.
    refused: f64,
    buffered: f64,
    lag: f64,
    unshipped: f64,
    /// How many of the series that were there from the beginning, and are not replaced, have samples of the last seconds.
    flowing: f64,
}

pub(crate) async fn run(binary: &Path, flags: &Flags) -> anyhow::Result<()> {
    let options = [
        "--shards=16".to_owned(),
        // What has ended is gone from the heads soon, so that an hour shows what weeks would.
        "--block.window=2m".to_owned(),
        "--storage.local-retention=0s".to_owned(),
        format!("--storage.memory-limit={}", flags.memory_limit),
    ];
    let fleet = Fleet::start(flags)?;
    let mut cluster = Cluster::start(binary, &options).await?;
    let config = cluster.path("prometheus.yml");
    write_config(&config, fleet.port, flags.targets, flags.targets)?;
    let scraper = vec!["--role=scraper".to_owned(), format!("--config.file={}", config.display())];
    let scraper = cluster.start_process("scraper", scraper).await?;
    let querier = cluster.start_querier().await?;
    println!(
        "| s | targets | resident MiB | heads MiB | series in heads | refused | buffered KiB | entries behind | cuts to ship | steady series |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let (began, mut lines) = (cluster.clock.now(), Vec::new());
    let mut targets = flags.targets;
    loop {
        cluster.clock.sleep(Duration::from_secs(flags.every_seconds)).await;
        let seconds = cluster.clock.now().duration_since(began).as_secs();
        let line = measure(&cluster, &scraper, &querier, targets).await?;
        println!("| {seconds} {line}");
        check(&line, flags)?;
        lines.push(line);
        if seconds >= flags.seconds {
            break;
        }
        let is_flood = (1..2).contains(&(seconds * 3 / flags.seconds));
        let wanted = if is_flood { flags.targets * (FLOOD + 1) } else { flags.targets };
        if wanted != targets {
            targets = wanted;
            write_config(&config, fleet.port, targets, flags.targets)?;
            signal(&scraper, "HUP")?;
        }
    }
    verdict(&lines, flags)
}

async fn measure(cluster: &Cluster, scraper: &System, querier: &str, targets: usize) -> anyhow::Result<Line> {
    let mut pages = Vec::new();
    for (_, system) in cluster.running() {
        pages.push(Page::of(&cluster.client, system).await?);
    }
    let most =
        |name: &str| -> anyhow::Result<f64> { pages.iter().try_fold(0.0, |most, page| Ok(page.sum(name)?.max(most))) };
    let scraping = Page::of(&cluster.client, scraper).await?;
    let query =
        "count(last_over_time(%7B__name__=~%22node_synthetic.*%22,generation=%22%22,fleet=%22expected%22%7D%5B10s%5D))";
    let answer = get(&cluster.client, &format!("{querier}/api/v1/query?query={query}")).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let flowing = answer["data"]["result"][0]["value"][1].as_str().and_then(|count| count.parse().ok());
    Ok(Line {
        targets,
        resident: most("process_resident_memory_bytes")?,
        heads: most("ringwood_ingester_head_memory_bytes")?,
        series: most("ringwood_ingester_series")?,
        refused: scraping.sum("ringwood_target_scrapes_refused_series_total")?,
        buffered: scraping.sum("ringwood_distributor_buffer_bytes")?,
        lag: most("ringwood_ingester_follower_lag_entries")?,
        unshipped: most("ringwood_ingester_unshipped_cuts")?,
        flowing: flowing.unwrap_or(0.0),
    })
}

/// What must hold at any moment.
fn check(line: &Line, flags: &Flags) -> anyhow::Result<()> {
    let limit = flags.memory_limit.bytes() as f64;
    if line.heads > limit * SAMPLES {
        bail!("the heads take {} bytes, and may take {limit}", line.heads);
    }
    let allowed = limit + flags.beside.bytes() as f64;
    if line.resident > allowed {
        bail!("an ingester takes {} bytes, more than the {allowed} it may", line.resident);
    }
    let steady = (flags.targets * SERIES * 9 / 10) as f64;
    if line.flowing < steady {
        bail!("{} of {steady} series have no samples of the last ten seconds", steady - line.flowing);
    }
    Ok(())
}

/// What must hold in the end: series were refused and are no more, and memory has stopped to grow.
fn verdict(lines: &[Line], flags: &Flags) -> anyhow::Result<()> {
    let last = lines.last().context("nothing was measured")?;
    if lines.iter().any(|line| line.targets > flags.targets) && last.refused == 0.0 {
        bail!("ten times as many series were there, and none was refused");
    }
    let calm: Vec<f64> =
        lines.iter().rev().take_while(|line| line.targets == flags.targets).map(|line| line.resident).collect();
    let (late, early) = calm.split_at(calm.len() / 2);
    let (late, early) = (mean(late), mean(early));
    println!("\nresident at the end: {:.0} MiB, before that {:.0} MiB", late / MIB, early / MIB);
    if late > early * GROWTH {
        bail!("an ingester's memory grows: {early} bytes, then {late}");
    }
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

const MIB: f64 = (1 << 20) as f64;

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { targets, resident, heads, series, refused, buffered, lag, unshipped, flowing } = self;
        let (resident, heads, buffered) = (resident / MIB, heads / MIB, buffered / 1024.0);
        write!(
            f,
            "| {targets} | {resident:.0} | {heads:.0} | {series} | {refused} | {buffered:.0} | {lag} | {unshipped} | {flowing} |"
        )
    }
}

/// The program that serves all targets. It is killed when this is dropped.
struct Fleet {
    child: Child,
    port: u16,
}

impl Fleet {
    fn start(flags: &Flags) -> anyhow::Result<Self> {
        let port = free_ports(1)[0];
        let numbers = [usize::from(port), flags.targets * (FLOOD + 1), SERIES, CHURN_SECONDS as usize];
        let child =
            Command::new(&flags.fleet).args(numbers.map(|number| number.to_string())).stdin(Stdio::null()).spawn();
        Ok(Self { child: child.with_context(|| format!("start {}", flags.fleet.display()))?, port })
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A job for each target.
fn write_config(path: &Path, port: u16, targets: usize, expected: usize) -> anyhow::Result<()> {
    let mut text = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for number in 0..targets {
        let fleet = if number < expected { "expected" } else { "flood" };
        text.push_str(&format!(
            "- {{job_name: t{number}, metrics_path: /{number}, static_configs: [{{targets: ['127.0.0.1:{port}'], labels: {{fleet: {fleet}}}}}]}}\n"
        ));
    }
    Ok(std::fs::write(path, text)?)
}

fn signal(system: &System, name: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill").args(["-s", name, &system.id().to_string()]).status()?;
    if sent.success() { Ok(()) } else { bail!("SIG{name} could not be sent") }
}
