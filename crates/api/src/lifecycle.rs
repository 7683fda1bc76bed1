//! Health, reloading, own metrics.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use telemetry::to_text_format;

use crate::app::App;
use crate::format::{Encoding, Format};

/// `/-/healthy`
pub(crate) async fn healthy() -> &'static str {
    "Prometheus Server is Healthy.\n"
}

/// `/-/ready`
pub(crate) async fn ready() -> &'static str {
    "Prometheus Server is Ready.\n"
}

/// `/-/reload`
pub(crate) async fn reload(State(app): State<Arc<App>>) -> Response {
    if !app.config.lifecycle_is_enabled {
        return not_enabled().await;
    }
    match app.backend.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(fault) => failure(StatusCode::INTERNAL_SERVER_ERROR, &format!("failed to reload config: {fault}")),
    }
}

/// Changes of the process that are not enabled.
pub(crate) async fn not_enabled() -> Response {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response()
}

/// `GET` of what changes the process.
pub(crate) async fn wrong_method() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed").into_response()
}

/// `/metrics`, in the format that the client wants.
pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let format = Format::of_accept(&headers, &[Encoding::OpenMetrics, Encoding::Text]);
    let page = app.backend.metrics_text();
    let page = if format.encoding == Encoding::OpenMetrics { page } else { to_text_format(&page) };
    ([(header::CONTENT_TYPE, format.content_type())], page).into_response()
}

/// A failure of an endpoint that does not speak JSON, as Go's servers report it.
pub(crate) fn failure(status: StatusCode, message: &str) -> Response {
    (status, [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], format!("{message}\n")).into_response()
}

/// Marks an answer that does not say which origins are allowed: that no handler is for a request, or one for no pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoOrigins;

/// Adds the mark.
pub(crate) async fn without_origins(response: Response) -> Response {
    (Extension(NoOrigins), response).into_response()
}

/// What no path leads to.
pub(crate) async fn not_found() -> Response {
    (Extension(NoOrigins), failure(StatusCode::NOT_FOUND, "404 page not found")).into_response()
}

/// A path with another method. Whoever asks which ones it has is told, in a header that the router adds.
pub(crate) async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::OK.into_response();
    }
    (Extension(NoOrigins), failure(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")).into_response()
}

/// A receiver that is not enabled.
pub(crate) async fn no_remote_write() -> Response {
    failure(StatusCode::NOT_FOUND, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver")
}

/// A receiver that is not enabled.
pub(crate) async fn no_otlp() -> Response {
    failure(StatusCode::NOT_FOUND, "otlp write receiver needs to be enabled with --web.enable-otlp-receiver")
}
