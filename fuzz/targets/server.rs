//! A server over some series in memory, asked without a network.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use api::{ApiConfig, Backend, Consistency, MetadataByMetric, NotReady, RuntimeInfo, Scope, TargetStates, Targets};
use axum::Router;
use axum::body::Body;
use engine::{Engine, EngineOptions};
use futures::future::BoxFuture;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use model::{Labels, TenantId};
use promqltest::MemoryStorage;
use series::{QueryError, Queryable, Samples};
use stdx::{Clock, CpuPool};
use telemetry::Registry;
use tokio::runtime::Runtime;
use tower::ServiceExt;

static SERVER: LazyLock<(Runtime, Router)> = LazyLock::new(|| {
    let mut storage = MemoryStorage::default();
    for job in ["a", "b"] {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", job)]);
        let float_times = (0..100).map(|at| at * 60_000).collect();
        let floats = (0..100).map(f64::from).collect();
        storage.add(labels, Samples { float_times, floats, ..Samples::default() });
    }
    let engine = Engine::new(EngineOptions::default(), Clock::system(), CpuPool::inline());
    let config = ApiConfig { search_is_enabled: true, ..ApiConfig::default() };
    let process = Arc::new(Process(Arc::new(storage)));
    let router = api::router(config, process, engine, Clock::system(), CpuPool::inline(), &Registry::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    (runtime.expect("a runtime can be had"), router.expect("the defaults make sense"))
});

/// Sends a request, and reads the whole answer.
pub fn ask(request: Request<Body>) -> (StatusCode, Vec<u8>) {
    let (runtime, router) = &*SERVER;
    runtime.block_on(async {
        let response = router.clone().oneshot(request).await.expect("a router always answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("nothing breaks an answer off");
        (status, body.to_bytes().to_vec())
    })
}

struct Process(Arc<MemoryStorage>);

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

    fn metrics_text(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn cluster_status(&self) -> BoxFuture<'_, Result<String, QueryError>> {
        Box::pin(async { Ok("{}".to_owned()) })
    }
}
