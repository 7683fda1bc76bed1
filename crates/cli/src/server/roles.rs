//! The roles, each from its part of the flags.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use consensus::{GroupError, LOG_TAIL, Timing};
use discovery::Context;
use distributor::Distributor;
use http_client::HttpClient;
use ingester::{Ingester, IngesterConfig, IngesterEnv, IngesterError};
use meta::{Birth, Client, ClientConfig};
use model::TenantId;
use parking_lot::Mutex;
use querier::{CacheLimits, Querier, QuerierEnv};
use raftlog::{LogMetrics, OpenError, RocksDevice};
use scraper::{Environment, Scraper};
use stdx::{CpuPool, RealDisk};

use super::Process;
use crate::external_url::ExternalUrl;
use crate::flags::{Role, ServerFlags};
use crate::jobs::ScrapeFeatures;
use crate::reload::Scraping;

/// Shards of a cluster, and of a process that is one by itself.
const SHARDS: u32 = 64;
const SHARDS_ALONE: u32 = 4;
/// How often the replicas of a shard compare hashes of their state: takes a walk over all heads.
const DIGEST_EVERY: Duration = Duration::from_secs(300);
/// In what time all files are read once.
const SCRUB_EVERY: Duration = Duration::from_secs(24 * 3600);
/// The address of a process that is reached through memory only.
const ALONE: &str = "self";
/// Pieces of work that block on the disk at a time.
const SAVING: usize = 2;

/// Starts the ingester, if the process has that role. Returns when it belongs to a cluster.
pub(super) async fn ingester(process: &Process) -> Result<Option<Arc<Ingester>>, String> {
    if !process.has(Role::Ingester) {
        return Ok(None);
    }
    let flags = &process.flags;
    let folder = flags.storage_path.join("node");
    let log = open_log(process, &folder).await?;
    let address = if flags.is_alone() { ALONE.to_owned() } else { grpc_address(flags) };
    let config = IngesterConfig {
        address: address.clone(),
        zone: flags.cluster_zone.clone(),
        peers: if flags.is_alone() { vec![ALONE.to_owned()] } else { flags.cluster_peers.clone() },
        expect: flags.cluster_bootstrap_expect.unwrap_or(if flags.is_alone() { 1 } else { 0 }),
        birth: Birth {
            shards: flags.shards.unwrap_or(if flags.is_alone() { SHARDS_ALONE } else { SHARDS }),
            replication: flags.replication,
            block_window_ms: flags.block_window.as_millis() as i64,
        },
        folder: folder.clone(),
        local_retention: flags.storage_local_retention,
        memory_limit_bytes: flags.storage_memory_limit.bytes(),
        snapshot_bytes: flags.storage_snapshot_bytes.bytes(),
        log_tail: LOG_TAIL,
        digest_every: DIGEST_EVERY,
        scrub_every: SCRUB_EVERY,
        max_exemplars: process.max_exemplars.subscribe(),
        replace_after: Some(flags.placement_replace_after).filter(|after| !after.is_zero()),
        move_slots_after: Some(flags.placement_move_slots_after).filter(|after| !after.is_zero()),
        move_bytes_per_second: NonZeroU64::new(flags.placement_move_bytes_per_second.bytes()),
        timing: Timing::default(),
    };
    let env = IngesterEnv {
        nodes: process.nodes.clone(),
        log,
        disk: Arc::new(RealDisk),
        bucket: process.bucket.clone(),
        clock: process.clock.clone(),
        rng: process.rng.fork(),
        registry: process.registry.clone(),
        applying: process.pools.applying.clone(),
        reading: process.pools.reading.clone(),
        saving: CpuPool::new(SAVING),
        tasks: process.tasks.child(),
    };
    let listen = if flags.is_alone() { address } else { flags.grpc_listen_address.to_string() };
    let listener = process.nodes.net().listen(&listen).await.map_err(|error| format!("listen on {listen}: {error}"))?;
    match Ingester::start(config, env, listener).await {
        Ok(ingester) => Ok(Some(Arc::new(ingester))),
        Err(IngesterError::Group(GroupError::Damaged(group, what))) => {
            let lost = format!("the snapshot of group {group} is damaged: {what}");
            let aside = end_identity(process, &folder, &lost)?;
            Err(format!("{lost}. Its data were moved to {}: started again, it joins as a new node", aside.display()))
        }
        Err(error) => Err(chain(&error)),
    }
}

/// Opens the Raft log. One that is damaged below what was synced ends the node's identity: its data are set aside, and the
/// node joins the cluster as a new one, if there is a cluster besides.
async fn open_log(process: &Process, folder: &Path) -> Result<Arc<RocksDevice>, String> {
    let metrics = LogMetrics::new(&process.registry);
    match open_device(process, folder, &metrics).await {
        Err(OpenError::Lost(lost)) => {
            let aside = end_identity(process, folder, &lost.to_string())?;
            tracing::error!(%lost, aside = %aside.display(), "the node's identity has ended; it joins as a new one");
            open_device(process, folder, &metrics).await.map(Arc::new).map_err(|error| chain(&error))
        }
        opened => opened.map(Arc::new).map_err(|error| chain(&error)),
    }
}

/// Sets the data of a node aside that can't be what it was any more; returns where they are.
fn end_identity(process: &Process, folder: &Path, lost: &str) -> Result<PathBuf, String> {
    let others = process.flags.cluster_peers.iter().filter(|peer| **peer != grpc_address(&process.flags)).count();
    if others == 0 {
        return Err(format!("{lost}. Nobody else has these data: restore {} from a copy", folder.display()));
    }
    let aside = folder.with_file_name(format!("node-lost-{}", process.clock.wall_ms()));
    std::fs::rename(folder, &aside).map_err(|error| format!("set {} aside: {error}", folder.display()))?;
    Ok(aside)
}

async fn open_device(process: &Process, folder: &Path, metrics: &LogMetrics) -> Result<RocksDevice, OpenError> {
    let (folder, durability, metrics) = (folder.join("raft"), process.flags.durability, metrics.clone());
    process.pools.applying.run(move || RocksDevice::open(&folder, durability, metrics)).await
}

/// Follows meta: through the process's own ingester, or through the peers.
pub(super) fn client(process: &Process, ingester: Option<&Ingester>) -> Result<Client, String> {
    if let Some(ingester) = ingester {
        return Ok(ingester.client().clone());
    }
    if process.flags.cluster_peers.is_empty() {
        return Err(
            "--cluster.peers is missing: without the role ingester, a process must know where ingesters are".to_owned()
        );
    }
    let config = ClientConfig {
        seeds: process.flags.cluster_peers.clone(),
        catalog: process.has(Role::Querier),
        nodes: process.nodes.clone(),
        clock: process.clock.clone(),
        rng: process.rng.fork(),
    };
    Ok(Client::start(config, &process.tasks))
}

/// The querier, if the process has that role.
pub(super) fn querier(process: &Process, client: &Client) -> Option<Querier> {
    let page_bytes = process.flags.query_cache_bytes.bytes();
    process.has(Role::Querier).then(|| {
        Querier::new(QuerierEnv {
            client: client.clone(),
            nodes: process.nodes.clone(),
            bucket: process.bucket.clone(),
            cache: CacheLimits { page_bytes, index_bytes: page_bytes as usize / 2 },
            clock: process.clock.clone(),
            rng: process.rng.fork(),
            registry: process.registry.clone(),
        })
    })
}

/// The scraper and what it ships through, if the process has that role.
pub(super) fn scraper(process: &Process, client: &Client) -> Result<Option<(Scraping, Arc<Distributor>)>, String> {
    if !process.has(Role::Scraper) {
        return Ok(None);
    }
    let (flags, clock, registry, tasks) = (&process.flags, &process.clock, &process.registry, &process.tasks);
    let config = distributor::Config { buffer: flags.scrape_buffer, ..Default::default() };
    let routes = Arc::new(client.clone());
    let distributor =
        Distributor::new(config, process.nodes.clone(), routes, clock.clone(), process.rng.fork(), registry, tasks);
    let distributor = Arc::new(distributor);
    let config = scraper::Config {
        name: scraper_name(flags),
        incarnation: process.rng.u64(),
        address: http_address(flags),
        tenant: TenantId::default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        journal: flags.scrape_journal.clone(),
    };
    let environment = Environment {
        cluster: Arc::new(client.clone()),
        sink: distributor.clone(),
        make_client: Arc::new(HttpClient::new),
        clock: clock.clone(),
        rng: process.rng.fork(),
        cpu: process.pools.scraping.clone(),
        registry: registry.clone(),
        tasks: tasks.clone(),
    };
    let scraper = Scraper::new(config, environment).map_err(|error| format!("--scrape.journal: {error}"))?;
    let metrics = discovery::Metrics::register(registry);
    let context = Context { clock: clock.clone(), tasks: tasks.clone(), metrics, transport: None };
    let scraping = Scraping {
        features: ScrapeFeatures {
            start_timestamps: flags.enables("st-storage"),
            type_and_unit_labels: flags.enables("type-and-unit-labels"),
        },
        scraper: Arc::new(scraper),
        context,
        discoverers: Mutex::default(),
    };
    Ok(Some((scraping, distributor)))
}

/// Where other processes reach the gRPC server.
fn grpc_address(flags: &ServerFlags) -> String {
    flags.cluster_advertise_address.clone().unwrap_or_else(|| reachable(flags.grpc_listen_address))
}

/// Where other processes reach the HTTP server.
fn http_address(flags: &ServerFlags) -> String {
    flags.web_advertise_address.clone().unwrap_or_else(|| reachable(flags.web_listen_address))
}

/// The URL under which people reach this process.
pub(super) fn external_url(flags: &ServerFlags) -> Result<ExternalUrl, String> {
    let port = flags.web_listen_address.port();
    let url = flags.web_external_url.clone().unwrap_or_else(|| format!("http://{}:{port}/", hostname()));
    ExternalUrl::new(&url, port).map_err(|error| format!("--web.external-url: {error}"))
}

pub(super) fn scraper_name(flags: &ServerFlags) -> String {
    flags.scrape_name.clone().unwrap_or_else(|| http_address(flags))
}

/// An address that others can use: one that means every interface says the machine's name instead.
fn reachable(listen: std::net::SocketAddr) -> String {
    if !listen.ip().is_unspecified() {
        return listen.to_string();
    }
    format!("{}:{}", hostname(), listen.port())
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
