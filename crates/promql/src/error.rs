//! Why a text is no expression.

use std::fmt;

use crate::{Position, Span};

/// Why a text could not be read. The messages are Prometheus', so that users and their tools find what they know.
///
/// One struct instead of an enum of some sixty faults: to every caller they are the same thing, a bad request whose place
/// is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: parse error: {message}", Place(*.position))]
pub struct ParseError {
    message: Box<str>,
    span: Span,
    position: Option<Position>, // None for an empty text, which has no place to point at.
}

impl ParseError {
    pub(crate) fn new(text: &str, span: Span, message: impl Into<Box<str>>) -> Self {
        Self { message: message.into(), span, position: (!text.is_empty()).then(|| span.position(text)) }
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes that are wrong; empty at the end of the text.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The line and the column where they start; `None` if the text is empty.
    pub fn position(&self) -> Option<Position> {
        self.position
    }
}

struct Place(Option<Position>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(position) => position.fmt(f),
            None => f.write_str("unknown position"),
        }
    }
}
