//! Label names, label values, series.

mod escaped_name;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use http::Uri;
use model::{Labels, Matcher, NameScheme, TimeRange, quote_bytes};
use series::{Budget, Charge, Hints, LabelQuery, QueryError, Queryable, Select, Texts};

use crate::answer::{List, Pieces, Remarks, success_in_pieces};
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::Json;
use crate::lifecycle::not_found;
use crate::params::{Params, decode_bytes};
use escaped_name::unescape;

/// `/labels`
pub(crate) async fn names(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    texts(&app, &caller, &params, |storage, query| storage.label_names(query)).await
}

/// `/label/{name}/values`
pub(crate) async fn values(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    name: Result<Path<String>, PathRejection>,
    params: Params,
) -> Result<Response, ApiError> {
    let invalid = |name: &[u8]| ApiError::bad_data(format!("invalid label name: {}", quote_bytes(name)));
    let Ok(Path(name)) = name else {
        // It is no UTF-8, or it would have been taken.
        let segment = uri.path().rsplit('/').nth(1).unwrap_or_default();
        return Err(invalid(&decode_bytes(segment).unwrap_or_default()));
    };
    if name.contains('/') {
        // An escaped slash ends a part of the path all the same, and no path has so many.
        return Ok(not_found().await);
    }
    let name = unescape(&name);
    if !NameScheme::Utf8.allows_label(&name) {
        return Err(invalid(name.as_bytes()));
    }
    texts(&app, &caller, &params, |storage, query| storage.label_values(&name, query)).await
}

/// `/series`
pub(crate) async fn series(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    params.check()?;
    if params.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let limit = params.limit()?;
    let range = params.range()?;
    let selectors = params.selectors().map_err(|fault| ApiError::parameter("match[]", fault))?;
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    let budget = Budget::new(app.config.query_memory.bytes());
    let found = app.in_time(select_labels(storage, selectors, range, limit, &budget)).await?;
    let mut remarks = Remarks::default();
    if found.is_truncated {
        remarks.warn_truncated();
    }
    Ok(success_in_pieces(List::charged(found.sets, found.charge), remarks))
}

/// Answers with what `ask` finds for each of the selectors, put together.
async fn texts<F>(app: &App, caller: &Caller, params: &Params, ask: F) -> Result<Response, ApiError>
where
    F: for<'a> Fn(&'a dyn Queryable, LabelQuery) -> BoxFuture<'a, Result<Texts, QueryError>>,
{
    let limit = params.limit()?;
    let range = params.range()?;
    let selectors = params.selectors().map_err(ApiError::bad_data)?;
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    let budget = Budget::new(app.config.query_memory.bytes());
    let found = find_texts(&*storage, selectors, range, one_more_than(limit), &budget, ask);
    let (mut texts, charge) = app.in_time(found).await?;
    let mut remarks = Remarks::default();
    // One more was asked for.
    if limit > 0 && texts.len() > limit {
        texts = texts.cut(limit);
        remarks.warn_truncated();
    }
    Ok(success_in_pieces(TextList { texts, written: 0, _charge: charge }, remarks))
}

/// A list of texts.
struct TextList {
    texts: Texts,
    /// How many of them have been written.
    written: usize,
    /// What they take in memory.
    _charge: Charge,
}

impl Pieces for TextList {
    fn write_next(&mut self, json: &mut Json) -> bool {
        if self.written == 0 {
            json.open_array();
        }
        let Some(text) = self.texts.get(self.written) else {
            json.close_array();
            return false;
        };
        json.text(text);
        self.written += 1;
        true
    }
}

/// What `ask` finds for each of the selectors, put together. No selectors: of all series.
///
/// `limit` is the most that is wanted of each selector; 0: all. What is found is charged to `budget`.
pub(crate) async fn find_texts<F>(
    storage: &dyn Queryable,
    mut selectors: Vec<Vec<Matcher>>,
    range: TimeRange,
    limit: usize,
    budget: &Budget,
    ask: F,
) -> Result<(Texts, Charge), QueryError>
where
    F: for<'a> Fn(&'a dyn Queryable, LabelQuery) -> BoxFuture<'a, Result<Texts, QueryError>>,
{
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let mut found = Vec::new();
    let mut charge = budget.charge(0, String::new)?;
    for matchers in selectors {
        let limit_bytes = budget.limit().saturating_sub(budget.used()).max(1);
        let query = LabelQuery { matchers: matchers.into(), range, limit, limit_bytes };
        let texts = ask(storage, query.clone()).await?;
        charge.grow(texts.size_bytes() as u64, || query.to_string())?;
        found.push(texts);
    }
    Ok((Texts::union(found, 0), charge))
}

/// Storage is asked for one more than is wanted, so that it shows when something is cut off.
fn one_more_than(limit: usize) -> usize {
    if limit == 0 { 0 } else { limit.saturating_add(1) }
}

/// The label sets of series.
struct LabelSets {
    sets: Vec<Labels>,
    is_truncated: bool,
    /// What they take in memory.
    charge: Charge,
}

async fn select_labels(
    storage: Arc<dyn Queryable>,
    selectors: Vec<Vec<Matcher>>,
    range: TimeRange,
    limit: usize,
    budget: &Budget,
) -> Result<LabelSets, QueryError> {
    let hints = Hints { function: "series", labels_only: true, limit: one_more_than(limit), ..Hints::default() };
    let mut streams = Vec::with_capacity(selectors.len());
    for matchers in selectors {
        let select = Select { matchers: matchers.into(), range, hints: hints.clone() };
        streams.push(storage.select(select, budget).await?);
    }
    let mut charge = budget.charge(0, String::new)?;
    let mut sets = Vec::new();
    let mut batches = series::merge(streams);
    while let Some(batch) = batches.try_next().await? {
        let size: usize = batch.iter().map(|series| series.labels.size_bytes() + size_of::<Labels>()).sum();
        charge.grow(size as u64, || "the labels of the series".to_owned())?;
        sets.extend(batch.into_iter().map(|series| series.labels));
        if limit > 0 && sets.len() > limit {
            break;
        }
        tokio::task::yield_now().await;
    }
    let is_truncated = limit > 0 && sets.len() > limit;
    if is_truncated {
        sets.truncate(limit);
    }
    Ok(LabelSets { sets, is_truncated, charge })
}
