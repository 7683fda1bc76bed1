//! Gives Ringwood, Prometheus and, where there is one, VictoriaMetrics the same samples, one system after another, asks each
//! the same ten questions of dashboards over HTTP, and prints what they cost.
//!
//! For each question and system: the milliseconds of CPU time, user and system, that one answer takes, by how much the
//! process's memory grows at most, and for all but Prometheus the ratio of CPU times and whether the answers agree.
//! VictoriaMetrics means something else by `rate`, so it can't agree on that. Ringwood is asked twice: the second time its
//! shards leave all aggregating to the querier.

#![expect(clippy::print_stdout, reason = "a command line tool prints its result")]

mod answer;
mod question;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use http_client::{HttpClient, HttpClientConfig, Request};
use serde_json::Value;
use stdx::Clock;

use bench_query::data::{Fleet, Target, Times};
use bench_query::load::{self, Ringwood};
use bench_query::system::System;

use crate::question::{Question, questions};

/// Compares what queries cost.
#[derive(Debug, Parser)]
struct Flags {
    /// Series in the head.
    #[arg(long, default_value_t = 20_000)]
    recent_series: usize,
    /// How many hours of them there are, every 15 seconds.
    #[arg(long, default_value_t = 2)]
    recent_hours: i64,
    /// Series in blocks.
    #[arg(long, default_value_t = 1_000)]
    old_series: usize,
    /// How many days of them there are, every minute.
    #[arg(long, default_value_t = 7)]
    old_days: i64,
    /// How often each question is asked, at least: cheap ones are asked until their CPU time can be told.
    #[arg(long, default_value_t = 10)]
    repeats: u32,
    #[arg(long, default_value = "target/release/ringwood")]
    ringwood: PathBuf,
    #[arg(long, default_value = "target/tools/prometheus")]
    prometheus: PathBuf,
    /// VictoriaMetrics, which is left out without this.
    #[arg(long)]
    victoria: Option<PathBuf>,
    /// Flags of Ringwood beside those that the comparison needs.
    #[arg(long, allow_hyphen_values = true)]
    with: Vec<String>,
    /// Leaves the others out.
    #[arg(long)]
    alone: bool,
    /// Keeps Ringwood running after its questions, to look at it.
    #[arg(long)]
    stay: bool,
}

const PORT: u16 = 19_490;
const GRPC_PORT: u16 = 19_491;
const LIMIT: Duration = Duration::from_secs(120);
/// CPU time is counted in steps of 10 ms: with less than this in all, a question that costs 7 ms could as well cost 13, ...
const ENOUGH_CPU_MS: f64 = 400.0;
/// ... unless it was asked so often.
const MOST_REPEATS: u32 = 200;
/// A system that takes less than a twentieth of a core for so long is at rest, ...
const LOOK: Duration = Duration::from_millis(500);
/// ... for which it is given so many of these.
const MOST_LOOKS: u32 = 240;

/// What one question came to.
struct Cost {
    cpu_ms: f64,
    /// By how much the process grew at most, in KiB.
    growth_kib: u64,
    answer: Value,
}

/// What all systems are given.
struct Load {
    recent: Fleet,
    old: Fleet,
    questions: Vec<Question>,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare(&flags))
}

async fn compare(flags: &Flags) -> anyhow::Result<()> {
    let (folder, client) = (tempfile::tempdir()?, HttpClient::new(HttpClientConfig::default(), Clock::system())?);
    let load = load_of(flags, Clock::system().wall_ms());
    let Load { recent, old, .. } = &load;
    println!(
        "{} series × {} h at 15 s, {} series × {} d at 1 m; each question at least {} times",
        recent.series(),
        flags.recent_hours,
        old.series(),
        flags.old_days,
        flags.repeats
    );
    let mut baseline = None;
    if !flags.alone {
        let costs = prometheus(flags, folder.path(), &client, &load).await?;
        print_costs("Prometheus", &load.questions, &costs, None);
        baseline = Some(costs);
    }
    if let Some(program) = &flags.victoria {
        let costs = victoria(flags, program, folder.path(), &client, &load).await?;
        print_costs("VictoriaMetrics", &load.questions, &costs, baseline.as_deref());
    }
    let [costs, without] = ringwood(flags, folder.path(), &client, &load).await?;
    print_costs("Ringwood", &load.questions, &costs, baseline.as_deref());
    print_costs("Ringwood, not pushed down", &load.questions, &without, baseline.as_deref());
    Ok(())
}

fn load_of(flags: &Flags, now_ms: i64) -> Load {
    const MINUTE_MS: i64 = 60_000;
    let end_ms = now_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
    let times = |end_ms, length_ms: i64, interval_ms| Times { start_ms: end_ms - length_ms, end_ms, interval_ms };
    let recent = Fleet {
        targets: (0..flags.recent_series.div_ceil(500)).map(Target::node).collect(),
        times: times(end_ms, flags.recent_hours * 60 * MINUTE_MS, 15_000),
    };
    // One after the other, since no system takes in what is older than what it has.
    let old = Fleet {
        targets: (0..flags.old_series.div_ceil(100)).map(Target::application).collect(),
        times: times(recent.times.start_ms, flags.old_days * 24 * 60 * MINUTE_MS, MINUTE_MS),
    };
    let questions = questions(recent.times, old.times);
    Load { recent, old, questions }
}

async fn prometheus(flags: &Flags, folder: &Path, client: &HttpClient, load: &Load) -> anyhow::Result<Vec<Cost>> {
    let configuration = folder.join("prometheus.yml");
    std::fs::write(&configuration, "scrape_configs: []\n")?;
    let arguments = [
        format!("--config.file={}", configuration.display()),
        format!("--storage.tsdb.path={}", folder.join("prometheus").display()),
        format!("--web.listen-address=127.0.0.1:{PORT}"),
        "--web.enable-remote-write-receiver".to_owned(),
    ];
    let log = folder.join("prometheus.log");
    let system = System::start(client, (&flags.prometheus, &arguments), PORT, &log).await?;
    let url = format!("{}/api/v1/write", system.url);
    load::remote_write(client, &url, &load.old).await?;
    load::remote_write(client, &url, &load.recent).await?;
    let costs = ask_all(client, &system, &load.questions, flags.repeats).await?;
    system.end()?;
    Ok(costs)
}

async fn victoria(
    flags: &Flags,
    program: &Path,
    folder: &Path,
    client: &HttpClient,
    load: &Load,
) -> anyhow::Result<Vec<Cost>> {
    let arguments = [
        format!("-storageDataPath={}", folder.join("victoria").display()),
        format!("-httpListenAddr=127.0.0.1:{PORT}"),
        "-retentionPeriod=1y".to_owned(),
        "-search.disableCache".to_owned(),
        "-search.latencyOffset=0s".to_owned(),
    ];
    let system = System::start(client, (program, &arguments), PORT, &folder.join("victoria.log")).await?;
    let url = format!("{}/api/v1/write", system.url);
    load::remote_write(client, &url, &load.old).await?;
    load::remote_write(client, &url, &load.recent).await?;
    // What it takes in can be read some seconds later.
    Clock::system().sleep(Duration::from_secs(30)).await;
    let costs = ask_all(client, &system, &load.questions, flags.repeats).await?;
    system.end()?;
    Ok(costs)
}

async fn ringwood(flags: &Flags, folder: &Path, client: &HttpClient, load: &Load) -> anyhow::Result<[Vec<Cost>; 2]> {
    let grpc = format!("127.0.0.1:{GRPC_PORT}");
    let common = [
        format!("--storage.path={}", folder.join("ringwood").display()),
        format!("--web.listen-address=127.0.0.1:{PORT}"),
        format!("--grpc.listen-address={grpc}"),
        format!("--cluster.advertise-address={grpc}"),
        format!("--cluster.peers={grpc}"),
        "--cluster.bootstrap-expect=1".to_owned(),
        "--shards=4".to_owned(),
    ];
    let log = folder.join("ringwood.log");
    // While old samples come in, they must not be too old to be taken.
    let loading: Vec<String> = common.iter().cloned().chain(["--storage.local-retention=1000d".to_owned()]).collect();
    let system = System::start(client, (&flags.ringwood, &loading), PORT, &log).await?;
    let cluster = Ringwood::connect(&grpc).await;
    cluster.append(&load.old).await?;
    cluster.append(&load.recent).await?;
    cluster.end().await;
    // Whatever is due is cut and shipped within some seconds of the last sample.
    Clock::system().sleep(Duration::from_secs(20)).await;
    system.end()?;
    let arguments: Vec<String> = common.iter().chain(&flags.with).cloned().collect();
    let system = System::start(client, (&flags.ringwood, &arguments), PORT, &log).await?;
    Clock::system().sleep(Duration::from_secs(20)).await;
    let costs = ask_all(client, &system, &load.questions, flags.repeats).await?;
    let selecting: Vec<Question> = load.questions.iter().map(Question::not_pushed_down).collect();
    let without = ask_all(client, &system, &selecting, flags.repeats).await?;
    if flags.stay {
        print_costs("Ringwood", &load.questions, &costs, None);
        println!("{} {}", system.url, folder.display());
        load.questions.iter().for_each(|question| println!("{}: {}", question.name, question.path));
        tokio::signal::ctrl_c().await?;
    }
    system.end()?;
    Ok([costs, without])
}

async fn ask_all(
    client: &HttpClient,
    system: &System,
    questions: &[Question],
    repeats: u32,
) -> anyhow::Result<Vec<Cost>> {
    let mut costs = Vec::with_capacity(questions.len());
    for question in questions {
        come_to_rest(system).await?;
        // The first answer finds nothing in any cache.
        let before = system.reset_peak()?;
        let body = ask(client, system, question).await?;
        let growth_kib = system.peak()?.saturating_sub(before);
        let answer = serde_json::from_slice(&body).with_context(|| question.name)?;
        let before = system.cpu_ms()?;
        let (mut asked, mut spent_ms) = (0, 0.0);
        while asked < repeats || spent_ms < ENOUGH_CPU_MS && asked < MOST_REPEATS {
            ask(client, system, question).await?;
            asked += 1;
            spent_ms = system.cpu_ms()? - before;
        }
        let cpu_ms = spent_ms / f64::from(asked);
        costs.push(Cost { cpu_ms, growth_kib, answer });
    }
    Ok(costs)
}

/// Waits until a system does next to nothing: what it still does about one question is not for the next one.
async fn come_to_rest(system: &System) -> anyhow::Result<()> {
    for _ in 0..MOST_LOOKS {
        let before = system.cpu_ms()?;
        Clock::system().sleep(LOOK).await;
        if system.cpu_ms()? - before < LOOK.as_millis() as f64 / 20.0 {
            return Ok(());
        }
    }
    bail!("{} does not come to rest: it goes on with something that nobody asked for", system.url)
}

async fn ask(client: &HttpClient, system: &System, question: &Question) -> anyhow::Result<bytes::Bytes> {
    let url = format!("{}{}", system.url, question.path);
    let mut request = Request::get(url.parse()?, LIMIT);
    if !question.push_down {
        request.headers.insert("x-query-push-down", http::HeaderValue::from_static("off"));
    }
    let response = client.send(request).await.with_context(|| question.name)?;
    if !response.status.is_success() {
        bail!("{}: {}: {}", question.name, response.status, String::from_utf8_lossy(&response.body));
    }
    Ok(response.body)
}

fn print_costs(name: &str, questions: &[Question], costs: &[Cost], reference: Option<&[Cost]>) {
    println!("\n{name:<26} {:>10} {:>10} {:>8} {:>8}", "CPU ms", "peak MiB", "ratio", "agrees");
    let line = |name: &str, cpu_ms: f64, growth_kib: u64, rest: &str| {
        println!("{name:<26} {cpu_ms:>10.1} {:>10.1}{rest}", growth_kib as f64 / 1024.0);
    };
    for (at, (question, cost)) in questions.iter().zip(costs).enumerate() {
        let rest = reference.map(|reference| {
            let agrees = if answer::agree(&cost.answer, &reference[at].answer) { "yes" } else { "no" };
            format!(" {:>8.2} {agrees:>8}", cost.cpu_ms / reference[at].cpu_ms)
        });
        line(question.name, cost.cpu_ms, cost.growth_kib, &rest.unwrap_or_default());
    }
    let total = |costs: &[Cost]| costs.iter().map(|cost| cost.cpu_ms).sum::<f64>();
    let rest = reference.map(|reference| format!(" {:>8.2}", total(costs) / total(reference)));
    let peak = costs.iter().map(|cost| cost.growth_kib).max().unwrap_or_default();
    line("all", total(costs), peak, &rest.unwrap_or_default());
}
