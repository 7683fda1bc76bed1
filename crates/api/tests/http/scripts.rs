//! Prometheus' acceptance tests, asked over HTTP: an answer in JSON says what the engine says.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::ApiConfig;
use engine::{Annotation, Engine, MatrixSeries, QueryRequest, Severity, Value, VectorSample};
use futures::future::BoxFuture;
use model::{Histogram, Labels};
use promqltest::{Answer, Backend, LoadedSeries, MemoryStorage, Script, settings};
use serde_json::Value as Json;
use stdx::{Clock, CpuPool};

use crate::server::{Process, Server, block_on};

/// A longer range is refused by the API.
const MAX_STEPS: i64 = 11_000;

/// Asks the engine, and the API whether it says the same.
struct Both {
    engine: Engine,
    storage: Arc<MemoryStorage>,
    server: Server,
}

impl Both {
    fn new() -> Self {
        let engine = Engine::new(settings(), Clock::system(), CpuPool::inline());
        let server = Server::with_engine(Process::default(), ApiConfig::default(), engine.clone());
        Self { engine, storage: Arc::default(), server }
    }

    fn store(&mut self, storage: MemoryStorage) {
        self.storage = Arc::new(storage);
        let process = Process { storage: self.storage.clone(), ..Process::default() };
        self.server = Server::with_engine(process, ApiConfig::default(), self.engine.clone());
    }

    async fn ask(&self, request: QueryRequest, path: &str) -> Result<Answer, String> {
        let ours = self.ask_engine(request).await;
        let answer = self.server.get(path).await;
        let theirs: Json = serde_json::from_str(&answer.body).map_err(|error| format!("HTTP: {error}"))?;
        let expected = match &ours {
            Ok(answer) => shown(answer),
            Err(message) => Shown::Error(message.clone()),
        };
        let found = read(&theirs).ok_or_else(|| format!("HTTP: {}", answer.body))?;
        if expected != found {
            return Err(format!("HTTP: {found:?} instead of {expected:?}"));
        }
        ours
    }

    async fn ask_engine(&self, request: QueryRequest) -> Result<Answer, String> {
        let query = self.engine.prepare(request).map_err(|error| format!("invalid parameter \"query\": {error}"))?;
        let result = self.engine.run(query, self.storage.clone()).await.map_err(|error| error.to_string())?;
        Ok(Answer { value: result.value, annotations: result.annotations })
    }
}

impl Backend for Both {
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>> {
        self.store(MemoryStorage::default());
        Box::pin(async { Ok(()) })
    }

    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>> {
        let mut storage = MemoryStorage::clone(&self.storage);
        for LoadedSeries { labels, samples } in series {
            storage.add(labels, samples);
        }
        self.store(storage);
        Box::pin(async { Ok(()) })
    }

    fn instant<'a>(&'a self, query: &'a str, at_ms: i64) -> BoxFuture<'a, Result<Answer, String>> {
        let path = format!("/api/v1/query?query={}&time={}", encoded(query), seconds(at_ms));
        Box::pin(async move { self.ask(QueryRequest::instant(query, at_ms), &path).await })
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> BoxFuture<'a, Result<Answer, String>> {
        let times = [("start", start_ms), ("end", end_ms), ("step", step_ms)];
        let times = times.map(|(name, ms)| format!("&{name}={}", seconds(ms))).concat();
        let path = format!("/api/v1/query_range?query={}{times}", encoded(query));
        Box::pin(async move {
            let request = QueryRequest::range(query, start_ms, end_ms, step_ms);
            if (end_ms - start_ms) / step_ms > MAX_STEPS {
                return self.ask_engine(request).await;
            }
            self.ask(request, &path).await
        })
    }
}

/// An answer, as far as JSON can tell it. Numbers are texts: what is to be compared are digits.
#[derive(Debug, PartialEq)]
enum Shown {
    Error(String),
    Value { kind: String, series: Vec<ShownSeries>, warnings: Vec<String>, infos: Vec<String> },
}

#[derive(Debug, PartialEq)]
struct ShownSeries {
    labels: BTreeMap<String, String>,
    /// Times in ms and values: floats, then histograms.
    points: Vec<(i64, String)>,
}

fn shown(answer: &Answer) -> Shown {
    let remarks = |severity| {
        let wanted = |annotation: &&Annotation| annotation.severity == severity;
        answer.annotations.iter().filter(wanted).map(|annotation| annotation.text.clone()).collect()
    };
    let (kind, series) = match &answer.value {
        Value::Scalar(value) => ("scalar", vec![unnamed(value.to_string().replace("inf", "Inf"))]),
        Value::String(text) => ("string", vec![unnamed(text.clone())]),
        Value::Vector(samples) => ("vector", samples.iter().map(shown_sample).collect()),
        Value::Matrix(series) => ("matrix", series.iter().map(shown_series).collect()),
    };
    let (warnings, infos) = (remarks(Severity::Warning), remarks(Severity::Info));
    Shown::Value { kind: kind.to_owned(), series, warnings, infos }
}

fn unnamed(value: String) -> ShownSeries {
    let value = if value == "Inf" { "+Inf".to_owned() } else { value };
    ShownSeries { labels: BTreeMap::new(), points: vec![(0, value)] }
}

fn shown_sample(sample: &VectorSample) -> ShownSeries {
    let value = match &sample.value {
        model::Value::Float(value) => number(*value),
        model::Value::Histogram(histogram) => shown_histogram(histogram),
    };
    ShownSeries { labels: pairs(&sample.labels), points: vec![(0, value)] }
}

fn shown_series(series: &MatrixSeries) -> ShownSeries {
    let floats = series.floats.iter().map(|(time, value)| (*time, number(*value)));
    let histograms = series.histograms.iter().map(|(time, histogram)| (*time, shown_histogram(histogram)));
    ShownSeries { labels: pairs(&series.labels), points: floats.chain(histograms).collect() }
}

fn shown_histogram(histogram: &Histogram) -> String {
    let buckets: Vec<String> = histogram
        .buckets()
        .filter(|bucket| bucket.count != 0.0)
        .map(|bucket| {
            let (open, close) = (bucket.includes_lower, bucket.includes_upper);
            format!("{open} {} {} {close} {}", number(bucket.lower), number(bucket.upper), number(bucket.count))
        })
        .collect();
    format!("{} {} {buckets:?}", number(histogram.count), number(histogram.sum))
}

fn number(value: f64) -> String {
    model::format_float_json(value)
}

fn pairs(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What an answer in JSON says; `None` if that is not what answers are like.
fn read(json: &Json) -> Option<Shown> {
    if json["status"] == "error" {
        return Some(Shown::Error(text(&json["error"])?));
    }
    let kind = text(&json["data"]["resultType"])?;
    let result = json["data"]["result"].as_array()?;
    let series: Option<Vec<_>> = match kind.as_str() {
        "scalar" | "string" => Some(vec![unnamed(text(result.get(1)?)?)]),
        "vector" => result.iter().map(read_sample).collect(),
        _ => result.iter().map(read_series).collect(),
    };
    let (warnings, infos) = (texts(&json["warnings"])?, texts(&json["infos"])?);
    Some(Shown::Value { kind, series: series?, warnings, infos })
}

fn read_sample(sample: &Json) -> Option<ShownSeries> {
    let value = match sample.get("histogram") {
        Some(histogram) => read_histogram(histogram.get(1)?)?,
        None => text(sample["value"].get(1)?)?,
    };
    Some(ShownSeries { labels: read_labels(sample)?, points: vec![(0, value)] })
}

fn read_series(series: &Json) -> Option<ShownSeries> {
    let mut points = Vec::new();
    for (key, read_value) in [("values", text as fn(&Json) -> Option<String>), ("histograms", read_histogram)] {
        for point in series.get(key).and_then(Json::as_array).into_iter().flatten() {
            let time = (point.get(0)?.as_f64()? * 1000.0).round() as i64;
            points.push((time, read_value(point.get(1)?)?));
        }
    }
    Some(ShownSeries { labels: read_labels(series)?, points })
}

fn read_histogram(histogram: &Json) -> Option<String> {
    let mut buckets = Vec::new();
    for bucket in histogram.get("buckets").and_then(Json::as_array).into_iter().flatten() {
        let rule = bucket.get(0)?.as_u64()?;
        let (open, close) = (matches!(rule, 1 | 3), matches!(rule, 0 | 3));
        let (low, high, count) = (text(bucket.get(1)?)?, text(bucket.get(2)?)?, text(bucket.get(3)?)?);
        buckets.push(format!("{open} {low} {high} {close} {count}"));
    }
    Some(format!("{} {} {buckets:?}", text(&histogram["count"])?, text(&histogram["sum"])?))
}

fn read_labels(series: &Json) -> Option<BTreeMap<String, String>> {
    series["metric"].as_object()?.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

fn text(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

fn texts(json: &Json) -> Option<Vec<String>> {
    json.as_array().into_iter().flatten().map(text).collect()
}

fn seconds(ms: i64) -> String {
    (ms as f64 / 1000.0).to_string()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn json_says_what_the_engine_says() {
    let (mut passed, mut failures) = (0, Vec::new());
    for path in testkit::shared_files("conformance/promqltest", ".test") {
        let script = Script::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let report = block_on(script.run(&mut Both::new()));
        passed += report.passed;
        // What the engine itself gets wrong is not looked at here.
        let failed = report.failures.iter().map(ToString::to_string).filter(|failure| failure.contains("HTTP: "));
        failures.extend(failed.map(|failure| format!("{}: {failure}", path.display())));
    }
    println!("evaluations asked over HTTP: {passed} passed, {} failed", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
