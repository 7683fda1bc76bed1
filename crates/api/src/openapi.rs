//! `/openapi.yaml`: what is served below `/api/v1`, for programs that read such descriptions.

mod document;
mod endpoints;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use crate::app::App;
use crate::params::Params;
use document::document;

/// `/openapi.yaml`
pub(crate) async fn describe(State(app): State<Arc<App>>, params: Params) -> Response {
    let version = match params.first("openapi_version") {
        "3.2" | "3.2.0" => "3.2.0",
        // Whatever else is asked for gets what most programs understand.
        _ => "3.1.0",
    };
    let head = [
        (header::CONTENT_TYPE, "application/yaml; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
    ];
    (head, document(version, &app.config.build.version)).into_response()
}
