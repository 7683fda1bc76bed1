//! Nothing is answered before there is something to answer with.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::app::App;
use crate::backend::NotReady;

/// Lets requests pass once the process is ready.
pub(crate) async fn when_ready(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.backend.readiness() {
        Ok(()) => next.run(request).await,
        Err(why) => {
            let is_stopping = if why == NotReady::Stopping { "true" } else { "false" };
            let text = format!("Service Unavailable: {why}\n");
            (StatusCode::SERVICE_UNAVAILABLE, [("X-Prometheus-Stopping", is_stopping)], text).into_response()
        }
    }
}
