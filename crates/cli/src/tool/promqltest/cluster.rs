//! A whole cluster in this process, for one script.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use clap::Parser;
use distributor::PushedSeries;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use ingester::Ingester;
use meta::Birth;
use model::{Labels, ShardId, TenantId};
use promqltest::{HttpServer, LoadedSeries};
use proto::entry::{Outcome, RecordAnswer};
use serde_json::Value as Json;
use series::Samples;
use stdx::{Clock, TimeSource};
use tempfile::TempDir;
use tokio::sync::Mutex;
use transport::{Net, TcpNet};

use crate::flags::{Cli, ServerFlags};
use crate::server::Running;
use crate::tool::client::Client;

/// Blocks of a day, as Prometheus' own tests have them: what a script loads after something else is not too old then.
const WINDOW_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a cluster may take to form, to store a load, or to ship it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks at whether something has come about.
const LOOK: Duration = Duration::from_millis(5);

/// What the cluster is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// How many shards it has.
    pub(super) shards: u32,
    /// Whether part of what is loaded is in the bucket, and only there, when it is asked for.
    pub(super) ship: bool,
}

/// Loads samples into a cluster and asks it.
pub(super) struct ScriptCluster {
    options: Options,
    /// Not there before the first load or question.
    cluster: Mutex<Option<Cluster>>,
    /// Everything since the last `clear`, by series.
    loaded: BTreeMap<Labels, Samples>,
}

impl ScriptCluster {
    pub(super) fn new(options: Options) -> Self {
        Self { options, cluster: Mutex::default(), loaded: BTreeMap::new() }
    }

    async fn end(&mut self) {
        if let Some(cluster) = self.cluster.get_mut().take() {
            cluster.running.end().await;
        }
    }

    /// Appends to what is there.
    async fn append(&mut self, series: Vec<PushedSeries>) -> Result<(), String> {
        started(self.cluster.get_mut(), self.options.shards).await?.push(&series).await
    }

    /// Has a new cluster that holds everything, old and new, partly in blocks. What is in the bucket takes nothing in any
    /// more, so each load begins anew.
    async fn append_and_ship(&mut self, series: Vec<PushedSeries>) -> Result<(), String> {
        for PushedSeries { labels, samples } in series {
            let stored = self.loaded.entry(labels).or_default();
            for (sample, start_ms) in samples.iter_with_starts() {
                stored.push(&sample, start_ms);
            }
        }
        self.end().await;
        let times = |samples: &Samples| samples.iter().map(|sample| sample.timestamp.as_ms()).max();
        let last_ms = self.loaded.values().filter_map(times).max().unwrap_or(0);
        // The first window has two thirds of the time, and is cut; the second one has the rest.
        let cluster = Cluster::start(self.options.shards, last_ms * 2 / 3 + 1).await?;
        let all = self.loaded.iter().map(|(labels, samples)| (labels.clone(), samples.clone()));
        let all: Vec<_> = all.map(|(labels, samples)| PushedSeries { labels, samples }).collect();
        cluster.push(&all).await?;
        cluster.ship(&all).await?;
        *self.cluster.get_mut() = Some(cluster);
        Ok(())
    }
}

/// The cluster that is there; if there is none, a new one.
async fn started(cluster: &mut Option<Cluster>, shards: u32) -> Result<&Cluster, String> {
    let running = match cluster.take() {
        Some(running) => running,
        None => Cluster::start(shards, WINDOW_MS).await?,
    };
    Ok(cluster.insert(running))
}

impl HttpServer for ScriptCluster {
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>> {
        async {
            self.loaded.clear();
            self.end().await;
            Ok(())
        }
        .boxed()
    }

    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>> {
        let series = series.into_iter().map(|LoadedSeries { labels, samples }| PushedSeries { labels, samples });
        let series = series.collect();
        async move { if self.options.ship { self.append_and_ship(series).await } else { self.append(series).await } }
            .boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Json, String>> {
        async move {
            let mut cluster = self.cluster.lock().await;
            started(&mut cluster, self.options.shards).await?.client.get(path).await
        }
        .boxed()
    }
}

/// A process of all roles that scrapes nothing, with its clock in 1970.
struct Cluster {
    running: Running,
    client: Client,
    birth: Birth,
    wall_ms: Arc<AtomicI64>,
    /// Where its log lies; gone when the cluster is.
    _folder: TempDir,
}

/// A wall clock that stands still until it is set.
struct StandingTime(Arc<AtomicI64>);

impl TimeSource for StandingTime {
    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Cluster {
    async fn start(shards: u32, window_ms: i64) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("make a folder: {error}"))?;
        let flags = flags(&folder, shards, window_ms)?;
        let http = TcpNet.listen("127.0.0.1:0").await.map_err(|error| format!("listen: {error}"))?;
        let url = format!("http://{}", http.address().map_err(|error| format!("listen: {error}"))?);
        let wall_ms = Arc::new(AtomicI64::new(0));
        let birth = Birth { shards, replication: flags.replication, block_window_ms: window_ms };
        let running = Running::start(flags, Clock::new(StandingTime(wall_ms.clone())), http).await?;
        let client = Client::new(&url, &[("X-Read-Consistency".to_owned(), "strong".to_owned())])?;
        let cluster = Self { running, client, birth, wall_ms, _folder: folder };
        let ingester = cluster.ingester();
        let has_formed = || std::future::ready(ingester.readiness().is_ok());
        cluster.until("the cluster did not form", has_formed).await?;
        Ok(cluster)
    }

    fn ingester(&self) -> &Ingester {
        self.running.ingester.as_deref().expect("a process of all roles has an ingester")
    }

    /// Stores samples, all of them, in the order of their times.
    ///
    /// A shard refuses what is half a window older than the newest sample that it has, and takes the floats of a record before
    /// its histograms. So each moment is a record of its own; they travel together.
    async fn push(&self, series: &[PushedSeries]) -> Result<(), String> {
        let distributor = self.running.distributor.as_ref().expect("a process of all roles has a distributor");
        let mut moments: BTreeMap<i64, Vec<PushedSeries>> = BTreeMap::new();
        for PushedSeries { labels, samples } in series {
            for (sample, start_ms) in samples.iter_with_starts() {
                let mut one = Samples::new();
                one.push(&sample, start_ms);
                let moment = moments.entry(sample.timestamp.as_ms()).or_default();
                moment.push(PushedSeries { labels: labels.clone(), samples: one });
            }
        }
        let mut appended = Vec::with_capacity(moments.len());
        for moment in moments.values() {
            let records = distributor.push(&TenantId::default(), moment).map_err(|error| error.to_string())?;
            appended.push(records);
        }
        let answers = self.running.process.clock.timeout(PATIENCE, join_all(appended)).await;
        for answer in answers.ok_or("the load was not answered")?.into_iter().flatten() {
            whole(&answer.map_err(|error| error.to_string())?)?;
        }
        Ok(())
    }

    /// Lets the first window end, and waits until nobody but the bucket has it.
    async fn ship(&self, series: &[PushedSeries]) -> Result<(), String> {
        let state = self.ingester().client().state();
        let map = state.shard_map.as_ref().ok_or("there is no shard map")?;
        let window_ms = self.birth.block_window_ms;
        let is_due = |series: &&PushedSeries| series.samples.iter().any(|sample| sample.timestamp.as_ms() < window_ms);
        let slot = |series: &PushedSeries| ring::slot_of_series(&TenantId::default(), &series.labels);
        let due: BTreeSet<ShardId> = series.iter().filter(is_due).map(|series| map.shard_of(slot(series))).collect();
        self.wall_ms.store(window_ms + ingester::limits_of(self.birth).tick_window_ms, Ordering::Relaxed);
        let is_shipped = || async {
            let state = self.ingester().client().state();
            let shipped: BTreeSet<ShardId> = state.blocks.values().map(|block| block.shard).collect();
            shipped.is_superset(&due) && self.ingester().unshipped_cuts().await == 0
        };
        self.until("the first window was not shipped", is_shipped).await
    }

    async fn until<F>(&self, otherwise: &str, is_so: impl Fn() -> F) -> Result<(), String>
    where
        F: Future<Output = bool>,
    {
        let clock = &self.running.process.clock;
        let waiting = async {
            while !is_so().await {
                clock.sleep(LOOK).await;
            }
        };
        clock.timeout(PATIENCE, waiting).await.ok_or_else(|| format!("{otherwise} within {PATIENCE:?}"))
    }
}

/// A process of all roles, with what the scripts assume.
fn flags(folder: &TempDir, shards: u32, window_ms: i64) -> Result<ServerFlags, String> {
    let config = folder.path().join("prometheus.yml");
    std::fs::write(&config, "").map_err(|error| format!("write {}: {error}", config.display()))?;
    let path = |path: &std::path::Path| path.display().to_string();
    let assumed = promqltest::settings();
    let features = [
        "promql-experimental-functions",
        "promql-extended-range-selectors",
        "promql-binop-fill-modifiers",
        "promql-delayed-name-removal",
        "use-start-timestamps",
    ];
    let arguments = [
        ("config.file", path(&config)),
        ("storage.path", path(folder.path())),
        ("storage.local-retention", "0s".to_owned()),
        ("durability", "memory".to_owned()),
        ("bucket.url", "memory://".to_owned()),
        ("role", "all".to_owned()),
        ("shards", shards.to_string()),
        ("block.window", format!("{window_ms}ms")),
        ("query.max-samples", assumed.max_samples.to_string()),
        ("query.lookback-delta", format!("{}ms", assumed.lookback.as_millis())),
        ("query.timeout", format!("{}ms", assumed.timeout.as_millis())),
        ("enable-feature", features.join(",")),
    ];
    let arguments = arguments.map(|(name, value)| format!("--{name}={value}"));
    let cli = Cli::try_parse_from(std::iter::once("ringwood".to_owned()).chain(arguments));
    let flags = cli.map_err(|error| error.to_string())?.server;
    // The environment may speak of a cluster that is none of this one's business.
    Ok(ServerFlags { cluster_peers: Vec::new(), cluster_bootstrap_expect: None, ..flags })
}

/// Whether a record was stored with every sample.
fn whole(answer: &RecordAnswer) -> Result<(), String> {
    let left_out = answer.out_of_order + answer.duplicate_timestamp + answer.too_old + answer.refused_series;
    match answer.outcome() {
        Outcome::Stored if left_out == 0 => Ok(()),
        _ => Err(format!("not everything was stored: {answer:?}")),
    }
}
