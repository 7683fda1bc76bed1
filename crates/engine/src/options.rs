//! How an engine evaluates.

use std::time::Duration;

use promql::ParseOptions;

/// How an engine evaluates. The defaults are those of a Prometheus server.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How old the newest sample of a series may be to count at a step.
    pub lookback: Duration,
    /// How many samples a query may hold at once, counted as Prometheus counts them.
    pub max_samples: u64,
    /// How long a query may take.
    pub timeout: Duration,
    /// The step of subqueries that have none of their own: the server's evaluation interval.
    pub subquery_step: Duration,
    /// What is on beside the stable language.
    pub features: Features,
}

/// What is on beside the stable language: Prometheus' feature flags. By default none is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// What expressions may contain.
    pub parse: ParseOptions,
    /// Names of series go at the end of a query instead of at once: `promql-delayed-name-removal`.
    pub delayed_name_removal: bool,
    /// Rates look at the times at which counters began: `use-start-timestamps`.
    pub start_timestamps: bool,
    /// The label `__type__` says what is a counter, instead of the metric's name: `type-and-unit-labels`.
    pub type_and_unit_labels: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(5 * 60),
            max_samples: 50_000_000,
            timeout: Duration::from_secs(2 * 60),
            subquery_step: Duration::from_secs(60),
            features: Features::default(),
        }
    }
}
