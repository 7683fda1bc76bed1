//! Exemplars. None are stored yet.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use promql::Descend;

use crate::answer::success;
use crate::app::App;
use crate::error::ApiError;
use crate::json::Raw;
use crate::params::Params;

/// `/query_exemplars`
pub(crate) async fn query(State(app): State<Arc<App>>, params: Params) -> Result<Response, ApiError> {
    let (start, end) = (params.optional_time("start")?, params.optional_time("end")?);
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let options = &app.engine.options().features.parse;
    let expr = promql::parse(params.first("query"), options).map_err(|error| ApiError::bad_data(error.to_string()))?;
    let mut has_selector = false;
    expr.walk(&mut |expr, _| {
        has_selector |= expr.selector().is_some();
        Descend::Into
    });
    if !has_selector {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(success(Raw("[]")))
}
