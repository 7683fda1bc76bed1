//! Aggregations in parts come to what they come to over all series together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Engine, EngineOptions, Features, PushDown, QueryRequest, QueryResult, Value};
use futures::future::{BoxFuture, try_join_all};
use model::{Histogram, Labels, STALE_NAN, Sample, Timestamp};
use promqltest::MemoryStorage;
use proptest::prelude::*;
use series::{Budget, Fold, Foldings, LabelQuery, QueryError, Queryable, Samples, Select, SeriesStream, Texts, merge};
use stdx::{Clock, CpuPool};

/// Several storages as one that aggregates where series are.
#[derive(Default)]
struct Parts {
    parts: Vec<Arc<MemoryStorage>>,
    /// How often it did.
    folded: AtomicUsize,
}

impl Queryable for Parts {
    fn select(&self, select: Select, budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        let budget = budget.clone();
        Box::pin(async move {
            let streams = self.parts.iter().map(|part| part.select(select.clone(), &budget));
            Ok(merge(try_join_all(streams).await?))
        })
    }

    fn fold(&self, fold: Fold, budget: &Budget) -> BoxFuture<'_, Result<Option<Foldings>, QueryError>> {
        let budget = budget.clone();
        Box::pin(async move {
            let charge = budget.charge(0, String::new)?;
            let mut parts = Vec::new();
            for part in &self.parts {
                let own = engine::fold(&fold, part.clone(), budget.clone(), Clock::system(), CpuPool::inline());
                match own.await {
                    Ok(Some(folded)) => parts.push(folded),
                    Ok(None) | Err(_) => return Ok(None),
                }
            }
            self.folded.fetch_add(1, Ordering::Relaxed);
            Ok(Some(Foldings { parts, charge }))
        })
    }

    fn label_names(&self, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(async { Ok(Texts::default()) })
    }

    fn label_values(&self, _: &str, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(async { Ok(Texts::default()) })
    }
}

/// What a series has at a tick.
#[derive(Clone, Copy, Debug)]
enum At {
    Nothing,
    Marker,
    Value(f64),
    Histogram(u8),
}

/// A series: name, two labels, the part that it is in, and its samples.
type Made = (usize, usize, usize, usize, Vec<At>);

fn at() -> impl Strategy<Value = At> {
    let special = prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, -1e300, 1e-300]);
    prop_oneof![
        3 => Just(At::Nothing),
        1 => Just(At::Marker),
        20 => (0u32..1000).prop_map(|value| At::Value(f64::from(value) * 0.1)),
        4 => (-1e6..1e6f64).prop_map(At::Value),
        1 => special.prop_map(At::Value),
    ]
}

fn series(has_histograms: bool) -> impl Strategy<Value = Vec<Made>> {
    let histogram = (0u8..9).prop_map(At::Histogram).boxed();
    let one = if has_histograms { prop_oneof![9 => at(), 1 => histogram].boxed() } else { at().boxed() };
    let one = (0..2usize, 0..3usize, 0..6usize, 0..3usize, prop::collection::vec(one, 0..60));
    prop::collection::vec(one, 0..24)
}

const NAMES: [&str; 2] = ["requests_total", "level"];

fn storage(all: &[Made]) -> Parts {
    let mut parts: Vec<MemoryStorage> = (0..3).map(|_| MemoryStorage::default()).collect();
    for (number, (name, group, other, part, ticks)) in all.iter().enumerate() {
        // Few labels, so that some series are in two parts; but none twice in one.
        let taken = all[..number]
            .iter()
            .any(|earlier| (earlier.0, earlier.1, earlier.2, earlier.3) == (*name, *group, *other, *part));
        if taken {
            continue;
        }
        let labels = [("__name__", NAMES[*name]), ("group", &*group.to_string()), ("other", &*other.to_string())];
        let mut samples = Samples::new();
        for (tick, at) in ticks.iter().enumerate() {
            let timestamp = Timestamp(tick as i64 * 15_000);
            let value = match at {
                At::Nothing => continue,
                At::Marker => model::Value::Float(STALE_NAN),
                At::Value(value) => model::Value::Float(*value),
                At::Histogram(count) => model::Value::Histogram(Arc::new(Histogram {
                    count: f64::from(*count),
                    zero_count: f64::from(*count),
                    ..Histogram::default()
                })),
            };
            samples.push(&Sample { timestamp, value }, 0);
        }
        parts[*part].add(Labels::from_pairs(labels), samples);
    }
    Parts { parts: parts.into_iter().map(Arc::new).collect(), folded: AtomicUsize::new(0) }
}

const QUERIES: &[&str] = &[
    "sum by (group) (requests_total)",
    "sum without (other) (rate(requests_total[2m]))",
    "avg by (other) (requests_total)",
    "min(requests_total offset 1m)",
    "max by (group) (delta(level[90s]))",
    "count by (group, other) (requests_total)",
    "count by (__name__) ({__name__=~\"requests_total|level\"})",
    "group by (other) (level @ 300)",
    "avg by (group) (avg_over_time(level[3m]))",
    "sum(rate(level[2m]))",
    "sum by (group) (rate({__name__=~\"requests_total|level\"}[2m]))",
    "sum(requests_total > 50)",
    "sum by (group) (-requests_total)",
    "count(label_replace(level, \"group\", \"x\", \"\", \"\"))",
    "sum by (group) (rate(requests_total[1m])) / sum by (group) (requests_total)",
    "max_over_time(sum by (group) (rate(requests_total[1m]))[5m:30s])",
    "topk(2, sum by (group, other) (requests_total))",
    "sum(quantile_over_time(0.5, level[2m]))",
    "sum(quantile_over_time(2, level[2m]))",
    "sum(count_over_time(level[2m]))",
    "sum by (group) (timestamp(level))",
];

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be built").block_on(work)
}

async fn run(storage: Arc<Parts>, options: EngineOptions, request: QueryRequest) -> Result<QueryResult, QueryError> {
    let engine = Engine::new(options, Clock::system(), CpuPool::inline());
    engine.run(engine.prepare(request).expect("the query makes sense"), storage).await
}

/// Labels, floats with their times, and how many histograms there are.
type Row = (Labels, Vec<(i64, f64)>, usize);

fn floats(value: &Value) -> Vec<Row> {
    match value {
        Value::Vector(samples) => samples
            .iter()
            .map(|sample| match &sample.value {
                model::Value::Float(value) => (sample.labels.clone(), vec![(0, *value)], 0),
                model::Value::Histogram(_) => (sample.labels.clone(), Vec::new(), 1),
            })
            .collect(),
        Value::Matrix(all) => {
            all.iter().map(|series| (series.labels, series.floats, series.histograms.len())).collect()
        }
        other => panic!("{other:?} is no vector"),
    }
}

#[track_caller]
fn assert_same(pushed: &Value, whole: &Value) {
    let (pushed, whole) = (floats(pushed), floats(whole));
    assert_eq!(pushed.len(), whole.len());
    for (one, other) in pushed.iter().zip(&whole) {
        assert_eq!((&one.0, one.2, one.1.len()), (&other.0, other.2, other.1.len()));
        for ((time, value), (other_time, other_value)) in one.1.iter().zip(&other.1) {
            assert_eq!(time, other_time);
            let difference = (value - other_value).abs();
            let is_same = value.to_bits() == other_value.to_bits()
                || value.is_nan() && other_value.is_nan()
                || value == other_value
                || difference <= 1e-12 * value.abs().max(other_value.abs())
                // Of what nearly cancels out, rounding leaves different specks.
                || difference <= 1e-9 && value.abs() < 1e-3;
            assert!(is_same, "{value} is not {other_value}");
        }
    }
}

fn check(all: &[Made], query: &str, delayed: bool, instant: bool) -> bool {
    let storage = Arc::new(storage(all));
    let request = match instant {
        true => QueryRequest::instant(query, 600_000),
        false => QueryRequest::range(query, 0, 900_000, 30_000),
    };
    let features = Features { delayed_name_removal: delayed, ..Features::default() };
    let options = EngineOptions { features, lookback: Duration::from_secs(60), ..EngineOptions::default() };
    let run = |push_down| {
        let request = QueryRequest { push_down, ..request.clone() };
        block_on(run(storage.clone(), options.clone(), request))
    };
    let whole = run(PushDown::Never);
    assert_eq!(storage.folded.load(Ordering::Relaxed), 0);
    for push_down in [PushDown::Counted, PushDown::Uncounted] {
        match (run(push_down), &whole) {
            (Ok(pushed), Ok(whole)) => {
                assert_same(&pushed.value, &whole.value);
                assert_eq!(pushed.annotations, whole.annotations);
                let (pushed, whole) = (&pushed.statistics, &whole.statistics);
                assert_eq!(pushed.queryable_samples_by_step, whole.queryable_samples_by_step);
                assert_eq!(pushed.samples_read_by_step, whole.samples_read_by_step);
                assert!(pushed.peak_samples >= whole.peak_samples);
                if push_down == PushDown::Counted {
                    assert_eq!(pushed.peak_samples, whole.peak_samples);
                }
            }
            (pushed, whole) => assert_eq!(pushed.map(drop).err(), whole.as_ref().map(drop).err().cloned()),
        }
    }
    storage.folded.load(Ordering::Relaxed) > 0
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn parts_come_to_the_whole(
        all in prop_oneof![series(false), series(true)],
        query in prop::sample::select(QUERIES),
        delayed: bool,
        instant: bool,
    ) {
        check(&all, query, delayed, instant);
    }
}

/// Five series in three parts, of which two have a group together.
fn few(value: At) -> Vec<Made> {
    (0..5).map(|number| (0, number % 2, number, number % 3, vec![value; 40])).collect()
}

#[test]
fn storage_does_what_it_can() {
    let all = few(At::Value(7.0));
    for query in ["sum by (group) (rate(requests_total[2m]))", "avg(requests_total)", "count(requests_total > 3)"] {
        assert!(check(&all, query, false, false), "{query}");
    }
    for query in ["stddev(requests_total)", "requests_total", "sum(requests_total) / count(requests_total)"] {
        assert!(!check(&all, query, false, false), "{query}");
    }
    // Whether sums overflow depends on the order of the series, and histograms do on more than that.
    assert!(!check(&few(At::Value(1e300)), "sum(requests_total)", false, false));
    assert!(check(&few(At::Value(1e300)), "max(requests_total)", false, false));
    assert!(!check(&few(At::Histogram(3)), "sum(requests_total)", false, false));
}

#[test]
fn questions_that_make_no_sense_are_declined() {
    let storage: Arc<MemoryStorage> = Arc::default();
    let asked = Arc::new(std::sync::Mutex::new(None));
    struct Asked(Arc<std::sync::Mutex<Option<Fold>>>);
    impl Queryable for Asked {
        fn select(&self, _: Select, _: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
            Box::pin(async { Ok(merge(Vec::new())) })
        }

        fn fold(&self, fold: Fold, _: &Budget) -> BoxFuture<'_, Result<Option<Foldings>, QueryError>> {
            *self.0.lock().unwrap() = Some(fold);
            Box::pin(async { Ok(None) })
        }

        fn label_names(&self, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
            Box::pin(async { Ok(Texts::default()) })
        }

        fn label_values(&self, _: &str, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
            Box::pin(async { Ok(Texts::default()) })
        }
    }
    let engine = Engine::new(EngineOptions::default(), Clock::system(), CpuPool::inline());
    let query = engine.prepare(QueryRequest::range("sum(rate(x_total[5m]))", 0, 60_000, 15_000)).unwrap();
    block_on(engine.run(query, Arc::new(Asked(asked.clone())))).unwrap();
    let fold = asked.lock().unwrap().take().unwrap();
    let answer = |fold: Fold| {
        let fold = engine::fold(&fold, storage.clone(), Budget::unlimited(), Clock::system(), CpuPool::inline());
        block_on(fold).unwrap().is_some()
    };
    assert!(answer(fold.clone()));
    let with = |change: fn(&mut Fold)| {
        let mut fold = fold.clone();
        change(&mut fold);
        answer(fold)
    };
    assert!(!with(|fold| fold.query.stage = 7));
    assert!(!with(|fold| fold.query.text = "sum(rate(y_total[5m]))".to_owned()));
    assert!(!with(|fold| fold.query.text = "stddev(rate(x_total[5m]))".to_owned()));
    assert!(!with(|fold| fold.query.text = "sum(".to_owned()));
    assert!(!with(|fold| fold.query.features.push("time-travel".to_owned())));
    assert!(!with(|fold| fold.query.start_ms = 15_000));
}
