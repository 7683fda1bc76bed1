//! The targets of one job.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use discovery::{Discovered, TargetGroup};
use http_client::HttpClient;
use model::{Labels, TargetId};
use parking_lot::Mutex;
use stdx::Tasks;
use tokio::sync::{Notify, watch};

use crate::acting::Acting;
use crate::job::Job;
use crate::membership::Standing;
use crate::scrape_loop::{Order, ScrapeLoop, Settings, Shared, Work};
use crate::status::{ActiveTarget, PoolTargets, SharedStatus};
use crate::target::{Populated, Target};

/// What a pool has around it.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) shared: Arc<Shared>,
    pub(crate) standing: watch::Receiver<Standing>,
    /// How many targets this scraper owns, in all pools.
    pub(crate) owned: Arc<AtomicU32>,
    /// How far all pools have come in acting upon the membership.
    pub(crate) acting: Arc<Acting>,
    /// The loops of targets.
    pub(crate) loops: Tasks,
}

/// The targets of one job, and the loops of those that are ours.
pub(crate) struct Pool {
    around: Around,
    state: Mutex<State>,
    /// The job is another one, or is gone, or a loop has ended.
    changed: Notify,
}

struct State {
    job: Arc<Job>,
    client: HttpClient,
    discovered: watch::Receiver<Discovered>,
    /// Whether everything that discovers has said something: as long as it has not, targets may be missing.
    is_complete: bool,
    /// The job, or who discovers, has changed.
    is_stale: bool,
    /// The job is not configured any more.
    is_removed: bool,
    entries: BTreeMap<TargetId, Entry>,
    dropped: Vec<Labels>,
    dropped_count: usize,
    owned: u32,
}

/// A target that is, or was, to be scraped.
struct Entry {
    settings: Arc<Settings>,
    status: SharedStatus,
    /// Whether it is still discovered.
    is_discovered: bool,
    /// Says what to do to the target's loop, if it has one.
    orders: Option<watch::Sender<Order>>,
    /// The version of the membership by which somebody else has owned it since.
    lost: Option<u64>,
}

impl Pool {
    pub(crate) fn start(
        around: Around,
        job: Job,
        client: HttpClient,
        discovered: watch::Receiver<Discovered>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let state = State {
            job: Arc::new(job),
            client,
            discovered,
            is_complete: false,
            is_stale: true,
            is_removed: false,
            entries: BTreeMap::new(),
            dropped: Vec::new(),
            dropped_count: 0,
            owned: 0,
        };
        let pool = Arc::new(Self { around, state: Mutex::new(state), changed: Notify::new() });
        tasks.spawn_until_stopped("scrape-pool", pool.clone().run());
        pool
    }

    /// Whether the pool has these settings already.
    pub(crate) fn has_job(&self, job: &Job) -> bool {
        *self.state.lock().job == *job
    }

    pub(crate) fn job(&self) -> Arc<Job> {
        self.state.lock().job.clone()
    }

    /// Discovery has begun anew.
    pub(crate) fn set_discovered(&self, discovered: watch::Receiver<Discovered>) {
        let mut state = self.state.lock();
        if !state.discovered.same_channel(&discovered) {
            state.discovered = discovered;
            state.is_stale = true;
            self.changed.notify_one();
        }
    }

    /// The job has other settings from now on.
    pub(crate) fn set_job(&self, job: Job, client: HttpClient) {
        let mut state = self.state.lock();
        state.job = Arc::new(job);
        state.client = client;
        state.is_stale = true;
        self.changed.notify_one();
    }

    /// The job is gone: its targets have left discovery.
    pub(crate) fn remove(&self) {
        let mut state = self.state.lock();
        state.is_removed = true;
        state.is_stale = true;
        self.changed.notify_one();
    }

    pub(crate) fn targets(&self) -> PoolTargets {
        let state = self.state.lock();
        let standing = self.around.standing.borrow();
        let entries = state.entries.values().filter(|entry| entry.is_discovered);
        let active = entries.map(|entry| ActiveTarget {
            target: entry.settings.target.clone(),
            is_owned: standing.owns(entry.settings.target.id),
            status: entry.status.lock().clone(),
        });
        PoolTargets {
            scrape_pool: state.job.name.clone(),
            active: active.collect(),
            dropped: state.dropped.clone(),
            dropped_count: state.dropped_count,
        }
    }

    /// Follows discovery and the membership until the job is gone and all its loops have ended.
    async fn run(self: Arc<Self>) {
        let mut standing = self.around.standing.clone();
        loop {
            let mut discovered = {
                let mut state = self.state.lock();
                if state.discovered.has_changed().unwrap_or(false) || std::mem::take(&mut state.is_stale) {
                    let Discovered { groups, is_complete } = state.discovered.borrow_and_update().clone();
                    state.is_complete = is_complete;
                    self.sync(&mut state, &groups);
                }
                let standing = standing.borrow_and_update().clone();
                self.give_orders(&mut state, &standing);
                if state.is_complete && !state.is_removed {
                    self.around.acting.note(&state.job.name, standing.epoch());
                }
                if state.is_removed && state.entries.is_empty() {
                    return;
                }
                state.discovered.clone()
            };
            tokio::select! {
                () = self.changed.notified() => {}
                Ok(()) = standing.changed() => {}
                Ok(()) = discovered.changed() => {}
            }
        }
    }

    /// Compares the targets with what is discovered.
    fn sync(&self, state: &mut State, groups: &[Arc<TargetGroup>]) {
        let groups = if state.is_removed { &[] } else { groups };
        let Found { targets, dropped, dropped_count, failed } = self.find(&state.job, groups);
        state.dropped = dropped;
        state.dropped_count = dropped_count;
        let forced_error = target_limit_error(&state.job, targets.len());
        if forced_error.is_some() {
            self.around.shared.metrics.exceeded_target_limit.inc();
        }
        self.around.shared.metrics.count_sync(&state.job.name, targets.len(), failed);
        for entry in state.entries.values_mut() {
            entry.is_discovered = false;
        }
        for (id, target) in targets {
            let settings = Settings {
                job: state.job.clone(),
                target: Arc::new(target),
                client: state.client.clone(),
                forced_error: forced_error.clone(),
            };
            match state.entries.entry(id) {
                MapEntry::Vacant(place) => {
                    let (settings, status) = (Arc::new(settings), SharedStatus::default());
                    place.insert(Entry { settings, status, is_discovered: true, orders: None, lost: None });
                }
                MapEntry::Occupied(mut place) => {
                    let entry = place.get_mut();
                    entry.is_discovered = true;
                    if !entry.settings.is_same(&settings) {
                        entry.settings = Arc::new(settings);
                    }
                }
            }
        }
    }

    /// The targets that groups make.
    fn find(&self, job: &Job, groups: &[Arc<TargetGroup>]) -> Found {
        let mut found = Found::default();
        for group in groups {
            for (number, labels) in group.targets.iter().enumerate() {
                match Target::populate(&self.around.shared.tenant, job, &group.labels, labels) {
                    Ok(Populated::Target(target)) => {
                        found.targets.insert(target.id, target);
                    }
                    Ok(Populated::Dropped(labels)) => {
                        if job.keep_dropped_targets == 0 || found.dropped.len() < job.keep_dropped_targets {
                            found.dropped.push(labels);
                        }
                        found.dropped_count += 1;
                    }
                    Err(error) => {
                        tracing::error!(job = job.name, group = group.source, number, %error, "creating target failed");
                        found.failed += 1;
                    }
                }
            }
        }
        found
    }

    /// Tells each loop what to do, and starts those that are missing.
    fn give_orders(self: &Arc<Self>, state: &mut State, standing: &Standing) {
        let mut owned = 0;
        state.entries.retain(|id, entry| {
            let work = entry.work(*id, standing);
            owned += u32::from(work == Work::Scrape);
            if entry.orders.as_ref().is_some_and(watch::Sender::is_closed) {
                entry.orders = None;
            }
            let (owner_epoch, is_shared) = (standing.epoch(), standing.has_live_predecessor(*id));
            let order = Order { work, owner_epoch, is_shared, settings: entry.settings.clone() };
            match &entry.orders {
                Some(orders) => give_order(orders, order),
                None if work == Work::Scrape => entry.orders = Some(self.start_loop(order, entry.status.clone())),
                None => {}
            }
            entry.is_discovered || entry.orders.is_some()
        });
        let before = std::mem::replace(&mut state.owned, owned);
        self.around.owned.fetch_add(owned.wrapping_sub(before), Ordering::Relaxed);
        if state.is_removed && state.entries.is_empty() {
            self.around.shared.metrics.forget_job(&state.job.name);
        } else {
            self.around.shared.metrics.set_owned(&state.job.name, owned as usize);
        }
    }

    fn start_loop(self: &Arc<Self>, order: Order, status: SharedStatus) -> watch::Sender<Order> {
        let (sender, orders) = watch::channel(order);
        let scrape_loop = ScrapeLoop::new(self.around.shared.clone(), orders, status);
        let pool = self.clone();
        self.around.loops.spawn("scrape-loop", async move {
            tokio::select! {
                () = scrape_loop.run() => pool.changed.notify_one(),
                () = pool.around.loops.stopped() => {}
            }
        });
        sender
    }
}

impl Entry {
    /// What is to be done with the target now.
    fn work(&mut self, id: TargetId, standing: &Standing) -> Work {
        if !standing.is_member() {
            return Work::Stop;
        }
        if !self.is_discovered {
            return Work::End;
        }
        if standing.owns(id) {
            self.lost = None;
            return Work::Scrape;
        }
        let lost = *self.lost.get_or_insert(standing.epoch());
        if standing.is_settled(lost) { Work::Stop } else { Work::HandOver }
    }
}

/// What groups come to.
#[derive(Default)]
struct Found {
    targets: BTreeMap<TargetId, Target>,
    dropped: Vec<Labels>,
    dropped_count: usize,
    failed: usize,
}

impl Settings {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.job, &other.job) && self.target == other.target && self.forced_error == other.forced_error
    }
}

/// Changes the order of a loop, if it is another one.
fn give_order(orders: &watch::Sender<Order>, next: Order) {
    orders.send_if_modified(|order| {
        // A loop that ends does so by the settings and the right that it had.
        let next = if next.work == Work::Scrape { next } else { Order { work: next.work, ..order.clone() } };
        let is_same = order.is_same(&next);
        *order = next;
        !is_same
    });
}

fn target_limit_error(job: &Job, count: usize) -> Option<Arc<str>> {
    let limit = job.limits.targets;
    let exceeded = limit > 0 && count as u64 > limit;
    exceeded.then(|| format!("target_limit exceeded (number of targets: {count}, limit: {limit})").into())
}
