//! How many queries are evaluated at a time.

use std::sync::Arc;
use std::time::Duration;

use series::QueryError;
use stdx::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::{Metrics, OneMore};

/// What a query does meanwhile, in Prometheus' words.
const QUEUE: &str = "query queue";

/// More queries do not wait: they would not have their turn before their time is up.
const MAX_WAITING: usize = 1000;

/// Lets so many queries run at a time. Others wait, and come in the order in which they asked.
pub(crate) struct Gate {
    turns: Arc<Semaphore>,
    /// Places of those that wait.
    places: Semaphore,
}

/// Leave to run, until it is dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    _running: OneMore,
}

impl Gate {
    /// A gate for so many queries; for one at least.
    pub(crate) fn new(width: usize) -> Self {
        let turns = Arc::new(Semaphore::new(width.clamp(1, Semaphore::MAX_PERMITS)));
        Self { turns, places: Semaphore::new(MAX_WAITING) }
    }

    /// Waits for a turn, and tells how long that took.
    ///
    /// # Errors
    /// [`QueryError::Timeout`] if it took longer than `limit`, or if too many wait already.
    pub(crate) async fn enter(
        &self,
        clock: &Clock,
        limit: Duration,
        metrics: &Metrics,
    ) -> Result<(Turn, Duration), QueryError> {
        let start = clock.now();
        let too_late = QueryError::Timeout { during: QUEUE, limit };
        let Ok(place) = self.places.try_acquire() else { return Err(too_late) };
        let waiting = OneMore::of(&metrics.queries_waiting);
        let permit = clock.timeout(limit, self.turns.clone().acquire_owned()).await.ok_or(too_late)?;
        drop((place, waiting));
        let permit = permit.expect("the semaphore is never closed");
        let turn = Turn { _permit: permit, _running: OneMore::of(&metrics.queries_running) };
        Ok((turn, clock.now().saturating_duration_since(start)))
    }
}
