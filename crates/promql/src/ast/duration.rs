//! Durations of selectors, as written and as computed.

use super::{Expr, NumberLiteral};
use crate::walk::Descend;
use crate::{BinaryOp, Sign, Span};

/// A duration in a selector: known from the text, or computed once the query's range and step are known.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationArg {
    /// Milliseconds.
    Fixed(i64),
    /// An expression.
    Computed(Box<DurationExpr>),
}

/// An arithmetic expression over durations: `[2 * step()]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationExpr {
    /// What it is made of.
    pub kind: DurationKind,
    /// Whether it stands in parentheses. A number in parentheses is [`DurationKind::Unary`] with a plus, as in Prometheus.
    pub wrapped: bool,
    /// Where it stands. Parentheses count only around a number.
    pub span: Span,
}

/// What a [`DurationExpr`] is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationKind {
    /// A number of seconds.
    Number(NumberLiteral),
    /// `step()`: the step of the query, 0 for instant queries.
    Step,
    /// `range()`: from the first to the last step of the query, 0 for instant queries.
    Range,
    /// A sign before an expression. A plus is kept only where Prometheus keeps it, and never printed.
    Unary(Sign, Box<DurationExpr>),
    /// An operator or a function of two expressions.
    Binary(DurationOp, Box<DurationExpr>, Box<DurationExpr>),
}

/// What can be done with two durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `min_of(a, b)`
    MinOf,
    /// `max_of(a, b)`
    MaxOf,
}

/// Why a duration could not be computed. The message starts with the bytes of the expression: `4:11: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {fault}", span.start, span.end)]
pub struct DurationError {
    /// Where the expression stands.
    pub span: Span,
    fault: &'static str,
}

/// 2⁶³ nanoseconds in seconds: what Prometheus' durations can hold.
const MAX_SECONDS: f64 = (1u64 << 63) as f64 / 1e9;

impl DurationArg {
    /// The milliseconds, if known.
    pub fn fixed(&self) -> Option<i64> {
        match self {
            Self::Fixed(ms) => Some(*ms),
            Self::Computed(_) => None,
        }
    }

    /// The expression, if there is one.
    pub fn expr(&self) -> Option<&DurationExpr> {
        match self {
            Self::Fixed(_) => None,
            Self::Computed(expr) => Some(expr),
        }
    }

    /// Whether it is written at all: an offset of zero is like none.
    pub(crate) fn is_set(&self) -> bool {
        *self != Self::Fixed(0)
    }

    fn resolve(&mut self, step_ms: i64, range_ms: i64, allowed: Allowed) -> Result<(), DurationError> {
        if let Self::Computed(expr) = self {
            let ms = expr.milliseconds(step_ms, range_ms, allowed)?;
            *self = Self::Fixed(ms);
        }
        Ok(())
    }
}

impl Default for DurationArg {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

/// Which results a duration may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Positive,
    Any,
}

impl DurationExpr {
    fn milliseconds(&self, step_ms: i64, range_ms: i64, allowed: Allowed) -> Result<i64, DurationError> {
        let seconds = self.seconds(step_ms, range_ms)?;
        if !seconds.is_finite() {
            return Err(self.error("duration is NaN or infinite"));
        }
        let ms = (seconds * 1000.0) as i64;
        if ms <= 0 && allowed == Allowed::Positive {
            return Err(self.error("duration must be greater than 0"));
        }
        if is_out_of_range(seconds) {
            return Err(self.error("duration is out of range"));
        }
        Ok(ms)
    }

    fn seconds(&self, step_ms: i64, range_ms: i64) -> Result<f64, DurationError> {
        let (op, left, right) = match &self.kind {
            DurationKind::Number(number) => return Ok(number.value),
            DurationKind::Step => return Ok(to_seconds(step_ms)),
            DurationKind::Range => return Ok(to_seconds(range_ms)),
            DurationKind::Unary(sign, expr) => return Ok(sign.apply(expr.seconds(step_ms, range_ms)?)),
            DurationKind::Binary(op, left, right) => (op, left, right),
        };
        let left = left.seconds(step_ms, range_ms)?;
        let right = right.seconds(step_ms, range_ms)?;
        Ok(match op {
            DurationOp::Add => left + right,
            DurationOp::Sub => left - right,
            DurationOp::Mul => left * right,
            DurationOp::Div if right == 0.0 => return Err(self.error("division by zero")),
            DurationOp::Div => left / right,
            DurationOp::Mod if right == 0.0 => return Err(self.error("modulo by zero")),
            DurationOp::Mod => left % right,
            DurationOp::Pow => left.powf(right),
            DurationOp::MinOf => smaller(left, right),
            DurationOp::MaxOf => -smaller(-left, -right),
        })
    }

    fn error(&self, fault: &'static str) -> DurationError {
        DurationError { span: self.span, fault }
    }
}

impl DurationOp {
    /// The operator; `None` for those that are no duration arithmetic.
    pub(crate) fn from_binary(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Add => Self::Add,
            BinaryOp::Sub => Self::Sub,
            BinaryOp::Mul => Self::Mul,
            BinaryOp::Div => Self::Div,
            BinaryOp::Mod => Self::Mod,
            BinaryOp::Pow => Self::Pow,
            _ => return None,
        })
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::MinOf => "min_of",
            Self::MaxOf => "max_of",
        }
    }
}

impl Expr {
    /// Computes all durations: afterwards each [`DurationArg`] is [`Fixed`](DurationArg::Fixed).
    ///
    /// `step_ms` and `range_ms` (from the first to the last step) are 0 for instant queries. Rests below a millisecond are
    /// cut off.
    ///
    /// # Errors
    /// If a range or a step is less than a millisecond, or a duration is none at all. The first one, outer selectors before
    /// inner ones; the tree is then partly computed.
    pub fn resolve_durations(&mut self, step_ms: i64, range_ms: i64) -> Result<(), DurationError> {
        let mut result = Ok(());
        self.walk_mut(&mut |expr| {
            result = expr.resolve_own_durations(step_ms, range_ms);
            if result.is_ok() { Descend::Into } else { Descend::Stop }
        });
        result
    }

    fn resolve_own_durations(&mut self, step_ms: i64, range_ms: i64) -> Result<(), DurationError> {
        let resolve = |arg: &mut DurationArg, allowed| arg.resolve(step_ms, range_ms, allowed);
        match self {
            Self::Vector(selector) => resolve(&mut selector.shift.offset, Allowed::Any),
            Self::Matrix(matrix) => {
                resolve(&mut matrix.range, Allowed::Positive)?;
                resolve(&mut matrix.selector.shift.offset, Allowed::Any)
            }
            Self::Subquery(subquery) => {
                resolve(&mut subquery.shift.offset, Allowed::Any)?;
                if let Some(step) = &mut subquery.step {
                    resolve(step, Allowed::Positive)?;
                }
                resolve(&mut subquery.range, Allowed::Positive)
            }
            _ => Ok(()),
        }
    }
}

impl NumberLiteral {
    /// The number as a duration, in whole milliseconds.
    pub(crate) fn to_ms(self) -> i64 {
        ((self.value * 1e9).round() as i64) / 1_000_000
    }
}

/// Whether Prometheus' durations, which count nanoseconds, cannot hold so many seconds.
pub(crate) fn is_out_of_range(seconds: f64) -> bool {
    seconds.abs() > MAX_SECONDS
}

/// Milliseconds in seconds, added up like Prometheus adds them, so that the last bit agrees.
pub(crate) fn to_seconds(ms: i64) -> f64 {
    (ms / 1000) as f64 + (ms % 1000 * 1_000_000) as f64 / 1e9
}

/// The smaller one, where −Inf is smaller than NaN, and NaN smaller than everything else.
fn smaller(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

#[cfg(test)]
mod tests {
    use crate::{ParseOptions, parse};

    /// The expression with its durations computed, for steps of 30 s over 10 min.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut expr = parse(text, &ParseOptions::ALL).unwrap();
        let shown = match expr.resolve_durations(30_000, 600_000) {
            Ok(()) => expr.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn durations_are_computed_in_seconds_and_cut_to_milliseconds() {
        for (text, expected) in [
            ("a[2 * step() + 1m]", "a[2m]"),
            ("a[range() / 7]", "a[1m25s714ms]"),
            ("a[(2 ^ 3) % 5]", "a[3s]"),
            ("a[-(step() - 1m)]", "a[30s]"),
            ("a offset -min_of(step(), range())", "a offset -30s"),
            ("a offset (step() - 30)", "a"),
            ("a[max_of(1, 2):(3)] offset +(4)", "a[2s:3s] offset 4s"),
            ("abs(a offset (5m)) + b offset step()", "abs(a offset 5m) + b offset 30s"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_bytes() {
        for (text, message) in [
            ("a[step() - 30]", "2:13: duration must be greater than 0"),
            ("a[step() / 1e6]", "2:14: duration must be greater than 0"),
            ("a[1m:(0 * 1m)]", "6:12: duration must be greater than 0"),
            ("a offset (1 / (step() - 30))", "10:26: division by zero"),
            ("a offset (1 % (step() - 30))", "10:26: modulo by zero"),
            ("a offset (NaN)", "9:14: duration is NaN or infinite"),
            ("a offset NaN", "9:12: duration is NaN or infinite"),
            ("a[10 ^ 1000]", "2:11: duration is NaN or infinite"),
            ("a[10 ^ 100]", "2:10: duration is out of range"),
        ] {
            check(text, message);
        }
    }
}
