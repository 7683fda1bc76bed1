//! How many queries are evaluated at a time.

use std::sync::Arc;
use std::time::Duration;

use series::QueryError;
use stdx::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::{Metrics, OneMore};

/// What a query does meanwhile, in Prometheus' words.
const QUEUE: &str = "query queue";

/// Lets so many queries run at a time. Others wait, and come in the order in which they asked.
pub(crate) struct Gate(Arc<Semaphore>);

/// Leave to run, until it is dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    _running: OneMore,
}

impl Gate {
    /// A gate for so many queries; for one at least.
    pub(crate) fn new(width: usize) -> Self {
        Self(Arc::new(Semaphore::new(width.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Waits for a turn, and tells how long that took.
    ///
    /// # Errors
    /// [`QueryError::Timeout`] if it took longer than `limit`.
    pub(crate) async fn enter(
        &self,
        clock: &Clock,
        limit: Duration,
        metrics: &Metrics,
    ) -> Result<(Turn, Duration), QueryError> {
        let start = clock.now();
        let waiting = OneMore::of(&metrics.queries_waiting);
        let permit = clock.timeout(limit, self.0.clone().acquire_owned()).await;
        drop(waiting);
        let permit = permit.ok_or(QueryError::Timeout { during: QUEUE, limit })?;
        let permit = permit.expect("the semaphore is never closed");
        let turn = Turn { _permit: permit, _running: OneMore::of(&metrics.queries_running) };
        Ok((turn, clock.now().saturating_duration_since(start)))
    }
}
