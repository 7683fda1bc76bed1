//! Part of a query, evaluated where series are.

use std::sync::Arc;
use std::time::Duration;

use series::{Budget, Cancel, Fold, FoldQuery, Folded, QueryError, Queryable};
use stdx::{Clock, CpuPool};

use crate::plan::Plan;
use crate::{Engine, EngineOptions, Features, PushDown, QueryRequest, QueryTimes};

/// Evaluates part of another engine's query over the series of `storage`, which are some of those that the query is about.
///
/// `None`: what comes of them can't be put together with what others make of theirs, or not without a difference to what would
/// come of all series together; or this version does not understand the question.
///
/// # Errors
/// As [`Engine::run`]. Whoever asks should select the series instead, and meets the same error if it is one of the query.
pub async fn fold(
    fold: &Fold,
    storage: Arc<dyn Queryable>,
    budget: Budget,
    clock: Clock,
    pool: CpuPool,
) -> Result<Option<Folded>, QueryError> {
    let Some(features) = Features::named(&fold.query.features) else { return Ok(None) };
    let engine = Engine::new(options(&fold.query, features), clock, pool);
    let Ok(query) = engine.prepare(request(&fold.query, budget)) else { return Ok(None) };
    let (run, watch) = engine.start(&query.request, engine.plan(&query)?, storage, None);
    let stage = fold.query.stage as usize;
    if !run.plan.is_fold(stage, fold) {
        return Ok(None);
    }
    watch.until_deadline(run.fold_here(stage)).await
}

/// What another engine must know to evaluate part of a query like the one with these options.
pub(crate) fn question(options: &EngineOptions, request: &QueryRequest, plan: &Plan) -> FoldQuery {
    let (start_ms, end_ms) = request.times.bounds();
    let timeout = request.timeout.map_or(options.timeout, |timeout| timeout.min(options.timeout));
    FoldQuery {
        text: request.text.clone(),
        start_ms,
        end_ms,
        step_ms: request.times.step_ms(),
        lookback_ms: plan.lookback_ms,
        subquery_step_ms: i64::try_from(options.subquery_step.as_millis()).unwrap_or(i64::MAX),
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        max_samples: options.max_samples,
        features: options.features.names(),
        stage: 0, // Each its own.
    }
}

fn options(query: &FoldQuery, features: Features) -> EngineOptions {
    EngineOptions {
        lookback: milliseconds(query.lookback_ms),
        max_samples: query.max_samples,
        timeout: Duration::from_millis(query.timeout_ms),
        subquery_step: milliseconds(query.subquery_step_ms),
        features,
        push_down: false,
    }
}

fn request(query: &FoldQuery, budget: Budget) -> QueryRequest {
    let (start, end) = (query.start_ms, query.end_ms);
    let times = match query.step_ms {
        ..=0 => QueryTimes::Instant(start),
        step => QueryTimes::Range { start, end, step },
    };
    let (text, cancel, push_down) = (query.text.clone(), Cancel::new(), PushDown::Never);
    QueryRequest { text, times, lookback: None, timeout: None, budget, cancel, push_down }
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}
