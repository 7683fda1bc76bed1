//! Expressions, looked at without being evaluated.

mod syntax_tree;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use promql::Expr;

use crate::answer::success;
use crate::app::App;
use crate::error::ApiError;
use crate::params::Params;
use syntax_tree::Node;

/// `/format_query`
pub(crate) async fn format(State(app): State<Arc<App>>, params: Params) -> Result<Response, ApiError> {
    Ok(success(promql::prettify(&parse(&app, &params)?)))
}

/// `/parse_query`
pub(crate) async fn parse_tree(State(app): State<Arc<App>>, params: Params) -> Result<Response, ApiError> {
    Ok(success(Node(&parse(&app, &params)?)))
}

fn parse(app: &App, params: &Params) -> Result<Expr, ApiError> {
    let options = &app.engine.options().features.parse;
    promql::parse(params.first("query"), options).map_err(|error| ApiError::parameter("query", error))
}
