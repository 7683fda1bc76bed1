//! A large matrix: 1,000 series with 1,000 values each, evaluated alone, and evaluated and written as JSON. What writing
//! takes is the difference.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{ApiConfig, Backend, MetadataByMetric, NotReady, RuntimeInfo, Scope, TargetStates, Targets};
use axum::Router;
use axum::body::Body;
use divan::counter::ItemsCount;
use engine::{Engine, EngineOptions, QueryRequest};
use futures::future::BoxFuture;
use http::Request;
use http_body_util::BodyExt;
use model::{Labels, TenantId};
use promqltest::MemoryStorage;
use series::{Consistency, QueryError, Queryable, Samples};
use stdx::{Clock, CpuPool};
use telemetry::Registry;
use tower::ServiceExt;

const SERIES: usize = 1000;
const STEPS: i64 = 1000;
const STEP_MS: i64 = 15_000;
/// Two kinds of values: counters are whole, most gauges are not.
const METRICS: [&str; 2] = ["whole", "fraction"];

fn main() {
    divan::main();
}

#[divan::bench(args = METRICS)]
fn evaluate(bencher: divan::Bencher<'_, '_>, metric: &str) {
    let (engine, storage, _) = server();
    let runtime = runtime();
    bencher.counter(ItemsCount::new(SERIES * STEPS as usize)).bench(|| {
        let query = engine.prepare(QueryRequest::range(metric, 0, (STEPS - 1) * STEP_MS, STEP_MS)).expect("valid");
        runtime.block_on(engine.run(query, storage.clone())).expect("nothing is missing").size_bytes()
    });
}

#[divan::bench(args = METRICS)]
fn evaluate_and_write(bencher: divan::Bencher<'_, '_>, metric: &str) {
    let (.., router) = server();
    let runtime = runtime();
    let end = (STEPS - 1) * STEP_MS / 1000;
    let path = format!("/api/v1/query_range?query={metric}&start=0&end={end}&step={}", STEP_MS / 1000);
    bencher.counter(ItemsCount::new(SERIES * STEPS as usize)).bench(|| {
        runtime.block_on(async {
            let request = Request::get(&path).body(Body::empty()).expect("a valid request");
            let mut body = router.clone().oneshot(request).await.expect("infallible").into_body();
            let mut size = 0;
            while let Some(frame) = body.frame().await {
                size += frame.expect("no piece fails").data_ref().map_or(0, |data| data.len());
            }
            assert!(size > SERIES * STEPS as usize * 10, "only {size} bytes");
            size
        })
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn server() -> (Engine, Arc<dyn Queryable>, Router) {
    let mut storage = MemoryStorage::default();
    for (metric, unit) in METRICS.into_iter().zip([1.0, 0.123_456_7]) {
        for number in 0..SERIES {
            let mut samples = Samples::new();
            samples.float_times = (0..STEPS).map(|step| step * STEP_MS).collect();
            samples.floats = (0..STEPS).map(|step| (step * 7 + number as i64) as f64 * unit).collect();
            let instance = format!("host-{number}:9100");
            storage.add(Labels::from_pairs([("__name__", metric), ("instance", &instance)]), samples);
        }
    }
    let storage: Arc<dyn Queryable> = Arc::new(storage);
    let engine = Engine::new(EngineOptions::default(), Clock::system(), CpuPool::inline());
    let process = Arc::new(Process(storage.clone()));
    let router = api::router(
        ApiConfig::default(),
        process,
        engine.clone(),
        Clock::system(),
        CpuPool::inline(),
        &Registry::new(),
    );
    (engine, storage, router.expect("the default configuration makes sense"))
}

struct Process(Arc<dyn Queryable>);

impl Backend for Process {
    fn queryable(&self, _: &TenantId, _: Consistency) -> Arc<dyn Queryable> {
        self.0.clone()
    }

    fn readiness(&self) -> Result<(), NotReady> {
        Ok(())
    }

    fn metadata<'a>(
        &'a self,
        _: &'a TenantId,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<MetadataByMetric, QueryError>> {
        Box::pin(async { Ok(MetadataByMetric::new()) })
    }

    fn targets<'a>(
        &'a self,
        _: &'a TenantId,
        _: TargetStates,
        _: Option<&'a str>,
        _: Scope,
    ) -> BoxFuture<'a, Result<Targets, QueryError>> {
        Box::pin(async { Ok(Targets::default()) })
    }

    fn scrape_pools<'a>(&'a self, _: &'a TenantId) -> BoxFuture<'a, Result<Vec<String>, QueryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn config_yaml(&self) -> String {
        String::new()
    }

    fn flags(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn runtime_info(&self) -> RuntimeInfo {
        RuntimeInfo::default()
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn cluster_status(&self) -> BoxFuture<'_, Result<String, QueryError>> {
        Box::pin(async { Ok("{}".to_owned()) })
    }

    fn metrics_text(&self) -> String {
        String::new()
    }
}
