//! Which path is answered by whom.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::Engine;
use http::{StatusCode, header};
use stdx::Clock;
use telemetry::Registry;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::backend::Backend;
use crate::config::ApiConfig;
use crate::cors::{AllowedOrigins, cors};
use crate::metrics::Metrics;
use crate::query::Gate;
use crate::ready::when_ready;
use crate::{labels, query};

/// Makes the API of a process.
///
/// # Errors
/// If [`ApiConfig::cors_origin`] is no regular expression.
pub fn router(
    config: ApiConfig,
    backend: Arc<dyn Backend>,
    engine: Engine,
    clock: Clock,
    registry: &Registry,
) -> Result<Router, re2::Error> {
    let origins = AllowedOrigins::new(&config.cors_origin)?;
    let gate = Gate::new(config.max_concurrent_queries);
    let prefix = config.route_prefix.trim_matches('/').to_owned();
    let app = Arc::new(App { config, backend, engine, clock, gate, metrics: Metrics::register(registry) });
    let api = api(&app).layer(from_fn_with_state(origins, cors));
    let all = Router::new().nest("/api/v1", api);
    let all = if prefix.is_empty() { all } else { Router::new().nest(&format!("/{prefix}"), all) };
    let all = all
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(app.clone(), count));
    Ok(all.with_state(app))
}

fn api(app: &Arc<App>) -> Router<Arc<App>> {
    let ready = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/labels", get(labels::names).post(labels::names))
        .route("/label/{name}/values", get(labels::values))
        .route("/series", get(labels::series).post(labels::series))
        .route_layer(from_fn_with_state(app.clone(), when_ready));
    ready.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
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

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], "404 page not found\n").into_response()
}

async fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], "Method Not Allowed\n")
        .into_response()
}
