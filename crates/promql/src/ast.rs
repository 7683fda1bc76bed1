//! The tree of an expression.

mod duration;
mod operation;
mod selector;

pub use duration::{DurationArg, DurationError, DurationExpr, DurationKind, DurationOp};
pub(crate) use duration::{is_out_of_range, to_seconds};
pub use operation::{Aggregation, Binary, Call, Cardinality, Fill, Grouping, Paren, Unary, VectorMatching};
pub use selector::{At, Extension, MatrixSelector, Subquery, TimeShift, VectorSelector};

use crate::{Span, ValueType};

/// An expression.
///
/// What [`parse`](crate::parse) returns is well typed, and so shallow that recursion over it is safe (see
/// [`MAX_OPERATORS`](crate::MAX_OPERATORS)). Trees are compared with their places in the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `42`, `1h30m`
    Number(NumberLiteral),
    /// `"text"`
    String(StringLiteral),
    /// `up{job="api"} offset 5m`
    Vector(VectorSelector),
    /// `up{job="api"}[5m] offset 5m`
    Matrix(MatrixSelector),
    /// `rate(up[5m])[1h:1m]`
    Subquery(Subquery),
    /// `rate(up[5m])`
    Call(Call),
    /// `sum by (job) (up)`
    Aggregation(Aggregation),
    /// `a + on (job) b`
    Binary(Binary),
    /// `-a`
    Unary(Unary),
    /// `(a)`
    Paren(Paren),
}

/// A number. A sign directly before it is part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberLiteral {
    /// Its value; of a duration, in seconds.
    pub value: f64,
    /// Whether it was written as a duration, and is printed as one.
    pub is_duration: bool,
    /// Where it stands.
    pub span: Span,
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringLiteral {
    /// What is between the quotes, with escapes resolved. Bytes that are no UTF-8 (`"\xff"`) became U+FFFD.
    pub value: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

impl Expr {
    /// Where the expression stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Number(number) => number.span,
            Self::String(string) => string.span,
            Self::Vector(selector) => selector.span,
            Self::Matrix(selector) => selector.span,
            Self::Subquery(subquery) => subquery.span,
            Self::Call(call) => call.span,
            Self::Aggregation(aggregation) => aggregation.span,
            Self::Binary(binary) => binary.span,
            Self::Unary(unary) => unary.span,
            Self::Paren(paren) => paren.span,
        }
    }

    /// What the expression evaluates to. O(depth).
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Vector(_) | Self::Aggregation(_) => ValueType::Vector,
            Self::Matrix(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Call(call) => call.function.returns,
            Self::Binary(binary) => binary.value_type(),
            Self::Unary(unary) => unary.expr.value_type(),
            Self::Paren(paren) => paren.expr.value_type(),
        }
    }

    /// The expression inside all parentheses around this one.
    pub fn without_parens(&self) -> &Self {
        let mut expr = self;
        while let Self::Paren(paren) = expr {
            expr = &paren.expr;
        }
        expr
    }

    /// Which series are selected, if this is a vector or matrix selector.
    pub fn selector(&self) -> Option<&VectorSelector> {
        match self {
            Self::Vector(selector) => Some(selector),
            Self::Matrix(matrix) => Some(&matrix.selector),
            _ => None,
        }
    }

    /// The `@` and `offset` of a selector or a subquery; `None` for other expressions, which cannot have them.
    pub fn shift(&self) -> Option<&TimeShift> {
        match self {
            Self::Vector(selector) => Some(&selector.shift),
            Self::Matrix(matrix) => Some(&matrix.selector.shift),
            Self::Subquery(subquery) => Some(&subquery.shift),
            _ => None,
        }
    }

    /// [`Self::shift`], to be changed.
    pub fn shift_mut(&mut self) -> Option<&mut TimeShift> {
        match self {
            Self::Vector(selector) => Some(&mut selector.shift),
            Self::Matrix(matrix) => Some(&mut matrix.selector.shift),
            Self::Subquery(subquery) => Some(&mut subquery.shift),
            _ => None,
        }
    }

    /// Whether all steps of a range query have the same result, so that one evaluation serves them all.
    ///
    /// As Prometheus sees it: selectors and subqueries need an `@`, functions must not read the evaluation time, except
    /// that `timestamp` of a selector with an `@` is fine, and neither the parameter of an aggregation nor the second
    /// argument of `info` is looked at.
    /// O(size of the expression).
    pub fn is_step_invariant(&self) -> bool {
        match self {
            Self::Number(_) | Self::String(_) => true,
            Self::Vector(_) | Self::Matrix(_) | Self::Subquery(_) => {
                self.shift().is_some_and(|shift| shift.at.is_some())
            }
            Self::Call(call) => call.is_step_invariant(),
            Self::Aggregation(aggregation) => aggregation.expr.is_step_invariant(),
            Self::Binary(binary) => binary.left.is_step_invariant() && binary.right.is_step_invariant(),
            Self::Unary(unary) => unary.expr.is_step_invariant(),
            Self::Paren(paren) => paren.expr.is_step_invariant(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{ParseOptions, parse};

    #[test]
    fn what_does_not_look_at_the_time_is_step_invariant() {
        for (text, expected) in [
            ("1 + 2", true),
            ("a", false),
            ("a @ 1", true),
            ("rate(a[5m] @ end())", true),
            ("rate(a[5m])", false),
            ("max_over_time(a[5m:] @ 1)", true),
            ("max_over_time((a @ 1)[5m:])", false),
            ("a @ 1 + b", false),
            ("-(a @ 1)", true),
            ("time()", false),
            ("timestamp(a @ 1)", true),
            ("timestamp(((a @ 1)))", true),
            ("timestamp(abs(a @ 1))", false),
            ("timestamp(a)", false),
            ("predict_linear(a[5m] @ 1, 5)", false),
            ("topk(scalar(a), b @ 1)", true),
            ("info(a @ 1, {b=\"c\"})", true),
            ("info(a, {b=\"c\"})", false),
        ] {
            let expr = parse(text, &ParseOptions::ALL).unwrap();
            assert_eq!(expr.is_step_invariant(), expected, "{text}");
        }
    }

    #[test]
    fn parentheses_can_be_looked_through() {
        let expr = parse("((a))", &ParseOptions::ALL).unwrap();
        assert_eq!(expr.without_parens().selector().map(|selector| selector.name()), Some("a"));
        assert!(expr.selector().is_none() && expr.shift().is_none());
    }
}
