//! What all requests share.

use std::sync::Arc;

use engine::Engine;
use model::Timestamp;
use series::QueryError;
use stdx::{Clock, CpuPool};

use crate::backend::Backend;
use crate::config::ApiConfig;
use crate::metrics::Metrics;
use crate::query::Gate;

/// What all requests share.
pub(crate) struct App {
    pub(crate) config: ApiConfig,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    /// For what would keep other requests waiting.
    pub(crate) pool: CpuPool,
    pub(crate) gate: Gate,
    /// For remote reads, whose clients may be slow: they keep no queries waiting.
    pub(crate) read_gate: Gate,
    pub(crate) metrics: Metrics,
}

impl App {
    /// Does what a request needs from storage, for as long as a query may take.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
        let limit = self.engine.options().timeout;
        let result = self.clock.timeout(limit, work).await;
        result.unwrap_or(Err(QueryError::Timeout { during: "query execution", limit }))
    }

    /// The time at which questions without a time are meant.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.wall_ms())
    }
}
