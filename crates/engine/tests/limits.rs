//! Limits, cancellation, and what is asked of storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Engine, EngineOptions, InvalidQuery, QueryRequest, QueryResult, Value};
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use model::Labels;
use promqltest::MemoryStorage;
use series::{Budget, Cancel, Chunk, LabelQuery, QueryError, Queryable, Samples, Select, Series, SeriesStream, Texts};
use stdx::{Clock, CpuPool};

/// 1,000 counters with a sample every 15 s for an hour.
fn storage() -> MemoryStorage {
    let mut storage = MemoryStorage::default();
    for series in 0..1000 {
        let mut samples = Samples::new();
        samples.float_times = (0..240).map(|at| at * 15_000).collect();
        samples.floats = (0..240).map(|at| f64::from(at * (series % 7)) + 0.1).collect();
        let (job, instance) = ((series % 10).to_string(), series.to_string());
        storage.add(Labels::from_pairs([("__name__", "x_total"), ("job", &job), ("instance", &instance)]), samples);
    }
    storage
}

/// Storage that counts what it is asked.
struct Counting(MemoryStorage, AtomicUsize);

impl Queryable for Counting {
    fn select(&self, select: Select, budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.select(select, budget)
    }

    fn label_names(&self, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        self.0.label_names(query)
    }

    fn label_values(&self, name: &str, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        self.0.label_values(name, query)
    }
}

fn hour(text: &str) -> QueryRequest {
    QueryRequest::range(text, 0, 3_600_000, 15_000)
}

fn engine(options: EngineOptions) -> Engine {
    Engine::new(options, Clock::system(), CpuPool::inline())
}

async fn run(options: EngineOptions, request: QueryRequest) -> Result<QueryResult, QueryError> {
    let engine = engine(options);
    let query = engine.prepare(request).expect("the query makes sense");
    engine.run(query, Arc::new(storage())).await
}

#[tokio::test]
async fn a_query_over_budget_names_its_selector() {
    let budget = Budget::new(1 << 20);
    let request = QueryRequest { budget: budget.clone(), ..hour("x_total * 2") };
    let refused = run(EngineOptions::default(), request).await.map(drop);
    assert_eq!(refused, Err(QueryError::OverBudget { limit_bytes: 1 << 20, what: "x_total".to_owned() }));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn an_aggregation_holds_groups_and_not_series() {
    let budget = Budget::new(4 << 20);
    let request = QueryRequest { budget: budget.clone(), ..hour("sum by (job) (rate(x_total[5m]))") };
    let result = run(EngineOptions::default(), request).await.unwrap();
    // 1,000 series over 240 steps would be 2 MB; pieces of 256 series are 0.5 MB.
    assert!(budget.peak() < 1 << 20, "{}", budget.peak());
    assert_eq!(budget.used(), result.size_bytes());
    drop(result);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn too_many_samples_are_refused_as_prometheus_counts_them() {
    // All series and steps are in memory at once, as Prometheus sees it.
    let peak = run(EngineOptions::default(), hour("sum(x_total)")).await.unwrap().statistics.peak_samples;
    assert_eq!(peak, 1000 * 241);
    let at_most = |max_samples| EngineOptions { max_samples, ..EngineOptions::default() };
    assert!(run(at_most(peak), hour("sum(x_total)")).await.is_ok());
    let refused = run(at_most(peak - 1), hour("sum(x_total)")).await.map(drop);
    assert_eq!(refused, Err(QueryError::TooManySamples));
    // So many steps can't be held even of one series.
    let refused = run(at_most(1000), QueryRequest::instant("max_over_time(x_total[1y:1ms])", 0)).await.map(drop);
    assert_eq!(refused, Err(QueryError::TooManySamples));
}

#[tokio::test]
async fn nobody_waits_for_a_canceled_query() {
    let cancel = Cancel::new();
    cancel.cancel();
    let request = QueryRequest { cancel, ..hour("sum(x_total)") };
    let refused = run(EngineOptions::default(), request).await.map(drop);
    assert_eq!(refused, Err(QueryError::Canceled { during: "expression evaluation" }));
}

/// Storage with one series after another, without end.
struct Endless(Arc<Samples>);

impl Queryable for Endless {
    fn select(&self, _: Select, _: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        let samples = self.0.clone();
        let series = move |number: u64| Series {
            labels: Labels::from_pairs([("__name__", "x_total"), ("number", &format!("{number:020}"))]),
            chunks: vec![Chunk::Samples(samples.clone())],
        };
        let batches = stream::iter(0..).map(move |batch| Ok((0..512).map(|at| series(batch * 512 + at)).collect()));
        Box::pin(async { Ok(batches.boxed()) })
    }

    fn label_names(&self, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(async { Ok(Texts::default()) })
    }

    fn label_values(&self, _: &str, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(async { Ok(Texts::default()) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_ends_soon_after_a_query_is_dropped() {
    let samples = Samples {
        float_times: (0..240).map(|at| at * 15_000).collect(),
        floats: (0..240).map(f64::from).collect(),
        ..Samples::new()
    };
    let clock = Clock::system();
    let engine = Engine::new(EngineOptions::default(), clock.clone(), CpuPool::new(2));
    let budget = Budget::unlimited();
    let request = QueryRequest { budget: budget.clone(), ..hour("sum(rate(x_total[5m]))") };
    let running = engine.run(engine.prepare(request).unwrap(), Arc::new(Endless(Arc::new(samples))));
    assert!(clock.timeout(Duration::from_millis(50), running).await.is_none(), "endless series came to an end");
    // Work on the threads of the pool holds some of the budget until it sees that nobody waits.
    let dropped = clock.now();
    while budget.used() > 0 {
        clock.sleep(Duration::from_millis(1)).await;
    }
    let took = clock.now() - dropped;
    assert!(took < Duration::from_millis(100), "work went on for {took:?}");
}

#[tokio::test]
async fn a_query_ends_when_its_time_is_up() {
    let request = QueryRequest { timeout: Some(Duration::ZERO), ..hour("sum(x_total)") };
    let refused = run(EngineOptions::default(), request).await.map(drop);
    let expected = QueryError::Timeout { during: "expression evaluation", limit: Duration::ZERO };
    assert_eq!(refused, Err(expected));
}

#[tokio::test]
async fn the_same_selector_is_selected_once() {
    let storage = Arc::new(Counting(storage(), AtomicUsize::new(0)));
    let engine = engine(EngineOptions::default());
    for (query, selects) in [
        ("sum(rate(x_total[5m])) / count(rate(x_total[5m]))", 1),
        ("x_total > scalar(avg(x_total))", 1),
        ("x_total - x_total offset 5m", 2),
        ("1 + 1", 0),
    ] {
        storage.1.store(0, Ordering::Relaxed);
        engine.run(engine.prepare(hour(query)).unwrap(), storage.clone()).await.unwrap();
        assert_eq!(storage.1.load(Ordering::Relaxed), selects, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_do_not_depend_on_the_number_of_threads() {
    let storage: Arc<dyn Queryable> = Arc::new(storage());
    for text in ["sum(x_total / 3)", "avg by (job) (rate(x_total[5m]))", "topk(3, x_total)", "stddev(x_total * 0.1)"] {
        let mut answers = Vec::new();
        for pool in [CpuPool::inline(), CpuPool::new(4), CpuPool::new(4)] {
            let engine = Engine::new(EngineOptions::default(), Clock::system(), pool);
            let result = engine.run(engine.prepare(hour(text)).unwrap(), storage.clone()).await.unwrap();
            answers.push(bits(&result.value));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}

/// All floats of a matrix, to the last bit.
fn bits(value: &Value) -> Vec<(String, Vec<(i64, u64)>)> {
    let Value::Matrix(matrix) = value else { panic!("a range query answers a matrix, not {value:?}") };
    let bits = |floats: &[(i64, f64)]| floats.iter().map(|(time, value)| (*time, value.to_bits())).collect();
    matrix.iter().map(|series| (series.labels.to_string(), bits(&series.floats))).collect()
}

#[test]
fn the_deepest_expressions_fit_on_the_stack_of_a_worker() {
    let sum = vec!["x_total"; 1000].join(" + ");
    let nested = format!("{}x_total{}", "abs(".repeat(190), ")".repeat(190));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for text in [sum, nested] {
        // The stack that threads of async runtimes have.
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let answer = thread.spawn(move || {
            let request = QueryRequest::instant(text, 60_000);
            runtime().block_on(run(EngineOptions::default(), request)).map(|result| match result.value {
                Value::Vector(vector) => vector.len(),
                _ => 0,
            })
        });
        assert_eq!(answer.unwrap().join().unwrap(), Ok(1000));
    }
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let engine = engine(EngineOptions::default());
    let message = |request| engine.prepare(request).map(drop).unwrap_err();
    assert!(matches!(message(QueryRequest::instant("sum(", 0)), InvalidQuery::Parse(_)));
    assert!(matches!(message(QueryRequest::instant("x[step() - 1]", 0)), InvalidQuery::Duration(_)));
    assert_eq!(
        message(hour("x[5m]")).to_string(),
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    );
}

#[tokio::test]
async fn samples_are_counted_by_step() {
    let statistics = run(EngineOptions::default(), QueryRequest::range("rate(x_total[1m])", 60_000, 120_000, 30_000))
        .await
        .unwrap()
        .statistics;
    // Four samples a minute, of which every step but the first adds two.
    assert_eq!(statistics.queryable_samples_by_step, [(60_000, 4000), (90_000, 4000), (120_000, 4000)]);
    assert_eq!(statistics.samples_read_by_step, [(60_000, 4000), (90_000, 2000), (120_000, 2000)]);
    assert_eq!((statistics.queryable_samples, statistics.samples_read), (12_000, 8000));
}
