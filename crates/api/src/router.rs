//! Which path is answered by whom.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use engine::Engine;
use stdx::{Clock, CpuPool};
use telemetry::Registry;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::backend::Backend;
use crate::clean_path::clean_path;
use crate::config::ApiConfig;
use crate::cors::{AllowedOrigins, cors};
use crate::federate::federate;
use crate::lifecycle::{method_not_allowed, not_found, without_origins};
use crate::methods::methods;
use crate::metrics::Metrics;
use crate::query::Gate;
use crate::ready::when_ready;
use crate::{
    cardinality, exemplars, expression, features, labels, lifecycle, metadata, openapi, page, query, remote_read,
    rules, search, self_metrics, status, targets,
};

/// Why a configuration makes no API.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvalidApiConfig {
    /// [`ApiConfig::cors_origin`] is no regular expression.
    #[error("read the origins that are allowed")]
    CorsOrigin(#[from] re2::Error),
    /// [`ApiConfig::route_prefix`] has characters that no path has.
    #[error("\"{0}\" can not be what paths begin with")]
    RoutePrefix(String),
}

/// Makes the API of a process.
///
/// What takes longer than a moment, beside the evaluation of queries, is done in `pool`.
///
/// # Errors
/// If the configuration makes no sense.
pub fn router(
    config: ApiConfig,
    backend: Arc<dyn Backend>,
    engine: Engine,
    clock: Clock,
    pool: CpuPool,
    registry: &Registry,
) -> Result<Router, InvalidApiConfig> {
    let origins = AllowedOrigins::new(&config.cors_origin)?;
    let gate = Gate::new(config.max_concurrent_queries);
    let read_gate = Gate::new(config.max_concurrent_remote_reads);
    let prefix = config.route_prefix.trim_matches('/').to_owned();
    if !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)) || prefix.contains("//") {
        return Err(InvalidApiConfig::RoutePrefix(config.route_prefix));
    }
    let metrics = Metrics::register(registry);
    let app = Arc::new(App { config, backend, engine, clock, pool, gate, read_gate, metrics });
    let api = api(&app).layer(from_fn_with_state(origins, cors));
    let all = below(&prefix, pages(&app).nest("/api/v1", api))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // JSON shrinks well even so, and the effort is made while other requests wait.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn_with_state(app.clone(), count));
    // Which methods a path has is only written behind all layers of its router.
    let api_root: Arc<str> = if prefix.is_empty() { "/api/v1".into() } else { format!("/{prefix}/api/v1").into() };
    let by_methods = Router::new().fallback_service(all.with_state(app)).layer(from_fn(methods));
    Ok(by_methods.layer(from_fn_with_state(api_root, clean_path)))
}

/// Puts all paths below a prefix, if there is one.
fn below(prefix: &str, routes: Router<Arc<App>>) -> Router<Arc<App>> {
    if prefix.is_empty() {
        return routes;
    }
    Router::new()
        .route("/", get(page::home))
        .route(&format!("/{prefix}/"), get(page::home))
        .nest(&format!("/{prefix}"), routes)
}

/// What is below `/api/v1`.
fn api(app: &Arc<App>) -> Router<Arc<App>> {
    let ready = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(exemplars::query).post(exemplars::query))
        .route("/format_query", get(expression::format).post(expression::format))
        .route("/parse_query", get(expression::parse_tree).post(expression::parse_tree))
        .route("/labels", get(labels::names).post(labels::names))
        .route("/label/{name}/values", get(labels::values))
        .route("/series", get(labels::series).post(labels::series))
        .route("/search/metric_names", get(search::metric_names).post(search::metric_names))
        .route("/search/label_names", get(search::label_names).post(search::label_names))
        .route("/search/label_values", get(search::label_values).post(search::label_values))
        .route("/metadata", get(metadata::of_metrics))
        .route("/targets", get(targets::list))
        .route("/targets/metadata", get(metadata::of_targets))
        .route("/targets/relabel_steps", get(targets::relabel_steps))
        .route("/scrape_pools", get(targets::pools))
        .route("/scrape_pools/config", get(targets::pool_config))
        .route("/read", post(remote_read::read).layer(map_response(without_origins)))
        .route("/write", post(lifecycle::no_remote_write).layer(map_response(without_origins)))
        .route("/otlp/v1/metrics", post(lifecycle::no_otlp).layer(map_response(without_origins)))
        .route("/rules", get(rules::groups))
        .route("/alerts", get(rules::alerts))
        .route("/alertmanagers", get(rules::alertmanagers))
        .route("/features", get(features::list))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/cluster", get(status::cluster))
        .route("/status/self_metrics", get(self_metrics::list))
        .route("/status/tsdb", get(cardinality::status))
        .route("/status/tsdb/blocks", get(status::blocks))
        .route("/openapi.yaml", get(openapi::describe))
        .route("/admin/tsdb/delete_series", post(status::admin).put(status::admin))
        .route("/admin/tsdb/clean_tombstones", post(status::admin).put(status::admin))
        .route("/admin/tsdb/snapshot", post(status::admin).put(status::admin))
        .route_layer(from_fn_with_state(app.clone(), when_ready));
    ready
        .route("/status/walreplay", get(status::wal_replay))
        .route("/notifications", get(status::notifications))
        .route("/notifications/live", get(status::live_notifications))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
}

/// What is beside the API.
fn pages(app: &Arc<App>) -> Router<Arc<App>> {
    let ready = Router::new()
        .route("/federate", get(federate))
        .route("/-/ready", get(lifecycle::ready))
        .route_layer(from_fn_with_state(app.clone(), when_ready));
    ready
        .route("/", get(page::home))
        .route("/query", get(page::page))
        .route("/graph", get(page::graph))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/favicon.ico", get(page::icon))
        .route("/favicon.svg", get(page::icon))
        .route("/version", get(status::version))
        .route("/metrics", get(lifecycle::metrics))
        .route("/-/healthy", get(lifecycle::healthy))
        .route("/-/reload", changes(post(lifecycle::reload).put(lifecycle::reload)))
        .route("/-/quit", changes(post(lifecycle::not_enabled).put(lifecycle::not_enabled)))
}

/// A path that changes the process, and says so to those who only look.
fn changes(route: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    route.get(lifecycle::wrong_method)
}

/// Counts requests by the pattern of their path.
async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = app.clock.now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let took = app.clock.now().saturating_duration_since(start);
    let handler = path.as_ref().map_or("none", MatchedPath::as_str);
    app.metrics.answered(handler, response.status().as_u16(), took);
    response
}
