//! Aggregations that shards do come to what they come to over the series themselves, whatever becomes of the shards.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Engine, EngineOptions, PushDown, QueryRequest, QueryResult, Value};
use futures::future::BoxFuture;
use meta::Birth;
use model::{Labels, STALE_NAN};
use proto::entry::Outcome;
use series::{Budget, Consistency, Fold, Foldings, LabelQuery, QueryError, Queryable, Select, SeriesStream, Texts};
use sim::{FakeTarget, Outsider, World, virtual_clock};
use stdx::{Clock, CpuPool, Rng};

/// When the tests begin: some time in 2026.
const START_MS: i64 = 1_790_000_000_000;
const SERIES: u32 = 4;

/// Storage that counts what shards do.
struct Counting(Arc<dyn Queryable>, AtomicUsize);

impl Queryable for Counting {
    fn select(&self, select: Select, budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        self.0.select(select, budget)
    }

    fn fold(&self, fold: Fold, budget: &Budget) -> BoxFuture<'_, Result<Option<Foldings>, QueryError>> {
        let budget = budget.clone();
        Box::pin(async move {
            let foldings = self.0.fold(fold, &budget).await?;
            self.1.fetch_add(usize::from(foldings.is_some()), Ordering::Relaxed);
            Ok(foldings)
        })
    }

    fn label_names(&self, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        self.0.label_names(query)
    }

    fn label_values(&self, name: &str, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        self.0.label_values(name, query)
    }
}

const QUERIES: [&str; 8] = [
    "sum by (instance) (rate(m0[20s]))",
    "avg without (instance) ({__name__=~\"m[01]\"})",
    "count by (__name__) ({job=\"fake\"})",
    "max(increase(m1[30s] offset 5s))",
    "min by (job) (m2)",
    "sum(m0 > 50)",
    "group by (instance) (last_over_time(m3[10s]))",
    "max_over_time(sum(rate(m2[20s]))[1m:5s])",
];

async fn ask(storage: &Arc<Counting>, clock: &Clock, request: QueryRequest) -> QueryResult {
    let engine = Engine::new(EngineOptions::default(), clock.clone(), CpuPool::inline());
    engine.run(engine.prepare(request).unwrap(), storage.clone()).await.unwrap()
}

type Floats = Vec<(Labels, Vec<(i64, f64)>)>;

fn floats(value: Value) -> Floats {
    match value {
        Value::Matrix(series) => series.iter().map(|series| (series.labels, series.floats)).collect(),
        other => panic!("{other:?} is no matrix"),
    }
}

#[track_caller]
fn assert_same(query: &str, pushed: Floats, whole: Floats) {
    assert_eq!(pushed.len(), whole.len(), "{query}");
    for ((labels, values), (other_labels, others)) in pushed.iter().zip(&whole) {
        assert_eq!((labels, values.len()), (other_labels, others.len()), "{query}");
        for ((time, value), (other_time, other)) in values.iter().zip(others) {
            let is_near = value == other || (value - other).abs() <= 1e-12 * value.abs().max(other.abs());
            assert!(time == other_time && is_near, "{query}: {value} at {time}, {other} at {other_time}");
        }
    }
}

/// Asks everything with and without pushing down, up to now. How often shards did it.
async fn compare(outsider: &Outsider, clock: &Clock, length_ms: i64) -> usize {
    let storage = Arc::new(Counting(outsider.storage(Consistency::Strong), AtomicUsize::new(0)));
    for query in QUERIES {
        let now = clock.wall_ms();
        let request = QueryRequest::range(query, now - length_ms, now, 5_000);
        let never = QueryRequest { push_down: PushDown::Never, ..request.clone() };
        let (pushed, whole) = (ask(&storage, clock, request).await, ask(&storage, clock, never).await);
        assert_same(query, floats(pushed.value), floats(whole.value));
        assert_eq!(pushed.annotations, whole.annotations, "{query}");
        let (pushed, whole) = (pushed.statistics, whole.statistics);
        assert_eq!(pushed.queryable_samples_by_step, whole.queryable_samples_by_step, "{query}");
        assert_eq!(pushed.samples_read_by_step, whole.samples_read_by_step, "{query}");
        assert_eq!(pushed.peak_samples, whole.peak_samples, "{query}");
    }
    storage.1.load(Ordering::Relaxed)
}

/// Scrapes most of the targets, with counters that fall now and then, and series that are away now and then.
async fn scrape(outsider: &Outsider, targets: &[FakeTarget], clock: &Clock, rng: &Rng) {
    for target in targets {
        if rng.below(10) == 0 {
            continue;
        }
        let value = |_| match rng.below(20) {
            0 => STALE_NAN,
            1 => 0.0,
            _ => (clock.wall_ms() - START_MS) as f64 / 1000.0 + rng.below(100) as f64 / 8.0,
        };
        let values: Vec<f64> = (0..SERIES).map(value).collect();
        let answer = outsider.append(target.slot(), &target.scrape(clock.wall_ms(), &values)).await;
        assert!(matches!(answer.outcome(), Outcome::Stored | Outcome::Duplicate), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn shards_that_cut_ship_and_drop_come_to_the_same() {
    let clock = virtual_clock(START_MS);
    let world = World::new(&["a"], Birth { shards: 4, replication: 1, block_window_ms: 60_000 }, clock.clone());
    let nodes = world.start_all().await;
    let (outsider, rng) = (world.outsider(), Rng::from_seed(7));
    let mut targets: Vec<_> = (0..9).map(|number| FakeTarget::new(number, SERIES)).collect();
    let (mut short, mut long) = (0, 0);
    for round in 0..80 {
        scrape(&outsider, &targets, &clock, &rng).await;
        clock.sleep(Duration::from_secs(5)).await;
        if round % 8 == 7 {
            short += compare(&outsider, &clock, 20_000).await;
            long += compare(&outsider, &clock, 400_000).await;
        }
        if round == 60 {
            assert!(short > 0 && long > 0, "{short} of the newest, {long} of all");
            assert!(!outsider.client.state().blocks.is_empty());
            // From now on series are in two shards: those of targets that say the same of themselves as others.
            targets.extend((0..4).map(|number| FakeTarget::alike(100 + number, SERIES, number)));
        }
    }
    // Nothing of it can be put together any more, except what is about other series, and there is none.
    assert_eq!(compare(&outsider, &clock, 20_000).await, 0);
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}

#[tokio::test(start_paused = true)]
async fn replicas_that_die_are_replaced() {
    let clock = virtual_clock(START_MS);
    let birth = Birth { shards: 3, replication: 3, block_window_ms: 7_200_000 };
    let world = World::new(&["a", "b", "c"], birth, clock.clone());
    let mut nodes = world.start_all().await;
    let (outsider, rng) = (world.outsider(), Rng::from_seed(11));
    let targets: Vec<_> = (0..9).map(|number| FakeTarget::new(number, SERIES)).collect();
    for _ in 0..3 {
        for _ in 0..10 {
            scrape(&outsider, &targets, &clock, &rng).await;
            clock.sleep(Duration::from_secs(5)).await;
        }
        let lost = nodes.remove(0);
        let name = lost.name.clone();
        lost.die().await;
        assert!(compare(&outsider, &clock, 60_000).await > 0);
        nodes.push(world.start(&name).await);
    }
    for node in nodes {
        node.die().await;
    }
    outsider.stop().await;
}
