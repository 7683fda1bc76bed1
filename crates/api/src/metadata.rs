//! Types, help texts and units of metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use model::{Matcher, Metadata};

use crate::answer::success;
use crate::app::App;
use crate::backend::{MetadataByMetric, TargetMetadata};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Json, ToJson};
use crate::params::Params;
use crate::targets::scope;

/// `/metadata`
pub(crate) async fn of_metrics(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = limit(params.number("limit")?);
    let per_metric = params.number("limit_per_metric")?.and_then(|limit| usize::try_from(limit).ok());
    let per_metric = per_metric.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let metric = Some(params.first("metric")).filter(|metric| !metric.is_empty());
    let metadata = app.in_time(app.backend.metadata(&caller.tenant, metric)).await?;
    Ok(success(Shown { metadata, limit, per_metric }))
}

/// `/targets/metadata`
pub(crate) async fn of_targets(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = limit(params.number("limit")?);
    let matchers = match params.first("match_target") {
        "" => Vec::new(),
        selector => promql::parse_selector(selector).map_err(|error| ApiError::parameter("match_target", error))?,
    };
    let metric = Some(params.first("metric")).filter(|metric| !metric.is_empty());
    let mut found = app.in_time(app.backend.target_metadata(&caller.tenant, metric, scope(&params))).await?;
    found.sort_unstable();
    let is_wanted =
        |found: &TargetMetadata| matchers.iter().all(|matcher: &Matcher| matcher.matches_labels(&found.target));
    let wanted: Vec<_> = found.into_iter().filter(is_wanted).collect();
    let wanted = &wanted[..end_of_targets(&wanted, limit)];
    Ok(success(wanted.iter().map(|found| OfTarget { found, shows_metric: metric.is_none() }).collect::<Vec<_>>()))
}

/// How many entries those targets have that are begun before there are `limit` of them: what a target says stays together.
fn end_of_targets(found: &[TargetMetadata], limit: usize) -> usize {
    match limit.checked_sub(1) {
        None => 0,
        Some(last) if last >= found.len() => found.len(),
        Some(last) => last + found[last..].iter().take_while(|next| next.target == found[last].target).count(),
    }
}

/// A limit that is none when it is negative, and lets nothing pass when it is 0.
fn limit(limit: Option<i64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

struct Shown {
    metadata: MetadataByMetric,
    limit: usize,
    per_metric: usize,
}

impl ToJson for Shown {
    fn write(&self, json: &mut Json) {
        json.open_object();
        for (metric, metadata) in self.metadata.iter().take(self.limit) {
            json.key_text(metric).list(metadata.iter().take(self.per_metric));
        }
        json.close_object();
    }
}

impl ToJson for Metadata {
    fn write(&self, json: &mut Json) {
        // The unit comes first here, and last below: these are two types of Prometheus.
        json.object(|json| {
            json.member("type", self.metric_type.as_str());
            json.member("unit", &*self.unit);
            json.member("help", &*self.help);
        });
    }
}

struct OfTarget<'a> {
    found: &'a TargetMetadata,
    /// Whether it may be another metric in each.
    shows_metric: bool,
}

impl ToJson for OfTarget<'_> {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("target", &self.found.target);
            if self.shows_metric {
                json.member("metric", &*self.found.metric);
            }
            let metadata = &self.found.metadata;
            json.member("type", metadata.metric_type.as_str());
            json.member("help", &*metadata.help);
            json.member("unit", &*metadata.unit);
        });
    }
}
