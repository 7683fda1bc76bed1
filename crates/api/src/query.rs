//! Instant and range queries.

mod gate;
mod log;
mod result;
mod statistics;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use engine::{PushDown, QueryRequest, QueryResult, Value};
use model::quote;
use series::{Budget, QueryError};

pub(crate) use gate::{Gate, Turn};
use log::{Asked, log_line};

use crate::answer::{Remarks, success_in_pieces};
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::params::{Params, parse_duration};
use result::QueryData;
use statistics::Shown;

/// More steps are refused: no screen has so many pixels.
const MAX_STEPS: i128 = 11_000;

/// What a query does when its time is up before it began, in Prometheus' words.
const EXECUTION: &str = "query execution";
/// What a query does while it is evaluated.
const EVALUATION: &str = "expression evaluation";

/// `/query`
pub(crate) async fn instant(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    let at = params.optional_time("time")?.unwrap_or_else(|| app.now());
    let request = QueryRequest::instant(params.first("query"), at.as_ms());
    answer(&app, &caller, &params, request, limit).await
}

/// `/query_range`
pub(crate) async fn range(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    let (start, end) = (params.time("start")?.as_ms(), params.time("end")?.as_ms());
    if end < start {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step = parse_duration(params.first("step")).map_err(|fault| ApiError::parameter("step", fault))?;
    if step <= 0 {
        let fault = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", fault));
    }
    let range = (i128::from(end) - i128::from(start)) * 1_000_000;
    if range / i128::from(step) > MAX_STEPS {
        let fault = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
                     (?step=XX)";
        return Err(ApiError::bad_data(fault));
    }
    // Times are whole milliseconds: a shorter step, which only a range of a few of them passes with, is one.
    let step_ms = (step / 1_000_000).max(1);
    let request = QueryRequest::range(params.first("query"), start, end, step_ms);
    answer(&app, &caller, &params, request, limit).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    params: &Params,
    mut request: QueryRequest,
    limit: usize,
) -> Result<Response, ApiError> {
    let times = request.times;
    request.timeout = duration(params.first("timeout")).map_err(|fault| ApiError::parameter("timeout", fault))?;
    request.lookback = duration(params.first("lookback_delta"))
        .map_err(|fault| ApiError::bad_data(format!("error parsing lookback delta duration: {fault}")))?
        .filter(|lookback| !lookback.is_zero());
    request.budget = Budget::new(app.config.query_memory.bytes());
    request.push_down = match caller.push_down {
        false => PushDown::Never,
        // Nobody sees what was counted.
        true if params.first("stats").is_empty() && app.backend.query_log().is_none() => PushDown::Uncounted,
        true => PushDown::Counted,
    };
    let mut result = evaluate(app, caller, request).await?;
    let mut remarks = Remarks::new(std::mem::take(&mut result.annotations));
    if limit > 0 && truncate(&mut result.value, limit) {
        remarks.warn_truncated();
    }
    let stats = params.first("stats");
    if !matches!(stats, "" | "true" | "all") {
        remarks.warn(format!(
            "value {} for parameter \"stats\" is deprecated and will be rejected in the next major release, use \
             \"true\" or \"all\"",
            quote(stats)
        ));
    }
    let shown = match stats {
        "" => Shown::Nothing,
        "all" if app.config.per_step_stats => Shown::WithSteps,
        _ => Shown::Totals,
    };
    Ok(success_in_pieces(QueryData::new(result, times, shown), remarks))
}

/// Waits for the query's turn and runs it. Both together take no longer than the query may.
async fn evaluate(app: &App, caller: &Caller, request: QueryRequest) -> Result<QueryResult, ApiError> {
    let longest = app.engine.options().timeout;
    let limit = request.timeout.map_or(longest, |timeout| timeout.min(longest));
    let asked = Asked { text: request.text.clone(), times: request.times };
    let query = app.engine.prepare(request)?;
    if limit.is_zero() {
        return Err(QueryError::Timeout { during: EXECUTION, limit }.into());
    }
    let (turn, waited) = app.gate.enter(&caller.tenant, &app.clock, limit, &app.metrics).await?;
    let running = app.backend.query_began(&asked.text, &caller.tenant);
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    let left = limit.saturating_sub(waited);
    let result = app.clock.timeout(left, app.engine.run(query, storage)).await;
    drop((turn, running));
    let mut result = result.unwrap_or(Err(QueryError::Timeout { during: EVALUATION, limit }));
    if let Ok(result) = &mut result {
        result.statistics.timings.exec_queue = waited;
        result.statistics.timings.exec_total += waited;
    }
    if let Some(log) = app.backend.query_log() {
        log.write(&log_line(&asked, caller, result.as_ref().map(|result| &result.statistics), app.now()));
    }
    Ok(result?)
}

/// A duration; `None` for no text, and nothing for a negative one.
fn duration(text: &str) -> Result<Option<Duration>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let nanoseconds = parse_duration(text)?;
    Ok(Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))))
}

/// Keeps so many series at most, and answers whether there were more.
fn truncate(value: &mut Value, limit: usize) -> bool {
    let len = match value {
        Value::Vector(samples) => {
            let len = samples.len();
            samples.truncate(limit);
            len
        }
        Value::Matrix(series) => {
            let len = series.len();
            series.truncate(limit);
            len
        }
        Value::Scalar(_) | Value::String(_) => 0,
    };
    len > limit
}
