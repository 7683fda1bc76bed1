//! What a query took.

use std::time::Duration;

/// What a query took. Samples are counted as Prometheus counts them: a histogram as its size divided by that of a float.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How long it took.
    pub timings: Timings,
    /// The samples that were looked at: those of every window at every step.
    pub queryable_samples: u64,
    /// The samples that were read: each window counts only those that are new in it.
    pub samples_read: u64,
    /// The most samples that Prometheus would have held at once.
    pub peak_samples: u64,
    /// [`Self::queryable_samples`] by step: times in ms and counts.
    pub queryable_samples_by_step: Vec<(i64, u64)>,
    /// [`Self::samples_read`] by step.
    pub samples_read_by_step: Vec<(i64, u64)>,
}

/// How long the parts of a query took, by the names that the HTTP API gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Preparation, evaluation and sorting.
    pub eval_total: Duration,
    /// Sorting the result.
    pub result_sort: Duration,
    /// Planning.
    pub query_preparation: Duration,
    /// Reading and evaluating, which go together here.
    pub inner_eval: Duration,
    /// Waiting for its turn. The engine itself lets nobody wait: whoever does adds it here and to `exec_total`.
    pub exec_queue: Duration,
    /// Everything.
    pub exec_total: Duration,
}
