//! Whether to go on.

use std::time::Duration;

use series::{Cancel, QueryError};
use stdx::{Clock, Instant};

/// What a query does while it is evaluated, in Prometheus' words.
pub(crate) const EVALUATION: &str = "expression evaluation";

/// Tells work when to stop: nobody waits for it any more, or it took too long.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    clock: Clock,
    deadline: Instant,
    limit: Duration,
    /// The caller's.
    cancel: Cancel,
    /// Ours, for when the query itself is dropped.
    abandoned: Cancel,
}

/// Stops the work when it is dropped.
#[derive(Debug)]
pub(crate) struct StopOnDrop(Cancel);

impl Watch {
    /// A watch that lets work go on for so long from now on.
    pub(crate) fn start(clock: &Clock, limit: Duration, cancel: Cancel) -> Self {
        let deadline = clock.now() + limit.min(Duration::from_secs(1 << 32));
        Self { clock: clock.clone(), deadline, limit, cancel, abandoned: Cancel::new() }
    }

    /// Whether to go on. Some ten nanoseconds: ask it once per series.
    ///
    /// # Errors
    /// [`QueryError::Canceled`] or [`QueryError::Timeout`].
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        self.cancel.check(EVALUATION)?;
        self.abandoned.check(EVALUATION)?;
        if self.clock.now() >= self.deadline { Err(self.timeout()) } else { Ok(()) }
    }

    /// Runs `work` until it is done or too late. What it runs elsewhere stops then too.
    pub(crate) async fn until_deadline<T>(
        &self,
        work: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, QueryError> {
        let _guard = StopOnDrop(self.abandoned.clone());
        let left = self.deadline.saturating_duration_since(self.clock.now());
        self.clock.timeout(left, work).await.unwrap_or_else(|| Err(self.timeout()))
    }

    fn timeout(&self) -> QueryError {
        QueryError::Timeout { during: EVALUATION, limit: self.limit }
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
