//! Expressions that read samples.

use model::Matcher;

use super::{DurationArg, Expr};
use crate::Span;

/// The series that satisfy all matchers, at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The metric name, if it stands before the braces.
    pub name: Option<Box<str>>,
    /// All conditions in the order written; last the one on the metric name, if it stands before the braces.
    pub matchers: Vec<Matcher>,
    /// Of which time.
    pub shift: TimeShift,
    /// How the edges are dealt with.
    pub extension: Option<Extension>,
    /// Where it stands, with `@` and `offset`.
    pub span: Span,
}

/// The series that satisfy all matchers, over a range of time.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// Which series, and of which time the range ends. Its span ends before the bracket.
    pub selector: VectorSelector,
    /// How far the range reaches back. At least a millisecond.
    pub range: DurationArg,
    /// Where it stands, with `@` and `offset`.
    pub span: Span,
}

/// An instant vector evaluated many times over a range of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Box<Expr>,
    /// How far the range reaches back. At least a millisecond.
    pub range: DurationArg,
    /// How far the evaluations are apart, at least a millisecond; if `None`, as the server's evaluation interval says.
    pub step: Option<DurationArg>,
    /// Of which time the range ends.
    pub shift: TimeShift,
    /// Where it stands, with `@` and `offset`.
    pub span: Span,
}

/// `@` and `offset`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeShift {
    /// The time that is looked at, instead of the evaluation time.
    pub at: Option<At>,
    /// How far to look back from there. Negative looks ahead.
    pub offset: DurationArg,
}

/// A fixed time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// `@ 1609746000`, in milliseconds since the Unix epoch.
    Time(i64),
    /// `@ start()`: the first step of the query.
    Start,
    /// `@ end()`: the last step of the query.
    End,
}

/// How the edges of a selection are dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extension {
    /// `anchored`: the last sample at or before an edge counts for the edge.
    Anchored,
    /// `smoothed`: values at the edges are interpolated.
    Smoothed,
}

impl Extension {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anchored => "anchored",
            Self::Smoothed => "smoothed",
        }
    }
}

impl VectorSelector {
    /// The metric name that stands before the braces; empty if there is none.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}
