//! What an engine is asked.

use std::time::Duration;

use promql::ast::{DurationError, NumberLiteral};
use promql::{Descend, Expr, ParseError, ValueType};
use series::{Budget, Cancel};

use crate::scalar::seconds;

/// A question for an engine.
#[derive(Clone, Debug)]
pub struct QueryRequest {
    /// The expression.
    pub text: String,
    /// When it is evaluated.
    pub times: QueryTimes,
    /// Instead of [`EngineOptions::lookback`](crate::EngineOptions::lookback).
    pub lookback: Option<Duration>,
    /// Instead of [`EngineOptions::timeout`](crate::EngineOptions::timeout), if that is not shorter.
    pub timeout: Option<Duration>,
    /// What everything that the query holds is charged to.
    pub budget: Budget,
    /// Stops the query.
    pub cancel: Cancel,
    /// Whether storage may aggregate where the series are.
    pub push_down: PushDown,
}

/// Whether storage may aggregate where the series are. The answer is the same: to the last bit, or, where floats are added up
/// in another order, nearly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PushDown {
    /// Never.
    Never,
    /// If all statistics are the same, too.
    #[default]
    Counted,
    /// Even if series differ in how many samples they have: then nobody knows exactly how many were in memory at once, and the
    /// most that it may have been is told.
    Uncounted,
}

/// The times at which an expression is evaluated, in ms since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryTimes {
    /// Once.
    Instant(i64),
    /// At `start`, and every `step` until `end`, both included.
    Range {
        /// The first time.
        start: i64,
        /// The last time, if it is on a step.
        end: i64,
        /// The time between two evaluations, at least 1.
        step: i64,
    },
}

/// A question that makes sense, ready to be [run](crate::Engine::run).
#[derive(Clone, Debug)]
pub struct Query {
    pub(crate) request: QueryRequest,
    /// The expression, all durations computed.
    pub(crate) expr: Expr,
}

/// Why a question makes no sense. Asking again can't help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// The text is no expression.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A range, a step or an offset is none.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// It can't be evaluated at several times.
    #[error("invalid expression type \"{0}\" for range query, must be Scalar or instant Vector")]
    NotForRange(ValueType),
}

impl QueryRequest {
    /// Evaluates an expression once, without limits of its own.
    pub fn instant(text: impl Into<String>, at_ms: i64) -> Self {
        Self::new(text.into(), QueryTimes::Instant(at_ms))
    }

    /// Evaluates an expression over a range, without limits of its own.
    pub fn range(text: impl Into<String>, start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        Self::new(text.into(), QueryTimes::Range { start: start_ms, end: end_ms, step: step_ms })
    }

    fn new(text: String, times: QueryTimes) -> Self {
        Self {
            text,
            times,
            lookback: None,
            timeout: None,
            budget: Budget::unlimited(),
            cancel: Cancel::new(),
            push_down: PushDown::default(),
        }
    }
}

impl QueryTimes {
    /// The first time and the last one.
    pub fn bounds(self) -> (i64, i64) {
        match self {
            Self::Instant(at) => (at, at),
            Self::Range { start, end, .. } => (start, end),
        }
    }

    /// Whether the first time is not the last one.
    pub(crate) fn is_range(self) -> bool {
        let (start, end) = self.bounds();
        start != end
    }

    /// The time between two evaluations; 0 if there is only one.
    pub fn step_ms(self) -> i64 {
        match self {
            Self::Instant(_) => 0,
            Self::Range { step, .. } => step,
        }
    }
}

/// Puts numbers in the place of `start()`, `end()`, `range()` and `step()`, which are the same at every step.
pub(crate) fn fold_bounds(expr: &mut Expr, times: QueryTimes) {
    let (start, end) = times.bounds();
    let range = match times {
        QueryTimes::Instant(_) => 0,
        QueryTimes::Range { .. } => end.saturating_sub(start),
    };
    expr.walk_mut(&mut |expr| {
        if let Expr::Call(call) = &*expr
            && let Some(ms) = match call.function.name {
                "start" => Some(start),
                "end" => Some(end),
                "range" => Some(range),
                "step" => Some(times.step_ms()),
                _ => None,
            }
        {
            let number = NumberLiteral { value: seconds(ms), is_duration: false, span: call.span };
            *expr = Expr::Number(number);
        }
        Descend::Into
    });
}

impl Query {
    /// The expression, with all durations computed.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }
}
