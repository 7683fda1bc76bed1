//! The types of expressions.

use std::fmt;

/// What an expression evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number.
    Scalar,
    /// A text.
    String,
    /// One sample of each of many series: an instant vector.
    Vector,
    /// A range of samples of each of many series: a range vector.
    Matrix,
}

impl ValueType {
    /// The name in APIs: `vector`, `matrix`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
        }
    }

    /// The type of an operation on operands of these types.
    pub(crate) fn of_operation(left: Self, right: Self) -> Self {
        if (left, right) == (Self::Scalar, Self::Scalar) { Self::Scalar } else { Self::Vector }
    }
}

impl fmt::Display for ValueType {
    /// The name in documentation and in most messages: `instant vector`, `range vector`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            other => other.as_str(),
        })
    }
}
