//! The engine.

use std::sync::Arc;

use series::{QueryError, Queryable};
use stdx::{Clock, CpuPool};

use crate::{EngineOptions, InvalidQuery, Query, QueryRequest, QueryResult, QueryTimes};

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
        Ok(Query { request, expr })
    }

    /// Answers a query.
    ///
    /// Work stops when the returned future is dropped.
    ///
    /// # Errors
    /// If storage fails, a limit is reached, or the evaluation makes no sense.
    pub async fn run(&self, query: Query, storage: Arc<dyn Queryable>) -> Result<QueryResult, QueryError> {
        let _ = (query, storage, &self.clock, &self.pool);
        Err(QueryError::Execution("this expression can not be evaluated yet".to_owned()))
    }
}
