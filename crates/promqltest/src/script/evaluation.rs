//! Queries of a script, and what they must come to.

use model::{Histogram, Labels};
use re2::Regex;

/// A query and what it must come to.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    pub(crate) query: String,
    pub(crate) times: Times,
    pub(crate) expectation: Expectation,
}

/// When a query is evaluated, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// What a query must come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expectation {
    /// It must fail, with a message like this if there is one.
    pub(crate) failure: Option<Option<Pattern>>,
    pub(crate) warnings: ExpectedAnnotations,
    pub(crate) infos: ExpectedAnnotations,
    /// The series must come in this order.
    pub(crate) is_ordered: bool,
    /// The result is a range vector whose points are at these times: start and step.
    pub(crate) range_vector: Option<(i64, i64)>,
    pub(crate) result: Expected,
}

/// What must be remarked, of warnings or of infos.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExpectedAnnotations {
    /// Nothing may be.
    pub(crate) is_forbidden: bool,
    /// If there are any: at least one must be; each of these must be, and nothing else. `None` stands for whatever it is.
    pub(crate) patterns: Vec<Option<Pattern>>,
}

/// What a text must be like.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Exactly(String),
    Regex(Regex),
}

/// A result.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Scalar(f64),
    String(String),
    Series(Vec<ExpectedSeries>),
}

/// A series with its points, one for each step.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedSeries {
    pub(crate) labels: Labels,
    pub(crate) points: Vec<ExpectedPoint>,
}

#[derive(Clone, Debug)]
pub(crate) enum ExpectedPoint {
    Missing,
    Float(f64),
    Histogram { histogram: Box<Histogram>, is_hint_given: bool },
}

impl Default for Expected {
    fn default() -> Self {
        Self::Series(Vec::new())
    }
}

impl Pattern {
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(exactly) => exactly == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Exactly(text) => text,
            Self::Regex(regex) => regex.as_str(),
        }
    }
}
