//! Why a query has no answer.

use std::time::Duration;

/// Why a query has no answer. `api` gives each its status code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It took longer than it may.
    #[error("query timed out in {during}")]
    Timeout {
        /// What it was doing.
        during: &'static str,
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// Whoever asked has gone.
    #[error("query was canceled in {during}")]
    Canceled {
        /// What it was doing.
        during: &'static str,
    },
    /// It would hold more samples at once than a query may.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// It needs more memory than a query may have.
    #[error("query needs more than its {limit_bytes} bytes of memory: {what}")]
    OverBudget {
        /// What a query may have.
        limit_bytes: u64,
        /// What was too big, such as a selector.
        what: String,
    },
    /// The data could not be read: a shard or a block is out of reach. Trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// The data is damaged.
    #[error("{0}")]
    Corrupt(String),
    /// The evaluation makes no sense, such as two series with the same labels on one side of a match. Prometheus' words.
    #[error("{0}")]
    Execution(String),
}
