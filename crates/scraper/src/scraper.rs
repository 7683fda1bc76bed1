//! The door of the crate.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use discovery::Discovered;
use http::HeaderValue;
use http_client::{HttpClient, HttpClientConfig, HttpError};
use model::TenantId;
use parking_lot::Mutex;
use stdx::{Clock, CpuPool, Rng, Tasks};
use telemetry::Registry;
use tokio::sync::watch;

use crate::acting::Acting;
use crate::job::Job;
use crate::journal::Journal;
use crate::membership::{Cluster, Member, Membership, Standing};
use crate::metrics::Metrics;
use crate::pool::{Around, Pool};
use crate::scrape_loop::Shared;
use crate::shipment::Sink;
use crate::status::PoolTargets;

/// Who a scraper is.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name, the same after a restart. Decides which targets it owns.
    pub name: String,
    /// A number that no other process of that name had.
    pub incarnation: u64,
    /// Where its HTTP server is, for operators.
    pub address: String,
    /// Whose the samples are.
    pub tenant: TenantId,
    /// The version that targets are told.
    pub version: String,
    /// Where to list what was acknowledged, for tests of whole clusters.
    pub journal: Option<PathBuf>,
}

/// Makes the client of a job.
pub type MakeClient = Arc<dyn Fn(HttpClientConfig, Clock) -> Result<HttpClient, HttpError> + Send + Sync>;

/// What a scraper has around it.
#[derive(Clone)]
pub struct Environment {
    /// The other scrapers.
    pub cluster: Arc<dyn Cluster>,
    /// Where records go.
    pub sink: Arc<dyn Sink>,
    /// How to talk to targets: [`HttpClient::new`], but for tests.
    pub make_client: MakeClient,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub rng: Rng,
    /// Where pages are read.
    pub cpu: CpuPool,
    /// Where metrics go.
    pub registry: Registry,
    /// The tasks of this process.
    pub tasks: Tasks,
}

/// Scrapes the targets that it owns. Everything about a target's past stays with it when the configuration is loaded anew.
pub struct Scraper {
    shared: Arc<Shared>,
    make_client: MakeClient,
    standing: watch::Receiver<Standing>,
    owned: Arc<AtomicU32>,
    acting: Arc<Acting>,
    pools: Mutex<BTreeMap<String, Arc<Pool>>>,
    /// Those of pools.
    tasks: Tasks,
    loops: Tasks,
    membership: Tasks,
}

impl Scraper {
    /// A scraper without jobs, which takes its place among the others at once.
    ///
    /// # Errors
    /// If the journal cannot be opened.
    pub fn new(config: Config, environment: Environment) -> io::Result<Self> {
        let Environment { cluster, sink, make_client, clock, rng, cpu, registry, tasks } = environment;
        let metrics = Metrics::register(&registry);
        let (owned, acting) = (Arc::new(AtomicU32::new(0)), Arc::new(Acting::default()));
        let Config { name, incarnation, address, tenant, version, journal } = config;
        let member = Member { name, incarnation, address };
        let (membership, standing) =
            Membership::new(cluster, member, clock.clone(), metrics.clone(), owned.clone(), acting.clone());
        let user_agent = HeaderValue::try_from(format!("Ringwood/{version}"));
        let shared = Shared {
            tenant,
            user_agent: user_agent.unwrap_or(HeaderValue::from_static("Ringwood")),
            sink,
            clock,
            cpu,
            metrics,
            journal: journal.as_deref().map(Journal::open).transpose()?,
            tools: Mutex::default(),
            seed: rng.u64(),
        };
        let scraper = Self {
            shared: Arc::new(shared),
            make_client,
            standing,
            owned,
            acting,
            pools: Mutex::default(),
            tasks: tasks.child(),
            loops: tasks.child(),
            membership: tasks.child(),
        };
        let (stop, loops) = (scraper.membership.clone(), scraper.loops.clone());
        scraper.membership.spawn("scraper-membership", membership.run(async move { stop.stopped().await }, loops));
        Ok(scraper)
    }

    /// Scrapes these jobs from now on, and no others. Targets that were there before keep their state.
    ///
    /// # Errors
    /// The jobs for which no client can be made. They keep the settings that they had, if they had any; all others count.
    pub fn apply(&self, jobs: Vec<(Job, watch::Receiver<Discovered>)>) -> Result<(), Vec<(String, HttpError)>> {
        let mut pools = self.pools.lock();
        let mut before = std::mem::take(&mut *pools);
        let mut failed = Vec::new();
        self.acting.set_jobs(jobs.iter().map(|(job, _)| &job.name));
        for (job, discovered) in jobs {
            let name = job.name.clone();
            let pool = before.remove(&name);
            if let Some(pool) = &pool
                && pool.has_job(&job)
            {
                pool.set_discovered(discovered);
                pools.insert(name, pool.clone());
                continue;
            }
            let client = match (self.make_client)(job.http.clone(), self.shared.clock.clone()) {
                Ok(client) => client,
                Err(error) => {
                    match pool {
                        Some(pool) => drop(pools.insert(name.clone(), pool)),
                        None => self.acting.forget_job(&name),
                    }
                    failed.push((name, error));
                    continue;
                }
            };
            let pool = match pool {
                Some(pool) => {
                    pool.set_discovered(discovered);
                    pool.set_job(job, client);
                    pool
                }
                None => self.start_pool(job, client, discovered),
            };
            pools.insert(name, pool);
        }
        before.into_values().for_each(|pool| pool.remove());
        self.shared.metrics.pools.set(pools.len() as i64);
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    fn start_pool(&self, job: Job, client: HttpClient, discovered: watch::Receiver<Discovered>) -> Arc<Pool> {
        let around = Around {
            shared: self.shared.clone(),
            standing: self.standing.clone(),
            owned: self.owned.clone(),
            acting: self.acting.clone(),
            loops: self.loops.clone(),
        };
        Pool::start(around, job, client, discovered, &self.tasks)
    }

    /// The targets of all jobs, by job.
    pub fn targets(&self) -> Vec<PoolTargets> {
        self.pools.lock().values().map(|pool| pool.targets()).collect()
    }

    /// The settings of a job.
    pub fn job(&self, name: &str) -> Option<Arc<Job>> {
        self.pools.lock().get(name).map(|pool| pool.job())
    }

    /// Hands all targets over to the other scrapers: goes on until they scrape them and what was sent from here is answered, but
    /// for no longer than `limit`.
    ///
    /// No series is ended by that. The distributor is drained afterwards.
    pub async fn drain(&self, limit: Duration) {
        self.membership.stop();
        if self.shared.clock.timeout(limit, self.membership.wait()).await.is_none() {
            tracing::warn!(?limit, "some targets were not taken over, or scrapes not answered, before the end");
        }
        for tasks in [&self.loops, &self.membership, &self.tasks] {
            tasks.stop();
            tasks.wait().await;
        }
    }
}
