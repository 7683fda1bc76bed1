//! A backend in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::{Engine, EngineOptions, Features, QueryRequest};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use model::{Histogram, Labels, METRIC_NAME, Matcher, Sample, TimeRange, Value};
use promql::ParseOptions;
use series::{Budget, Chunk, LabelQuery, QueryError, Queryable, Samples, Select, Series, SeriesStream, Texts};
use stdx::{Clock, CpuPool};

use crate::{Answer, Backend, LoadedSeries};

/// Series in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    /// Series by the name of their metric.
    series: BTreeMap<String, BTreeMap<Labels, Stored>>,
}

#[derive(Clone, Debug, Default)]
struct Stored {
    chunks: Vec<Arc<Samples>>,
    /// The last histogram, unless a float follows it.
    last_histogram: Option<Arc<Histogram>>,
}

/// The engine over series in memory.
#[derive(Debug)]
pub struct MemoryBackend {
    engine: Engine,
    storage: Arc<MemoryStorage>,
}

/// The settings that the scripts of Prometheus assume.
pub fn settings() -> EngineOptions {
    EngineOptions {
        lookback: Duration::from_secs(5 * 60),
        max_samples: 10_000,
        timeout: Duration::from_secs(100),
        subquery_step: Duration::from_secs(60),
        features: Features {
            parse: ParseOptions::ALL,
            delayed_name_removal: true,
            start_timestamps: true,
            type_and_unit_labels: false,
        },
        push_down: true,
    }
}

impl MemoryStorage {
    /// Adds samples to those that a series has, which must be earlier.
    ///
    /// Histograms learn whether their counter started again, as they do in Prometheus' chunks.
    pub fn add(&mut self, labels: Labels, samples: Samples) {
        let series = self.series.entry(labels.metric().to_owned()).or_default();
        let stored = series.entry(labels).or_default();
        let mut observed = Samples::new();
        for (sample, start) in samples.iter_with_starts() {
            let value = match sample.value {
                Value::Float(value) => {
                    stored.last_histogram = None;
                    Value::Float(value)
                }
                Value::Histogram(histogram) => {
                    let mut histogram = Histogram::clone(&histogram);
                    histogram.observe_reset(stored.last_histogram.as_deref());
                    let histogram = Arc::new(histogram);
                    stored.last_histogram = Some(histogram.clone());
                    Value::Histogram(histogram)
                }
            };
            observed.push(&Sample { value, ..sample }, start);
        }
        stored.chunks.push(Arc::new(observed));
    }

    /// The series that match, sorted by labels.
    fn matching(&self, matchers: &[Matcher]) -> Vec<(&Labels, &Stored)> {
        let (names, others): (Vec<&Matcher>, Vec<&Matcher>) =
            matchers.iter().partition(|matcher| matcher.name() == METRIC_NAME);
        let metrics = self.series.iter().filter(|(metric, _)| names.iter().all(|matcher| matcher.matches(metric)));
        let all = metrics.flat_map(|(_, series)| series);
        let mut matching: Vec<(&Labels, &Stored)> = all
            .filter(|(labels, _)| others.iter().all(|matcher| matcher.matches(labels.value(matcher.name()))))
            .collect();
        matching.sort_unstable_by_key(|(labels, _)| *labels);
        matching
    }
}

impl Queryable for MemoryStorage {
    fn select(&self, select: Select, _budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        const BATCH: usize = 1024;
        let series = self.matching(&select.matchers).into_iter().filter_map(|(labels, stored)| {
            let chunks = stored.chunks.iter().filter(|chunk| has_samples(chunk, select.range));
            let chunks: Vec<Chunk> = chunks.cloned().map(Chunk::Samples).collect();
            (!chunks.is_empty()).then(|| Series { labels: labels.clone(), chunks })
        });
        let all: Vec<Series> = series.collect();
        let batches: Vec<Result<Vec<Series>, QueryError>> = all.chunks(BATCH).map(|batch| Ok(batch.to_vec())).collect();
        async move { Ok(stream::iter(batches).boxed()) }.boxed()
    }

    fn label_names(&self, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        let names =
            self.matching(&query.matchers).into_iter().flat_map(|(labels, _)| labels.iter().map(|(name, _)| name));
        let texts = texts(names, query.limit);
        async move { Ok(texts) }.boxed()
    }

    fn label_values(&self, name: &str, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        let values = self.matching(&query.matchers).into_iter().filter_map(|(labels, _)| labels.get(name));
        let texts = texts(values, query.limit);
        async move { Ok(texts) }.boxed()
    }
}

fn has_samples(samples: &Samples, range: TimeRange) -> bool {
    [&samples.float_times, &samples.histogram_times].into_iter().any(|times| {
        let next = times.get(times.partition_point(|time| *time < range.start().as_ms()));
        next.is_some_and(|time| *time < range.end().as_ms())
    })
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>, limit: usize) -> Texts {
    let sorted: BTreeSet<&str> = texts.collect();
    sorted.into_iter().collect::<Texts>().cut(limit)
}

impl MemoryBackend {
    /// An empty backend with these settings.
    pub fn new(options: EngineOptions) -> Self {
        let engine = Engine::new(options, Clock::system(), CpuPool::inline());
        Self { engine, storage: Arc::default() }
    }

    /// What is stored.
    pub fn storage(&self) -> Arc<MemoryStorage> {
        self.storage.clone()
    }

    async fn ask(&self, request: QueryRequest) -> Result<Answer, String> {
        let query = self.engine.prepare(request).map_err(|error| error.to_string())?;
        let result = self.engine.run(query, self.storage.clone()).await.map_err(|error| error.to_string())?;
        Ok(Answer { value: result.value, annotations: result.annotations })
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new(settings())
    }
}

impl Backend for MemoryBackend {
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>> {
        self.storage = Arc::default();
        async { Ok(()) }.boxed()
    }

    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>> {
        let storage = Arc::make_mut(&mut self.storage);
        for LoadedSeries { labels, samples } in series {
            storage.add(labels, samples);
        }
        async { Ok(()) }.boxed()
    }

    fn instant<'a>(&'a self, query: &'a str, at_ms: i64) -> BoxFuture<'a, Result<Answer, String>> {
        self.ask(QueryRequest::instant(query, at_ms)).boxed()
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> BoxFuture<'a, Result<Answer, String>> {
        self.ask(QueryRequest::range(query, start_ms, end_ms, step_ms)).boxed()
    }
}
