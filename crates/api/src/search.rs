//! `/search/*`: names and values for people who type a part of them. Behind the feature flag `search-api`.

mod asked;
mod filter;
mod hits;
mod jaro_winkler;
mod lines;
mod subsequence;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures::future::BoxFuture;
use model::METRIC_NAME;
use series::{Budget, LabelQuery, QueryError, Queryable, Texts};

use crate::app::App;
use crate::backend::MetadataByMetric;
use crate::caller::Caller;
use crate::error::{ApiError, ErrorKind};
use crate::labels::find_texts;
use crate::params::Params;
use asked::Asked;
use hits::{Hits, find_hits};
use lines::respond;

/// `/search/metric_names`
pub(crate) async fn metric_names(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let asked = begin(&app, &params, "metric_names")?;
    let has_metadata = asked::flag(&params, "include_metadata", false)?;
    let hits = search(&app, &caller, &asked, |storage, query| storage.label_values(METRIC_NAME, query)).await?;
    let metadata = if has_metadata && !hits.is_empty() {
        app.in_time(app.backend.metadata(&caller.tenant, None)).await?
    } else {
        MetadataByMetric::new()
    };
    Ok(respond("name", hits, &asked, metadata))
}

/// `/search/label_names`
pub(crate) async fn label_names(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let asked = begin(&app, &params, "label_names")?;
    let hits = search(&app, &caller, &asked, |storage, query| storage.label_names(query)).await?;
    Ok(respond("name", hits, &asked, MetadataByMetric::new()))
}

/// `/search/label_values`
pub(crate) async fn label_values(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let asked = begin(&app, &params, "label_values")?;
    let label = params.first("label");
    if label.is_empty() {
        return Err(ApiError::bad_data("missing required parameter \"label\""));
    }
    let hits = search(&app, &caller, &asked, |storage, query| storage.label_values(label, query)).await?;
    Ok(respond("value", hits, &asked, MetadataByMetric::new()))
}

/// What was asked, if searching is allowed at all.
fn begin(app: &App, params: &Params, endpoint: &str) -> Result<Asked, ApiError> {
    if !app.config.search_is_enabled {
        return Err(ApiError::new(ErrorKind::Unavailable, "search API disabled"));
    }
    params.check()?;
    Asked::read(params, app.now(), app.config.search_max_limit, endpoint)
}

async fn search<F>(app: &App, caller: &Caller, asked: &Asked, ask: F) -> Result<Hits, QueryError>
where
    F: for<'a> Fn(&'a dyn Queryable, LabelQuery) -> BoxFuture<'a, Result<Texts, QueryError>>,
{
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    // Which texts come first is known once all were looked at, unless there is nothing to look for.
    let limit = if asked.filter.is_none() && !asked.order.is_backwards() { asked.limit.saturating_add(1) } else { 0 };
    let budget = Budget::new(app.config.query_memory.bytes());
    app.in_time(async {
        let (found, _charge) = find_texts(&*storage, asked.selectors.clone(), asked.range, limit, &budget, ask).await?;
        Ok(find_hits(&app.pool, &found, asked).await)
    })
    .await
}
