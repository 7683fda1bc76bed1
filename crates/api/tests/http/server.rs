//! A server over series in memory, asked without a network.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use api::{
    ApiConfig, Backend, MetadataByMetric, NotReady, QueryLog, RuntimeInfo, TargetMetadata, TargetStates, Targets,
};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use engine::{Engine, EngineOptions};
use futures::future::BoxFuture;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use model::{Labels, TenantId};
use promqltest::MemoryStorage;
use series::{Budget, Consistency, LabelQuery, QueryError, Queryable, Samples, Select, SeriesStream, Texts};
use stdx::{Clock, CpuPool};
use telemetry::Registry;
use tower::ServiceExt;

/// The time that the server takes for now.
pub(crate) const NOW_MS: i64 = 600_000;

/// A server over series in memory.
pub(crate) struct Server {
    router: Router,
    pub(crate) registry: Registry,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

/// What the process behind the server is like.
#[derive(Default)]
pub(crate) struct Process {
    pub(crate) storage: Arc<MemoryStorage>,
    pub(crate) targets: Targets,
    pub(crate) metadata: MetadataByMetric,
    pub(crate) target_metadata: Vec<TargetMetadata>,
    /// Those of the scrape pool `p`.
    pub(crate) relabel_rules: Vec<relabel::Rule>,
    pub(crate) not_ready: Option<NotReady>,
    pub(crate) reload_fault: Option<String>,
    pub(crate) cluster: Option<String>,
    /// Hears of queries.
    pub(crate) watch: Option<Arc<Watch>>,
    /// Whether whoever asks for series waits forever.
    pub(crate) answers_never: bool,
}

/// What was heard of queries.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) began: Mutex<Vec<String>>,
    pub(crate) running: AtomicUsize,
    pub(crate) lines: Mutex<Vec<Vec<u8>>>,
}

impl QueryLog for Watch {
    fn write(&self, line: &[u8]) {
        self.lines.lock().unwrap().push(line.to_owned());
    }
}

/// A query that is running.
struct Watched(Arc<Watch>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

struct FixedTime;

impl stdx::TimeSource for FixedTime {
    fn wall_ms(&self) -> i64 {
        NOW_MS
    }
}

struct Silent;

impl Queryable for Silent {
    fn select(&self, _: Select, _: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        Box::pin(futures::future::pending())
    }

    fn label_names(&self, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(futures::future::pending())
    }

    fn label_values(&self, _: &str, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(futures::future::pending())
    }
}

impl Server {
    /// A server whose series are `x{i="…"}`, from 0 to the given count, each with the values 0, 1, 2… every minute for ten
    /// minutes.
    pub(crate) fn with_series(count: usize) -> Self {
        let mut storage = MemoryStorage::default();
        for number in 0..count {
            let times: Vec<i64> = (0..=10).map(|minute| minute * 60_000).collect();
            let floats = (0..=10).map(f64::from).collect();
            let samples = Samples { float_times: times, floats, ..Samples::default() };
            storage.add(Labels::from_pairs([("__name__", "x"), ("i", number.to_string().as_str())]), samples);
        }
        Self::over(storage)
    }

    /// A server over these series.
    pub(crate) fn over(storage: MemoryStorage) -> Self {
        Self::new(Process { storage: Arc::new(storage), ..Process::default() }, ApiConfig::default())
    }

    /// A server of a process.
    pub(crate) fn new(process: Process, config: ApiConfig) -> Self {
        let clock = Clock::new(FixedTime);
        let engine = Engine::new(EngineOptions::default(), clock, CpuPool::inline());
        Self::with_engine(process, config, engine)
    }

    /// A server of a process with an engine of its own.
    pub(crate) fn with_engine(process: Process, config: ApiConfig, engine: Engine) -> Self {
        let registry = Registry::new();
        let router =
            api::router(config, Arc::new(process), engine, Clock::new(FixedTime), CpuPool::inline(), &registry)
                .unwrap();
        Self { router, registry }
    }

    /// Sends a request, and leaves the body of the answer unread.
    pub(crate) async fn response(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.response(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a GET request.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
        self.ask(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// Checks the body of the answer to a GET request, and that it is a success.
    #[track_caller]
    pub(crate) fn check(&self, path: &str, expected: &str) {
        let answer = block_on(self.get(path));
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, expected), "{path}");
    }

    /// Checks the data in the answer to a GET request.
    #[track_caller]
    pub(crate) fn check_data(&self, path: &str, expected: &str) {
        self.check(path, &format!(r#"{{"status":"success","data":{expected}}}"#));
    }

    /// Checks the error in the answer to a GET request.
    #[track_caller]
    pub(crate) fn check_error(&self, path: &str, status: u16, error_type: &str, message: &str) {
        let answer = block_on(self.get(path));
        let read: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let found = (answer.status.as_u16(), read["errorType"].as_str(), read["error"].as_str());
        assert_eq!(found, (status, Some(error_type), Some(message)), "{path}");
        assert_eq!(read["status"], "error", "{path}");
    }
}

/// Runs something to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

impl Backend for Process {
    fn queryable(&self, _: &TenantId, _: Consistency) -> Arc<dyn Queryable> {
        if self.answers_never { Arc::new(Silent) } else { self.storage.clone() }
    }

    fn readiness(&self) -> Result<(), NotReady> {
        self.not_ready.clone().map_or(Ok(()), Err)
    }

    fn metadata<'a>(
        &'a self,
        _: &'a TenantId,
        metric: Option<&'a str>,
    ) -> BoxFuture<'a, Result<MetadataByMetric, QueryError>> {
        let wanted = |name: &str| metric.is_none_or(|metric| metric == name);
        let all = self.metadata.iter().filter(|(name, _)| wanted(name));
        let all = all.map(|(name, metadata)| (name.clone(), metadata.clone())).collect();
        Box::pin(async move { Ok(all) })
    }

    fn targets<'a>(
        &'a self,
        _: &'a TenantId,
        states: TargetStates,
        scrape_pool: Option<&'a str>,
        _: api::Scope,
    ) -> BoxFuture<'a, Result<Targets, QueryError>> {
        let mut targets = self.targets.clone();
        let is_wanted = |pool: &str| scrape_pool.is_none_or(|wanted| wanted == pool);
        targets.active.retain(|target| states.has_active() && is_wanted(&target.scrape_pool));
        targets.dropped.retain(|target| states.has_dropped() && is_wanted(&target.scrape_pool));
        Box::pin(async move { Ok(targets) })
    }

    fn scrape_pools<'a>(&'a self, _: &'a TenantId) -> BoxFuture<'a, Result<Vec<String>, QueryError>> {
        let pools = self.targets.active.iter().map(|target| target.scrape_pool.clone()).collect();
        Box::pin(async move { Ok(pools) })
    }

    fn target_metadata<'a>(
        &'a self,
        _: &'a TenantId,
        metric: Option<&'a str>,
        _: api::Scope,
    ) -> BoxFuture<'a, Result<Vec<TargetMetadata>, QueryError>> {
        let mut found = self.target_metadata.clone();
        found.retain(|found| metric.is_none_or(|metric| metric == &*found.metric));
        Box::pin(async move { Ok(found) })
    }

    fn relabel_rules(&self, _: &TenantId, scrape_pool: &str) -> Option<Vec<relabel::Rule>> {
        (scrape_pool == "p").then(|| self.relabel_rules.clone())
    }

    fn config_yaml(&self) -> String {
        "global:\n  scrape_interval: 1m\n".to_owned()
    }

    fn flags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("log.level".to_owned(), "info".to_owned())])
    }

    fn runtime_info(&self) -> RuntimeInfo {
        RuntimeInfo { storage_retention: "15d".to_owned(), config_is_loaded: true, ..RuntimeInfo::default() }
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        let result = self.reload_fault.clone().map_or(Ok(()), Err);
        Box::pin(async move { result })
    }

    fn query_began(&self, text: &str, _: &TenantId) -> Box<dyn Send> {
        let Some(watch) = &self.watch else { return Box::new(()) };
        watch.began.lock().unwrap().push(text.to_owned());
        watch.running.fetch_add(1, Ordering::Relaxed);
        Box::new(Watched(watch.clone()))
    }

    fn query_log(&self) -> Option<Arc<dyn QueryLog>> {
        self.watch.clone().map(|watch| watch as Arc<dyn QueryLog>)
    }

    fn metrics_text(&self) -> String {
        // As long as is worth compressing.
        "# HELP asked Questions that were asked.\n# TYPE asked counter\nasked_total 1\n# EOF\n".to_owned()
    }

    fn cluster_status(&self) -> BoxFuture<'_, Result<String, QueryError>> {
        let cluster = self.cluster.clone();
        Box::pin(async move { cluster.ok_or_else(|| QueryError::Unavailable("meta: no leader".to_owned())) })
    }
}
