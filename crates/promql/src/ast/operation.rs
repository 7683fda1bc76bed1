//! Expressions made of expressions.

use super::Expr;
use crate::{AggregateOp, BinaryOp, Function, Sign, Span, ValueType};

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// What it is given, in the order written.
    pub args: Vec<Expr>,
    /// Where the call stands, from the name to the closing parenthesis.
    pub span: Span,
}

/// An aggregation over groups of series.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    /// What is computed for each group.
    pub op: AggregateOp,
    /// What is aggregated: an instant vector.
    pub expr: Box<Expr>,
    /// There exactly for the operators with a [`param_type`](AggregateOp::param_type).
    pub param: Option<Box<Expr>>,
    /// What makes a group.
    pub grouping: Grouping,
    /// Where the aggregation stands, its clause included.
    pub span: Span,
}

/// What makes a group: `by (labels)` or `without (labels)`. `by ()`, which is one group, is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Names of labels, in the order written.
    pub labels: Vec<String>,
    /// Whether series differing in these labels are in one group, instead of those agreeing in them.
    pub without: bool,
}

/// An operator between two expressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// What stands before it: a scalar or an instant vector.
    pub left: Box<Expr>,
    /// What stands after it: a scalar or an instant vector.
    pub right: Box<Expr>,
    /// How series of the two sides find each other; there exactly if both sides are vectors.
    pub matching: Option<Box<VectorMatching>>,
    /// Whether a comparison answers 0 and 1 instead of filtering: `bool`.
    pub returns_bool: bool,
    /// Where both sides stand.
    pub span: Span,
}

/// How series of two vectors find each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorMatching {
    /// How many series of one side belong to how many of the other.
    pub cardinality: Cardinality,
    /// Names of labels, in the order written.
    pub labels: Vec<String>,
    /// Whether series must agree in exactly these labels, instead of in all others: `on` or `ignoring`.
    pub on: bool,
    /// Labels taken over from the "one" side: those in parentheses after `group_left` and `group_right`.
    pub include: Vec<String>,
    /// What stands for missing series.
    pub fill: Fill,
}

/// How many series of one side belong to how many of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cardinality {
    /// One to one.
    #[default]
    OneToOne,
    /// Many of the left side to one of the right: `group_left`.
    ManyToOne,
    /// One of the left side to many of the right: `group_right`.
    OneToMany,
    /// Any to any: set operators.
    ManyToMany,
}

impl Cardinality {
    /// The name in APIs: `one-to-one`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }

    /// Whether it comes from `group_left` or `group_right`.
    pub fn is_grouped(self) -> bool {
        matches!(self, Self::ManyToOne | Self::OneToMany)
    }
}

/// The value that stands for a series missing on one side, if any: `fill`, `fill_left`, `fill_right`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fill {
    /// For one missing on the left.
    pub left: Option<f64>,
    /// For one missing on the right.
    pub right: Option<f64>,
}

impl Fill {
    /// Whether a value is given for either side.
    pub fn is_some(self) -> bool {
        self.left.is_some() || self.right.is_some()
    }
}

/// A sign before an expression that is no number literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// The sign.
    pub sign: Sign,
    /// What stands after it: a scalar or an instant vector.
    pub expr: Box<Expr>,
    /// Where both stand.
    pub span: Span,
}

/// An expression in parentheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Paren {
    /// What is inside.
    pub expr: Box<Expr>,
    /// Where it stands, parentheses included.
    pub span: Span,
}

impl Call {
    pub(super) fn is_step_invariant(&self) -> bool {
        let is_safe = match self.args.as_slice() {
            [arg] if self.function.name == "timestamp" && matches!(arg.without_parens(), Expr::Vector(_)) => true,
            _ => !self.function.reads_time,
        };
        // The second argument of `info` is only written as a selector.
        let evaluated = if self.function.name == "info" { 1 } else { self.args.len() };
        is_safe && self.args.iter().take(evaluated).all(Expr::is_step_invariant)
    }
}

impl Binary {
    pub(super) fn value_type(&self) -> ValueType {
        ValueType::of_operation(self.left.value_type(), self.right.value_type())
    }
}
