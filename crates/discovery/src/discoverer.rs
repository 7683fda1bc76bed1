//! The mechanisms of one scrape pool.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http_client::{HttpClient, HttpClientConfig, HttpError, Transport};
use stdx::{Clock, Tasks};
use tokio::sync::watch;

use crate::config::MechanismConfig;
use crate::group::TargetGroup;
use crate::metrics::{Metrics, pool_labels};
use crate::updates::{Board, MechanismId, Updates};

/// How long after a change we wait for others: at the start, and after a reload, they come at once.
const SETTLE_TIME: Duration = Duration::from_millis(100);
/// How much time lies between two lists at least, as in Prometheus: pools need not follow every step of a roll-out.
const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// All groups of a scrape pool, in a stable order.
pub type Groups = Arc<[Arc<TargetGroup>]>;

/// What the mechanisms of a scrape pool know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered {
    /// What they have found.
    pub groups: Groups,
    /// Whether each of them has said something by now, if only that there is nothing. As long as one has not, targets may be
    /// missing that others know of.
    pub is_complete: bool,
}

/// Something that finds targets.
pub trait Mechanism: Send {
    /// Finds targets until it is dropped, or there can be no others.
    fn run(self: Box<Self>, updates: Updates) -> BoxFuture<'static, ()>;
}

/// Targets that are given are a mechanism that soon ends.
impl Mechanism for Vec<TargetGroup> {
    fn run(self: Box<Self>, updates: Updates) -> BoxFuture<'static, ()> {
        async move { updates.send(*self) }.boxed()
    }
}

/// What discoverers need of the node they run in.
#[derive(Clone)]
pub struct Context {
    /// The node's time.
    pub clock: Clock,
    /// Whose tasks mechanisms are.
    pub tasks: Tasks,
    /// What is counted.
    pub metrics: Metrics,
    /// What carries requests; `None` for the network.
    pub transport: Option<Arc<dyn Transport>>,
}

impl Context {
    pub(crate) fn client(&self, config: &HttpClientConfig) -> Result<HttpClient, HttpError> {
        match &self.transport {
            Some(transport) => Ok(HttpClient::with_transport(config.clone(), self.clock.clone(), transport.clone())),
            None => HttpClient::new(config.clone(), self.clock.clone()),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// Runs the mechanisms of one scrape pool and gives the pool what they find.
///
/// Dropping it stops everything; [`Discoverer::stop`] also waits for it.
#[derive(Debug)]
pub struct Discoverer {
    pool: String,
    context: Context,
    /// The task that passes lists on.
    tasks: Tasks,
    board: Arc<Board>,
    running: Vec<Running>,
    next_id: u64,
    discovered: watch::Receiver<Discovered>,
}

/// A mechanism that runs, and with which settings.
#[derive(Debug)]
struct Running {
    id: MechanismId,
    config: MechanismConfig,
    tasks: Tasks,
}

impl Discoverer {
    /// Starts the mechanisms of a pool. One that cannot work is logged and counted; the others run.
    pub fn start(pool: &str, configs: Vec<MechanismConfig>, context: Context) -> Self {
        let board = Arc::new(Board::default());
        let tasks = context.tasks.child();
        let (sender, discovered) = watch::channel(Discovered::default());
        let publisher = Publisher {
            pool: pool.to_owned(),
            board: board.clone(),
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
            sender,
        };
        tasks.spawn_until_stopped("discoverer", publisher.run());
        let pool = pool.to_owned();
        let mut discoverer = Self { pool, context, tasks, board, running: Vec::new(), next_id: 0, discovered };
        discoverer.reload(configs);
        discoverer
    }

    /// All groups, and all again soon after anything changed. Empty at first.
    pub fn discovered(&self) -> watch::Receiver<Discovered> {
        self.discovered.clone()
    }

    /// Runs these mechanisms from now on. Those that run already with the same settings go on undisturbed; what the others
    /// had found is gone.
    pub fn reload(&mut self, configs: Vec<MechanismConfig>) {
        let mut before = std::mem::take(&mut self.running);
        let mut failed_count = 0;
        let mut fresh = Vec::new();
        for config in configs {
            if let Some(at) = before.iter().position(|running| running.config == config) {
                self.running.push(before.swap_remove(at));
                continue;
            }
            match config.build(&self.context) {
                Ok(mechanism) => {
                    let id = MechanismId(self.next_id);
                    self.next_id += 1;
                    fresh.push((id, mechanism));
                    self.running.push(Running { id, config, tasks: self.context.tasks.child() });
                }
                Err(error) => {
                    failed_count += 1;
                    tracing::error!(
                        pool = self.pool,
                        mechanism = config.name(),
                        error,
                        "cannot create service discovery"
                    );
                }
            }
        }
        before.iter().for_each(|running| running.tasks.stop());
        self.context.metrics.failed_configs.get_or_create(&pool_labels(&self.pool)).set(failed_count);
        let ids: Vec<_> = self.running.iter().map(|running| running.id).collect();
        self.board.set_mechanisms(&ids);
        // Only now, since what mechanisms say counts once they are known.
        for (id, mechanism) in fresh {
            let Some(running) = self.running.iter().find(|running| running.id == id) else { continue };
            let updates = Updates::new(self.board.clone(), id, self.context.metrics.received_updates.clone());
            running.tasks.spawn_until_stopped(running.config.name(), mechanism.run(updates));
        }
    }

    /// Stops everything and waits until it has.
    pub async fn stop(mut self) {
        self.stop_now();
        self.tasks.wait().await;
        for running in std::mem::take(&mut self.running) {
            running.tasks.wait().await;
        }
    }

    fn stop_now(&self) {
        self.tasks.stop();
        self.running.iter().for_each(|running| running.tasks.stop());
        self.context.metrics.discovered_targets.remove(&pool_labels(&self.pool));
        self.context.metrics.failed_configs.remove(&pool_labels(&self.pool));
    }
}

impl Drop for Discoverer {
    fn drop(&mut self) {
        self.stop_now();
    }
}

/// Passes lists on, not too often.
struct Publisher {
    pool: String,
    board: Arc<Board>,
    clock: Clock,
    metrics: Metrics,
    sender: watch::Sender<Discovered>,
}

impl Publisher {
    async fn run(self) {
        loop {
            self.board.changed.notified().await;
            self.clock.sleep(SETTLE_TIME).await;
            let discovered = self.board.discovered();
            let target_count = discovered.groups.iter().map(|group| group.targets.len() as i64).sum();
            self.metrics.discovered_targets.get_or_create(&pool_labels(&self.pool)).set(target_count);
            // What changed and changed back while we waited is no news.
            if discovered == *self.sender.borrow() {
                continue;
            }
            self.metrics.updates.inc();
            self.sender.send_replace(discovered);
            self.clock.sleep(MIN_INTERVAL - SETTLE_TIME).await;
        }
    }
}
