//! What can be said on the command line, or in the environment.

mod ctl;
mod tool;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use raftlog::Durability;
use stdx::ByteSize;

pub(crate) use ctl::{BucketPlace, BucketSettings, CatalogCommand, Ctl, CtlCommand, Place, RecoverCommand};
pub(crate) use tool::{Output, Promqltest, Server, Span, Tool, ToolCommand};

/// A horizontally sharded metrics cluster that speaks Prometheus. Without a command, it serves.
#[derive(Debug, Parser)]
#[command(name = "ringwood", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

/// What it does instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says everything that is wrong with a configuration file.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Looks after a cluster.
    Ctl(Ctl),
    /// Tools for queries and test scripts.
    Tool(Tool),
}

/// Flags of a server. Every one can be given in the environment too: `--storage.path` as `RINGWOOD_STORAGE_PATH`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerFlags {
    /// Prometheus configuration file. Without one, the process scrapes itself, and a node_exporter at localhost:9100 if
    /// there is one.
    #[arg(long = "config.file", env = "RINGWOOD_CONFIG_FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// Address to listen on for the HTTP API, the page and metrics.
    #[arg(long = "web.listen-address", env = "RINGWOOD_WEB_LISTEN_ADDRESS", default_value = "0.0.0.0:9090")]
    pub(crate) web_listen_address: SocketAddr,
    /// URL under which others reach this process, for links. Default: `http://`, the machine's name and the port.
    #[arg(long = "web.external-url", env = "RINGWOOD_WEB_EXTERNAL_URL")]
    pub(crate) web_external_url: Option<String>,
    /// What all HTTP paths begin with.
    #[arg(long = "web.route-prefix", env = "RINGWOOD_WEB_ROUTE_PREFIX", default_value = "")]
    pub(crate) web_route_prefix: String,
    /// Regular expression for the origins that browsers may ask from.
    #[arg(long = "web.cors.origin", env = "RINGWOOD_WEB_CORS_ORIGIN", default_value = ".*")]
    pub(crate) web_cors_origin: String,
    /// Whether `POST /-/reload` loads the configuration again. SIGHUP always does.
    #[arg(
        long = "web.enable-lifecycle",
        env = "RINGWOOD_WEB_ENABLE_LIFECYCLE",
        default_value_t = true,
        num_args = 0..=1,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub(crate) web_enable_lifecycle: bool,
    /// Maximum number of connections.
    #[arg(long = "web.max-connections", env = "RINGWOOD_WEB_MAX_CONNECTIONS", default_value_t = 512)]
    pub(crate) web_max_connections: usize,
    /// The highest limit that a search may ask for (`--enable-feature=search-api`). 0: any.
    #[arg(long = "web.search.max-limit", env = "RINGWOOD_WEB_SEARCH_MAX_LIMIT", default_value_t = 10_000)]
    pub(crate) web_search_max_limit: usize,
    /// Where everything lies that must survive a restart.
    #[arg(
        long = "storage.path",
        visible_alias = "storage.tsdb.path",
        env = "RINGWOOD_STORAGE_PATH",
        default_value = "data"
    )]
    pub(crate) storage_path: PathBuf,
    /// How long data stay on local disks after they are in the bucket.
    #[arg(long = "storage.local-retention", env = "RINGWOOD_STORAGE_LOCAL_RETENTION", default_value = "6h", value_parser = duration)]
    pub(crate) storage_local_retention: Duration,
    /// How much memory the recent data of this process may take before new series are refused.
    #[arg(long = "storage.memory-limit", env = "RINGWOOD_STORAGE_MEMORY_LIMIT", default_value = "8GiB")]
    pub(crate) storage_memory_limit: ByteSize,
    /// Shards are saved, and their logs cut, so often that all shards of this process have about so many bytes of entries to
    /// replay when it starts again; meta is after 4 MiB at most.
    #[arg(long = "storage.snapshot-bytes", env = "RINGWOOD_STORAGE_SNAPSHOT_BYTES", default_value = "128MiB")]
    pub(crate) storage_snapshot_bytes: ByteSize,
    /// When a write counts: fsync (it survives a loss of power) or memory (it survives the death of the process).
    #[arg(long = "durability", env = "RINGWOOD_DURABILITY", default_value = "fsync")]
    pub(crate) durability: Durability,
    /// debug, info, warn or error.
    #[arg(long = "log.level", env = "RINGWOOD_LOG_LEVEL", default_value = "info")]
    pub(crate) log_level: String,
    /// logfmt or json.
    #[arg(long = "log.format", env = "RINGWOOD_LOG_FORMAT", default_value = "logfmt")]
    pub(crate) log_format: String,
    /// Maximum time a query may take.
    #[arg(long = "query.timeout", env = "RINGWOOD_QUERY_TIMEOUT", default_value = "2m", value_parser = duration)]
    pub(crate) query_timeout: Duration,
    /// Maximum number of queries executed at once.
    #[arg(long = "query.max-concurrency", env = "RINGWOOD_QUERY_MAX_CONCURRENCY", default_value_t = 20)]
    pub(crate) query_max_concurrency: usize,
    /// Maximum number of samples a query may hold in memory.
    #[arg(long = "query.max-samples", env = "RINGWOOD_QUERY_MAX_SAMPLES", default_value_t = 50_000_000)]
    pub(crate) query_max_samples: u64,
    /// Let ingesters aggregate the series that they hold, where the answer is the same.
    #[arg(
        long = "query.push-down",
        env = "RINGWOOD_QUERY_PUSH_DOWN",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub(crate) query_push_down: bool,
    /// Maximum number of remote reads answered at once.
    #[arg(
        long = "storage.remote.read-concurrent-limit",
        env = "RINGWOOD_STORAGE_REMOTE_READ_CONCURRENT_LIMIT",
        default_value_t = 10
    )]
    pub(crate) storage_remote_read_concurrent_limit: usize,
    /// Maximum number of samples that one query of a remote read may have, unless they are streamed; 0 means no limit.
    #[arg(
        long = "storage.remote.read-sample-limit",
        env = "RINGWOOD_STORAGE_REMOTE_READ_SAMPLE_LIMIT",
        default_value_t = 50_000_000
    )]
    pub(crate) storage_remote_read_sample_limit: u64,
    /// Maximum number of bytes in a frame of a streamed remote read, one chunk not counted.
    #[arg(
        long = "storage.remote.read-max-bytes-in-frame",
        env = "RINGWOOD_STORAGE_REMOTE_READ_MAX_BYTES_IN_FRAME",
        default_value_t = 1 << 20
    )]
    pub(crate) storage_remote_read_max_bytes_in_frame: usize,
    /// Memory that one query may take.
    #[arg(long = "query.memory-limit", env = "RINGWOOD_QUERY_MEMORY_LIMIT", default_value = "512MiB")]
    pub(crate) query_memory_limit: ByteSize,
    /// How old a sample may be to count at a moment.
    #[arg(long = "query.lookback-delta", env = "RINGWOOD_QUERY_LOOKBACK_DELTA", default_value = "5m", value_parser = duration)]
    pub(crate) query_lookback_delta: Duration,
    /// Memory for pages of blocks that were read (none are kept of a bucket that is a folder: the operating system does that), and
    /// half as much for their indexes.
    #[arg(long = "query.cache-bytes", env = "RINGWOOD_QUERY_CACHE_BYTES", default_value = "256MiB")]
    pub(crate) query_cache_bytes: ByteSize,
    /// Prometheus' feature flags, separated by commas: those for queries, exemplar-storage (for ingesters) and st-storage (for
    /// scrapers).
    #[arg(long = "enable-feature", env = "RINGWOOD_ENABLE_FEATURE", value_delimiter = ',')]
    pub(crate) enable_feature: Vec<String>,
    /// scraper, ingester, querier, or all; several are separated by commas.
    #[arg(long = "role", env = "RINGWOOD_ROLE", default_value = "all", value_delimiter = ',')]
    pub(crate) role: Vec<Role>,
    /// gRPC addresses of ingesters by which the cluster is found, separated by commas.
    #[arg(long = "cluster.peers", env = "RINGWOOD_CLUSTER_PEERS", value_delimiter = ',')]
    pub(crate) cluster_peers: Vec<String>,
    /// How many fresh ingesters form a new cluster together, once. 0: join one that exists.
    #[arg(long = "cluster.bootstrap-expect", env = "RINGWOOD_CLUSTER_BOOTSTRAP_EXPECT")]
    pub(crate) cluster_bootstrap_expect: Option<u32>,
    /// What fails together with this process: replicas of a shard are spread over zones.
    #[arg(long = "cluster.zone", env = "RINGWOOD_CLUSTER_ZONE", default_value = "")]
    pub(crate) cluster_zone: String,
    /// gRPC address under which others reach this process, if not that of `--grpc.listen-address`.
    #[arg(long = "cluster.advertise-address", env = "RINGWOOD_CLUSTER_ADVERTISE_ADDRESS")]
    pub(crate) cluster_advertise_address: Option<String>,
    /// HTTP address under which others reach this process, if not that of `--web.listen-address`.
    #[arg(long = "web.advertise-address", env = "RINGWOOD_WEB_ADVERTISE_ADDRESS")]
    pub(crate) web_advertise_address: Option<String>,
    /// The scraper's name, the same after a restart. By default the HTTP address.
    #[arg(long = "scrape.name", env = "RINGWOOD_SCRAPE_NAME")]
    pub(crate) scrape_name: Option<String>,
    /// File to which each acknowledged scrape is written, for tests.
    #[arg(long = "scrape.journal", env = "RINGWOOD_SCRAPE_JOURNAL", hide = true)]
    pub(crate) scrape_journal: Option<PathBuf>,
    /// Memory for scrapes that can't be delivered yet.
    #[arg(long = "scrape.buffer", env = "RINGWOOD_SCRAPE_BUFFER", default_value = "256MiB")]
    pub(crate) scrape_buffer: ByteSize,
    /// Address to listen on for the other processes of the cluster.
    #[arg(long = "grpc.listen-address", env = "RINGWOOD_GRPC_LISTEN_ADDRESS", default_value = "0.0.0.0:9095")]
    pub(crate) grpc_listen_address: SocketAddr,
    /// Object storage for blocks: file:///folder, s3://bucket/prefix, gs://…, az://…. By default the folder `bucket` in
    /// `--storage.path`.
    #[arg(long = "bucket.url", env = "RINGWOOD_BUCKET_URL")]
    pub(crate) bucket_url: Option<String>,
    /// A setting of the store, such as aws_endpoint=http://localhost:9000. What is not set comes from the usual variables
    /// AWS_…, GOOGLE_… and AZURE_….
    #[arg(long = "bucket.setting", env = "RINGWOOD_BUCKET_SETTING", value_delimiter = ',', value_parser = setting)]
    pub(crate) bucket_setting: Vec<(String, String)>,
    /// How many shards a new cluster has, for good. By default 64, or 4 if the process is a cluster by itself.
    #[arg(long = "shards", env = "RINGWOOD_SHARDS")]
    pub(crate) shards: Option<u32>,
    /// How many replicas each shard of a new cluster has, as far as there are nodes.
    #[arg(long = "replication", env = "RINGWOOD_REPLICATION", default_value_t = 3)]
    pub(crate) replication: u32,
    /// How much time a block of a new cluster spans.
    #[arg(long = "block.window", env = "RINGWOOD_BLOCK_WINDOW", default_value = "2h", value_parser = duration)]
    pub(crate) block_window: Duration,
    /// An ingester that was silent for so long is replaced, if others can take its place. 0: never.
    #[arg(long = "placement.replace-after", env = "RINGWOOD_PLACEMENT_REPLACE_AFTER", default_value = "10m", value_parser = duration)]
    pub(crate) placement_replace_after: Duration,
    /// A shard that takes in far more than the others for so long gives a slot to the one that takes in least. 0: slots are moved
    /// by `ctl move-slot` alone. All nodes must be of a version that knows of slots that move.
    #[arg(long = "placement.move-slots-after", env = "RINGWOOD_PLACEMENT_MOVE_SLOTS_AFTER", default_value = "0s", value_parser = duration)]
    pub(crate) placement_move_slots_after: Duration,
    /// How many bytes per second an ingester takes in of shards that it gets copies of. 0: as many as it can.
    #[arg(
        long = "placement.move-bytes-per-second",
        env = "RINGWOOD_PLACEMENT_MOVE_BYTES_PER_SECOND",
        default_value = "50MB"
    )]
    pub(crate) placement_move_bytes_per_second: ByteSize,
    /// How long a process may take to hand over and end after SIGTERM.
    #[arg(long = "shutdown.deadline", env = "RINGWOOD_SHUTDOWN_DEADLINE", default_value = "30s", value_parser = duration)]
    pub(crate) shutdown_deadline: Duration,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Everything.
    All,
    /// Scrapes its share of the targets.
    Scraper,
    /// Holds shards.
    Ingester,
    /// Answers queries.
    Querier,
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = model::parse_duration(text).map_err(|error| error.to_string())?;
    u64::try_from(ms).map(Duration::from_millis).map_err(|_| format!("{text} is negative"))
}

/// A duration as Prometheus writes it.
pub(crate) fn span(duration: Duration) -> String {
    model::format_duration(duration.as_millis() as i64)
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl ServerFlags {
    /// Whether the process has a role.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.role.iter().any(|own| *own == role || *own == Role::All)
    }

    /// Whether a feature flag of Prometheus is set.
    pub(crate) fn enables(&self, feature: &str) -> bool {
        self.enable_feature.iter().any(|enabled| enabled == feature)
    }

    /// Whether the process is a cluster by itself: then its parts talk through memory.
    pub(crate) fn is_alone(&self) -> bool {
        self.cluster_peers.is_empty()
            && [Role::Scraper, Role::Ingester, Role::Querier].iter().all(|role| self.has(*role))
    }

    /// The flags by name, as `/api/v1/status/flags` shows them.
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map_or_else(String::new, |path| path.display().to_string());
        [
            ("config.file", path(&self.config_file)),
            ("web.listen-address", self.web_listen_address.to_string()),
            ("web.external-url", self.web_external_url.clone().unwrap_or_default()),
            ("web.route-prefix", self.web_route_prefix.clone()),
            ("web.cors.origin", self.web_cors_origin.clone()),
            ("web.enable-lifecycle", self.web_enable_lifecycle.to_string()),
            ("web.max-connections", self.web_max_connections.to_string()),
            ("web.search.max-limit", self.web_search_max_limit.to_string()),
            ("storage.path", self.storage_path.display().to_string()),
            ("storage.local-retention", span(self.storage_local_retention)),
            ("storage.memory-limit", self.storage_memory_limit.to_string()),
            ("storage.snapshot-bytes", self.storage_snapshot_bytes.to_string()),
            ("durability", format!("{:?}", self.durability).to_lowercase()),
            ("log.level", self.log_level.clone()),
            ("log.format", self.log_format.clone()),
            ("query.timeout", span(self.query_timeout)),
            ("query.max-concurrency", self.query_max_concurrency.to_string()),
            ("query.max-samples", self.query_max_samples.to_string()),
            ("query.push-down", self.query_push_down.to_string()),
            ("storage.remote.read-concurrent-limit", self.storage_remote_read_concurrent_limit.to_string()),
            ("storage.remote.read-sample-limit", self.storage_remote_read_sample_limit.to_string()),
            ("storage.remote.read-max-bytes-in-frame", self.storage_remote_read_max_bytes_in_frame.to_string()),
            ("query.memory-limit", self.query_memory_limit.to_string()),
            ("query.lookback-delta", span(self.query_lookback_delta)),
            ("query.cache-bytes", self.query_cache_bytes.to_string()),
            ("enable-feature", self.enable_feature.join(",")),
            ("role", self.role.iter().map(|role| format!("{role:?}").to_lowercase()).collect::<Vec<_>>().join(",")),
            ("cluster.peers", self.cluster_peers.join(",")),
            ("cluster.bootstrap-expect", self.cluster_bootstrap_expect.unwrap_or(0).to_string()),
            ("cluster.zone", self.cluster_zone.clone()),
            ("grpc.listen-address", self.grpc_listen_address.to_string()),
            ("bucket.url", self.bucket_url.clone().unwrap_or_default()),
            ("replication", self.replication.to_string()),
            ("block.window", span(self.block_window)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
