//! The engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use series::{QueryError, Queryable};
use stdx::{Clock, CpuPool, Instant};

use crate::fold::question;
use crate::identity::Naming;
use crate::plan::{Plan, Settings, plan};
use crate::query::fold_bounds;
use crate::run::{Answer, Pushing, Run, into_answer};
use crate::watch::Watch;
use crate::{EngineOptions, InvalidQuery, PushDown, Query, QueryRequest, QueryResult, QueryTimes};

/// Evaluates queries. Clones are the same engine.
#[derive(Clone, Debug)]
pub struct Engine {
    options: Arc<EngineOptions>,
    clock: Clock,
    pool: CpuPool,
}

impl Engine {
    /// An engine that takes the time from `clock` and computes in `pool`.
    pub fn new(options: EngineOptions, clock: Clock, pool: CpuPool) -> Self {
        Self { options: Arc::new(options), clock, pool }
    }

    /// How it evaluates.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Reads an expression and computes its durations.
    ///
    /// # Errors
    /// If the question makes no sense.
    pub fn prepare(&self, request: QueryRequest) -> Result<Query, InvalidQuery> {
        let mut expr = promql::parse(&request.text, &self.options.features.parse)?;
        if let QueryTimes::Range { .. } = request.times
            && !matches!(expr.value_type(), promql::ValueType::Vector | promql::ValueType::Scalar)
        {
            return Err(InvalidQuery::NotForRange(expr.value_type()));
        }
        let (start, end) = request.times.bounds();
        expr.resolve_durations(request.times.step_ms(), end.saturating_sub(start))?;
        fold_bounds(&mut expr, request.times);
        Ok(Query { request, expr })
    }

    /// Answers a query.
    ///
    /// Work stops when the returned future is dropped.
    ///
    /// # Errors
    /// If storage fails, a limit is reached, or the evaluation makes no sense.
    pub async fn run(&self, query: Query, storage: Arc<dyn Queryable>) -> Result<QueryResult, QueryError> {
        let started = self.clock.now();
        let plan = self.plan(&query)?;
        let prepared = self.clock.now();
        let request = Arc::new(query.request);
        let allowed = if self.options.push_down { request.push_down } else { PushDown::Never };
        let pushing = Some(Pushing { query: question(&self.options, &request, &plan), allowed });
        let (run, watch) = self.start(&request, plan, storage, pushing.filter(|_| allowed != PushDown::Never));
        let (answer, evaluated) = watch.until_deadline(self.answer(run, request)).await?;
        let mut statistics = answer.statistics;
        let total = self.clock.now().saturating_duration_since(started);
        statistics.timings.query_preparation = prepared.saturating_duration_since(started);
        statistics.timings.inner_eval = evaluated.saturating_duration_since(prepared);
        statistics.timings.eval_total = total;
        statistics.timings.exec_total = total;
        let (value, annotations, charge) = (answer.value, answer.annotations, answer.charge);
        Ok(QueryResult { value, annotations, statistics, charge })
    }

    /// Carries out a plan, and makes an answer of what it comes to; and when the first was done.
    async fn answer(&self, mut run: Run, request: Arc<QueryRequest>) -> Result<(Answer, Instant), QueryError> {
        loop {
            let error = match self.try_answer(&run, &request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // What a query fails by, and whether it does, is said by what all series together come to.
            let is_its_own =
                matches!(error, QueryError::Execution(_) | QueryError::TooManySamples | QueryError::OverBudget { .. });
            if !is_its_own || !run.pushed.swap(false, Ordering::Relaxed) {
                return Err(error);
            }
            run.pushing = None;
        }
    }

    async fn try_answer(&self, run: &Run, request: &Arc<QueryRequest>) -> Result<(Answer, Instant), QueryError> {
        let carried = run.carry_out().await?;
        let evaluated = self.clock.now();
        let (clock, max_samples) = (self.clock.clone(), self.options.max_samples);
        let (plan, request) = (run.plan.clone(), request.clone());
        let answer = self.pool.run(move || into_answer(carried, &plan, &request, max_samples, &clock)).await?;
        Ok((answer, evaluated))
    }

    /// # Errors
    /// If a function is given what it can't work with.
    pub(crate) fn plan(&self, query: &Query) -> Result<Arc<Plan>, QueryError> {
        Ok(Arc::new(plan(&query.expr, &query.request.text, self.settings(&query.request))?))
    }

    /// Begins to carry out a plan.
    pub(crate) fn start(
        &self,
        request: &QueryRequest,
        plan: Arc<Plan>,
        storage: Arc<dyn Queryable>,
        pushing: Option<Pushing>,
    ) -> (Run, Watch) {
        let limit = request.timeout.map_or(self.options.timeout, |timeout| timeout.min(self.options.timeout));
        let watch = Watch::start(&self.clock, limit, request.cancel.clone());
        let run = Run {
            plan,
            storage,
            pool: self.pool.clone(),
            watch: watch.clone(),
            budget: request.budget.clone(),
            max_samples: self.options.max_samples,
            pushing,
            pushed: AtomicBool::new(false),
        };
        (run, watch)
    }

    fn settings(&self, request: &QueryRequest) -> Settings {
        let options = &*self.options;
        let naming = if options.features.delayed_name_removal { Naming::Delayed } else { Naming::Eager };
        Settings {
            times: request.times,
            lookback: milliseconds(request.lookback.unwrap_or(options.lookback)),
            subquery_step: milliseconds(options.subquery_step),
            naming,
            use_start_times: options.features.start_timestamps,
            use_types: options.features.type_and_unit_labels,
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
