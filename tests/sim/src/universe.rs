//! A cluster that lives through a plan, with clients that check everything they are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{join, join_all};
use meta::Birth;
use model::{Matcher, NodeId, Slot, TimeRange, Timestamp};
use parking_lot::Mutex;
use proto::entry::{Outcome, Record};
use series::Consistency;
use stdx::{Clock, Rng, Tasks};
use tokio::runtime::{Builder, RngSeed};

use crate::cluster::Cluster;
use crate::invariants::Watcher;
use crate::nemesis::Nemesis;
use crate::oracle::{Fate, SERIES};
use crate::outsider::Appended;
use crate::plan::{SHARDS, TARGETS};
use crate::{Coverage, Event, FakeTarget, Mistake, Oracle, Outsider, Plan, Trace, World, virtual_clock};

/// When universes begin: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a scrape is sent again before it is given up.
const PATIENCE: Duration = Duration::from_secs(6);
/// The longest that the second of two scrapers of one target is behind the first one.
const TWIN_BEHIND: Duration = Duration::from_millis(400);
/// How long a cluster may take to be born: nothing goes wrong yet.
const BIRTH_LIMIT: Duration = Duration::from_secs(30);
/// The longest that a universe may last.
const LIFE_LIMIT: Duration = Duration::from_secs(900);
/// How long a healed cluster may take until everything works again.
const RECOVERY: Duration = Duration::from_secs(60);
/// For how long a healed cluster is written to before the last look.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Blocks of so little time are cut, shipped and dropped while faults go on.
const WINDOW_MS: i64 = 20_000;

/// How a universe ended.
pub struct Ending {
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// What happened.
    pub trace: Trace,
    /// What was reached.
    pub coverage: Coverage,
}

/// What all who live in a universe share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) world: Arc<World>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) trace: Trace,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) outsider: Arc<Outsider>,
    violations: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
}

impl Shared {
    /// Something happened that must not. What is found again and again is told once.
    pub(crate) fn violated(&self, what: String) {
        self.is_over.store(true, Ordering::Relaxed);
        let mut violations = self.violations.lock();
        if !violations.contains(&what) {
            self.trace.note(format!("VIOLATION: {what}"));
            violations.push(what);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Lives through a plan. The same plan always has the same ending, and the same trace.
///
/// # Panics
/// If a runtime can't be had, or code under test panics.
pub fn live(plan: &Plan, mistake: Mistake) -> Ending {
    raftlog::seed_thread(plan.seed);
    mistake.begin();
    let seed = RngSeed::from_bytes(&plan.seed.to_le_bytes());
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).rng_seed(seed).build();
    runtime.expect("a runtime without threads can be had").block_on(live_through(plan.clone(), mistake))
}

async fn live_through(plan: Plan, mistake: Mistake) -> Ending {
    let clock = virtual_clock(START_MS);
    let rng = Rng::from_seed(plan.seed ^ 0x5eed);
    let names: Vec<String> = (0..plan.machines).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let birth = Birth { shards: SHARDS, replication: 3, block_window_ms: WINDOW_MS };
    let mut world = World::with_mistake(&names, birth, clock.clone(), rng.fork(), mistake);
    world.local_retention = plan.local_retention;
    world.wires.set_latency(Duration::from_micros(50), plan.net_latency);
    for name in &names {
        world.machine(name).log.set_latency(Duration::from_micros(100), plan.sync_latency);
    }
    let shared = Shared {
        oracle: Arc::default(),
        trace: Trace::new(clock.clone()),
        outsider: Arc::new(world.outsider()),
        world: Arc::new(world),
        clock,
        rng,
        violations: Arc::default(),
        is_over: Arc::default(),
    };
    crate::logs::send_to(&shared.trace);
    match shared.clock.timeout(BIRTH_LIMIT, Cluster::start(shared.clone(), &names)).await {
        None => shared.violated("the cluster is not born".to_owned()),
        Some(cluster) => {
            let life = live_in(&shared, Arc::new(cluster), plan);
            if shared.clock.timeout(LIFE_LIMIT, life).await.is_none() {
                shared.violated("the cluster is stuck".to_owned());
            }
        }
    }
    Ending {
        violations: shared.violations.lock().clone(),
        trace: shared.trace.clone(),
        coverage: shared.world.coverage.clone(),
    }
}

async fn live_in(shared: &Shared, cluster: Arc<Cluster>, plan: Plan) {
    let tasks = Tasks::new();
    let watcher = Watcher::new(shared.clone(), cluster.clone());
    tasks.spawn_until_stopped("watcher", async move { watcher.run().await });
    let readers = shared.clone();
    tasks.spawn_until_stopped("reader", async move { read_on(readers).await });
    let (writing, nemesis) = (Writers::new(shared.clone()), Nemesis::new(shared.clone(), cluster.clone()));
    let until = shared.clock.now() + plan.lasts;
    join(writing.run_until(until), nemesis.run(&plan)).await;
    shared.trace.note("all is mended");
    join_all((0..plan.machines).map(|machine| cluster.heal(machine))).await;
    if !shared.is_over() {
        recover(shared, &writing).await;
    }
    if !shared.is_over() {
        writing.run_until(shared.clock.now() + AFTERMATH).await;
        crate::invariants::check_in_the_end(shared, &cluster).await;
    }
    tasks.stop();
    tasks.wait().await;
    cluster.stop().await;
}

/// Waits until all targets can be written, and all can be read.
async fn recover(shared: &Shared, writers: &Writers) {
    let until = shared.clock.now() + RECOVERY;
    loop {
        let before: Vec<_> = (0..TARGETS).map(|target| shared.oracle.last_acknowledged(target)).collect();
        writers.run_until(shared.clock.now() + 2 * INTERVAL).await;
        let after: Vec<_> = (0..TARGETS).map(|target| shared.oracle.last_acknowledged(target)).collect();
        let all_written = before.iter().zip(&after).all(|(before, after)| after > before);
        if all_written && read_and_check(shared, TimeRange::ALL, Consistency::Strong).await {
            return;
        }
        if shared.clock.now() > until {
            let what = if all_written { "reads" } else { "writes" };
            shared.violated(format!("{what} do not work again {} s after all was mended", RECOVERY.as_secs()));
            return;
        }
    }
}

/// One writer for each target.
struct Writers {
    shared: Shared,
    targets: Vec<FakeTarget>,
}

impl Writers {
    fn new(shared: Shared) -> Self {
        Self { shared, targets: (0..TARGETS).map(|number| FakeTarget::new(number, SERIES)).collect() }
    }

    async fn run_until(&self, until: stdx::Instant) {
        let writers = (0..).zip(&self.targets).map(|(number, target)| self.write_until(number, target, until));
        join_all(writers).await;
    }

    async fn write_until(&self, number: u32, target: &FakeTarget, until: stdx::Instant) {
        let shared = &self.shared;
        let interval_ms = INTERVAL.as_millis() as i64;
        while shared.clock.now() < until && !shared.is_over() {
            let now_ms = shared.clock.wall_ms();
            // The phase of each target is its own.
            let phase_ms = i64::from(number) * 190;
            let tick = (now_ms - phase_ms).div_euclid(interval_ms) * interval_ms + interval_ms + phase_ms;
            shared.clock.sleep(Duration::from_millis((tick - now_ms) as u64)).await;
            let values: Vec<f64> = (0..SERIES).map(|series| Oracle::value((number, series, tick))).collect();
            shared.oracle.send(number, tick);
            let record = target.scrape(tick, &values);
            let first = self.append(number, tick, (target.slot(), &record));
            let heard = if shared.rng.below(2) == 0 {
                vec![first.await]
            } else {
                // Two scrapers have the target for a moment.
                let second = async {
                    shared.clock.sleep(shared.rng.duration(Duration::ZERO, TWIN_BEHIND)).await;
                    self.append(number, tick, (target.slot(), &record)).await
                };
                let (first, second) = join(first, second).await;
                vec![first, second]
            };
            let is_duplicate = |appended: &Appended| matches!(appended, Appended::Answer(answer) if answer.outcome() == Outcome::Duplicate);
            if heard.iter().all(is_duplicate) {
                shared.violated(format!("target {number} at {tick} is called a duplicate, and nobody had sent it"));
            }
        }
    }

    async fn append(&self, number: u32, tick: i64, (slot, record): (Slot, &Record)) -> Appended {
        let appended = self.shared.outsider.append_within(slot, record, PATIENCE).await;
        self.hear(number, tick, &appended);
        appended
    }

    fn hear(&self, number: u32, tick: i64, appended: &Appended) {
        let shared = &self.shared;
        if let Appended::Answer(answer) | Appended::Later(answer) = appended
            && answer.outcome() == Outcome::Stored
            && !shared.oracle.store(number, tick)
        {
            shared.violated(format!("target {number} at {tick} was stored twice"));
            return;
        }
        let (fate, event) = match appended {
            Appended::Answer(answer) | Appended::Later(answer) if crate::is_stored(answer) => {
                (Fate::Acknowledged, Event::Acknowledged)
            }
            // Ticks are sent when they are due, and again for a few seconds: no clock of the cluster may say otherwise.
            Appended::Answer(answer) | Appended::Later(answer) => {
                shared.violated(format!("target {number} at {tick} was refused: {:?}", answer.outcome()));
                return;
            }
            Appended::Unknown => (Fate::Unknown, Event::UnknownWrite),
        };
        shared.world.coverage.note(event);
        shared.oracle.hear(number, tick, fate);
        shared.trace.note(format!("target {number} at {tick}: {fate:?}"));
    }
}

/// Reads again and again, in several ways, and checks what comes.
async fn read_on(shared: Shared) {
    loop {
        shared.clock.sleep(shared.rng.duration(Duration::from_millis(300), Duration::from_secs(3))).await;
        if shared.is_over() {
            return;
        }
        let range = match shared.rng.below(3) {
            0 => TimeRange::ALL,
            _ => {
                let end = shared.clock.wall_ms() - shared.rng.below(30_000) as i64;
                let start = end - shared.rng.below(30_000) as i64;
                TimeRange::new(Timestamp(start), Timestamp(end))
            }
        };
        match shared.rng.below(4) {
            0 => drop(read_and_check(&shared, range, Consistency::StaleOk).await),
            1 => read_bounded(&shared, range).await,
            _ => drop(read_and_check(&shared, range, Consistency::Strong).await),
        }
    }
}

/// Asks for the same several times within a second: what a replica believes to know changes from one pulse to the next.
async fn read_bounded(shared: &Shared, range: TimeRange) {
    let reads = (0..8).map(|_| async {
        shared.clock.sleep(shared.rng.duration(Duration::ZERO, Duration::from_secs(1))).await;
        read_and_check(shared, range, Consistency::Bounded).await
    });
    futures::future::join_all(reads).await;
}

/// What a bounded read may lack: it has all that was acknowledged so long before.
const MAY_LACK: Duration = Duration::from_millis(250);

/// Whether an answer came.
pub(crate) async fn read_and_check(shared: &Shared, range: TimeRange, consistency: Consistency) -> bool {
    let moment = shared.oracle.now();
    if consistency == Consistency::Bounded {
        shared.clock.sleep(MAY_LACK).await;
    }
    let limit = Duration::from_secs(20);
    let read = shared.outsider.read(Matcher::equal("job", "fake"), range, consistency);
    let answer = match shared.clock.timeout(limit, read).await {
        Some(Ok(answer)) => answer,
        Some(Err(error)) => {
            shared.trace.note(format!("a read failed: {error}"));
            shared.world.coverage.note(Event::ReadFailed);
            return false;
        }
        None => {
            shared.trace.note("a read took too long".to_owned());
            shared.world.coverage.note(Event::ReadFailed);
            return false;
        }
    };
    shared.world.coverage.note(Event::ReadCompared);
    let checked = crate::invariants::check_answer(&shared.oracle, answer, |read| match consistency {
        Consistency::Strong | Consistency::Bounded => {
            shared.oracle.all_readable(moment, (range.start().as_ms(), range.end().as_ms()), read)
        }
        // Such an answer may be old, but must not be wrong.
        Consistency::StaleOk => Ok(()),
    });
    match checked {
        Ok(count) => shared.trace.note(format!("{count} samples were read ({consistency:?})")),
        Err(what) => shared.violated(format!("{what} ({consistency:?} read of {range:?})")),
    }
    true
}

/// The id of a node, if it runs.
pub(crate) fn id_of(node: &crate::Node) -> NodeId {
    node.ingester.identity().node
}
