//! A process that serves: how its roles come to be, run and end.

mod ends;
mod roles;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use api::{ApiConfig, BuildInfo, ServeConfig};
use bucket::{Bucket, BucketConfig};
use distributor::Distributor;
use engine::{Engine, EngineOptions, Features};
use futures::Stream;
use ingester::Ingester;
use model::Timestamp;
use promql::ParseOptions;
use stdx::{Clock, CpuPool, Rng, Tasks};
use telemetry::{Registry, init_logging};
use tokio::sync::watch;
use transport::{Hello, Io, Listener, MemoryNet, Net, Nodes, TcpNet};

use crate::backend::Parts;
use crate::flags::{Role, ServerFlags};
use crate::peers::Peers;
use crate::queries::ActiveQueries;
use crate::reload::{ExemplarStorage, Settings};
use crate::settings;

/// What all roles of a process share.
pub(crate) struct Process {
    pub(crate) flags: ServerFlags,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) registry: Registry,
    pub(crate) tasks: Tasks,
    pub(crate) nodes: Nodes,
    pub(crate) bucket: Bucket,
    pub(crate) pools: Pools,
    /// How many exemplars all shards keep together, once the configuration is loaded.
    pub(crate) max_exemplars: watch::Sender<Option<u64>>,
}

/// Where work runs that takes long: each kind as many at a time as there are cores. None may share its pool with another,
/// for a query waits for reads, a read for applies, and whoever waits holds its place.
pub(crate) struct Pools {
    /// Applies entries.
    pub(crate) applying: CpuPool,
    /// Reads shards.
    pub(crate) reading: CpuPool,
    /// Evaluates queries.
    pub(crate) evaluating: CpuPool,
    /// Reads pages.
    pub(crate) scraping: CpuPool,
}

impl Pools {
    fn new(cores: usize) -> Self {
        let pool = || CpuPool::new(cores);
        Self { applying: pool(), reading: pool(), evaluating: pool(), scraping: pool() }
    }

    /// Has the depths of all of them measured.
    fn register(&self, registry: &Registry) {
        let pools = [
            ("applying", self.applying.clone()),
            ("reading", self.reading.clone()),
            ("evaluating", self.evaluating.clone()),
            ("scraping", self.scraping.clone()),
        ];
        let depths = move || pools.iter().map(|(name, pool)| (*name, pool.under_way() as f64)).collect();
        registry.register_measured(("pool_depth", "Pieces of work that run or wait for a thread.", "pool"), depths);
    }
}

/// Serves until told to end.
///
/// # Errors
/// Why the process can't serve, in words.
pub(crate) fn run(flags: ServerFlags) -> Result<ExitCode, String> {
    let format = flags.log_format.parse().map_err(|error| format!("--log.format: {error}"))?;
    init_logging(&flags.log_level, format).map_err(|error| format!("--log.level: {error}"))?;
    if let Some(file) = &flags.config_file {
        // Before anything is touched: a process that will not start leaves no trace.
        settings::load(file).map_err(|errors| errors.to_string())?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("start the runtime: {error}"))?;
    let outcome = runtime.block_on(serve(flags));
    // What still runs now is reading or writing for nobody.
    runtime.shutdown_background();
    outcome
}

async fn serve(flags: ServerFlags) -> Result<ExitCode, String> {
    let http = TcpNet.listen(&flags.web_listen_address.to_string()).await;
    let http = http.map_err(|error| format!("listen on {}: {error}", flags.web_listen_address))?;
    let running = Running::start(flags, Clock::system(), http).await?;
    ends::look_for_node_exporter(&running.process, &running.settings);
    tracing::info!(address = %running.process.flags.web_listen_address, roles = ?running.process.flags.role, "serving");
    running.until_told().await
}

/// A process that serves, for others to use and to end.
pub(crate) struct Running {
    pub(crate) process: Process,
    settings: Arc<Settings>,
    pub(crate) ingester: Option<Arc<Ingester>>,
    pub(crate) distributor: Option<Arc<Distributor>>,
    is_stopping: Arc<AtomicBool>,
}

impl Running {
    /// Lets the roles come to be, and answers whoever connects to `http`.
    ///
    /// # Errors
    /// Why the process can't serve, in words.
    pub(crate) async fn start(flags: ServerFlags, clock: Clock, http: Box<dyn Listener>) -> Result<Self, String> {
        let (rng, registry, tasks) = (Rng::from_entropy(), Registry::new(), Tasks::new());
        registry.register_process();
        let started = Timestamp(clock.wall_ms());
        let net: Arc<dyn Net> = if flags.is_alone() { Arc::new(MemoryNet::default()) } else { Arc::new(TcpNet) };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let pools = Pools::new(cores);
        pools.register(&registry);
        let process = Process {
            bucket: open_bucket(&flags, &clock, &rng, &registry)?,
            nodes: Nodes::new(net, Hello::new()),
            pools,
            flags,
            clock,
            rng,
            registry,
            tasks,
            max_exemplars: watch::Sender::new(None),
        };
        let ingester = roles::ingester(&process).await?;
        let client = roles::client(&process, ingester.as_deref())?;
        let querier = roles::querier(&process, &client);
        let scraping = roles::scraper(&process, &client)?;
        let distributor = scraping.as_ref().map(|(_, distributor)| distributor.clone());
        let scraping = scraping.map(|(scraping, _)| scraping);
        let own_address = format!("localhost:{}", process.flags.web_listen_address.port());
        let file = process.flags.config_file.clone();
        let exemplars =
            ExemplarStorage { is_on: process.flags.enables("exemplar-storage"), limit: process.max_exemplars.clone() };
        let clock = process.clock.clone();
        let settings = Arc::new(Settings::load(file, own_address, scraping, exemplars, clock, &process.registry)?);
        let is_stopping = Arc::new(AtomicBool::new(false));
        let parts = Parts {
            settings: settings.clone(),
            client,
            ingester: ingester.clone(),
            querier,
            peers: Peers::new(process.clock.clone())?,
            active_queries: active_queries(&process),
            external_url: roles::external_url(&process.flags)?,
            scraper_name: roles::scraper_name(&process.flags),
            registry: process.registry.clone(),
            started,
            is_stopping: is_stopping.clone(),
            flags: process.flags.clone(),
        };
        serve_http(&process, http, parts, &settings)?;
        Ok(Self { process, settings, ingester, distributor, is_stopping })
    }
}

fn open_bucket(flags: &ServerFlags, clock: &Clock, rng: &Rng, registry: &Registry) -> Result<Bucket, String> {
    let url = match &flags.bucket_url {
        Some(url) => url.clone(),
        None => {
            let folder = flags.storage_path.join("bucket");
            std::fs::create_dir_all(&folder).map_err(|error| format!("make {}: {error}", folder.display()))?;
            let folder = folder.canonicalize().map_err(|error| format!("find {}: {error}", folder.display()))?;
            format!("file://{}", folder.display())
        }
    };
    let settings = flags.bucket_setting.iter().cloned().collect();
    let config = BucketConfig { settings, ..BucketConfig::new(&url) };
    Bucket::open(config, clock.clone(), rng, registry).map_err(|error| format!("--bucket.url: {error}"))
}

/// Opens the file that names running queries, and says which ones a process before this one did not finish. A querier with
/// nowhere to write goes on without it.
fn active_queries(process: &Process) -> Option<ActiveQueries> {
    if !process.has(Role::Querier) {
        return None;
    }
    let folder = &process.flags.storage_path;
    let path = folder.join("queries.active");
    let opened = std::fs::create_dir_all(folder)
        .and_then(|()| ActiveQueries::open(&path, process.flags.query_max_concurrency, process.clock.clone()));
    match opened {
        Ok((active, unfinished)) => {
            for query in unfinished {
                tracing::warn!(query, "this query was running when the process ended");
            }
            Some(active)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "running queries are not noted");
            None
        }
    }
}

fn serve_http(process: &Process, http: Box<dyn Listener>, parts: Parts, settings: &Settings) -> Result<(), String> {
    let flags = &process.flags;
    let features = features_of(&flags.enable_feature);
    let options = EngineOptions {
        lookback: flags.query_lookback_delta,
        max_samples: flags.query_max_samples,
        timeout: flags.query_timeout,
        subquery_step: settings.current().config.global.evaluation_interval,
        features,
        push_down: flags.query_push_down,
    };
    let engine = Engine::new(options, process.clock.clone(), process.pools.evaluating.clone());
    let config = ApiConfig {
        route_prefix: flags.web_route_prefix.clone(),
        cors_origin: flags.web_cors_origin.clone(),
        max_concurrent_queries: flags.query_max_concurrency,
        query_memory: flags.query_memory_limit,
        lifecycle_is_enabled: flags.web_enable_lifecycle,
        per_step_stats: flags.enables("promql-per-step-stats"),
        search_is_enabled: flags.enables("search-api"),
        search_max_limit: flags.web_search_max_limit,
        max_concurrent_remote_reads: flags.storage_remote_read_concurrent_limit,
        remote_read_sample_limit: flags.storage_remote_read_sample_limit,
        remote_read_frame_bytes: flags.storage_remote_read_max_bytes_in_frame,
        external_labels: settings.current().config.global.external_labels(),
        build: BuildInfo::default(),
    };
    let (clock, working) = (process.clock.clone(), process.pools.evaluating.clone());
    let router = api::router(config, Arc::new(parts), engine, clock, working, &process.registry);
    let router = router.map_err(|error| error.to_string())?;
    let serving = ServeConfig {
        max_connections: flags.web_max_connections,
        stall_timeout: flags.query_timeout,
        ..ServeConfig::default()
    };
    api::serve(connections(http), router, serving, &process.clock, &process.tasks);
    Ok(())
}

/// The connections that a listener takes in.
fn connections(listener: Box<dyn Listener>) -> impl Stream<Item = Io> + Send {
    futures::stream::unfold(listener, |mut listener| async move {
        loop {
            match listener.accept().await {
                Ok(io) => return Some((io, listener)),
                Err(error) => {
                    tracing::warn!(%error, "taking in a connection failed");
                    // Out of file descriptors, most likely: let some be given back.
                    tokio::task::yield_now().await;
                }
            }
        }
    })
}

fn features_of(names: &[String]) -> Features {
    let mut features = Features { parse: ParseOptions::default(), ..Features::default() };
    for name in names {
        match name.as_str() {
            "promql-experimental-functions" => features.parse.experimental_functions = true,
            "promql-extended-range-selectors" => features.parse.extended_range_selectors = true,
            "promql-binop-fill-modifiers" => features.parse.binop_fill_modifiers = true,
            "promql-delayed-name-removal" => features.delayed_name_removal = true,
            "use-start-timestamps" => features.start_timestamps = true,
            "type-and-unit-labels" => features.type_and_unit_labels = true,
            // Others look at these themselves.
            "promql-per-step-stats" | "search-api" | "exemplar-storage" | "st-storage" | "" => {}
            other => tracing::warn!(feature = other, "unknown feature flag"),
        }
    }
    features
}

impl Process {
    pub(crate) fn has(&self, role: Role) -> bool {
        self.flags.has(role)
    }
}
