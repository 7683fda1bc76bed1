//! What is wrong with a document.

use std::fmt;

use crate::SyntaxError;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1; 0 if the mistake has none.
    pub line: usize,
    /// The column, from 1; 0 if the mistake has none.
    pub column: usize,
    /// Where in the document: `scrape_configs[2].job_name`; empty at its root.
    pub path: String,
    /// What kind of mistake it is.
    pub kind: MistakeKind,
    /// What is wrong, in Prometheus' words.
    pub message: String,
}

/// How a document can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MistakeKind {
    /// It is no YAML. Nothing else was looked at.
    Syntax,
    /// A key is unknown or repeated, or a value is of the wrong kind.
    Shape,
    /// A value is of the right kind but not allowed.
    Value,
}

impl fmt::Display for Mistake {
    /// Writes what is wrong and where, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line != 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if self.kind == MistakeKind::Value && !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl From<SyntaxError> for Mistake {
    fn from(error: SyntaxError) -> Self {
        let SyntaxError { line, column, message } = error;
        Self { line, column, path: String::new(), kind: MistakeKind::Syntax, message }
    }
}

/// Everything that is wrong with a document: at least one mistake, in the order of the document.
///
/// What Prometheus would say is said in its words: all mistakes of shape together, or the one value that is not allowed.
/// Where it would have stopped early, there is a line for each mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] if only.kind == MistakeKind::Syntax => return write!(f, "yaml: {only}"),
            [only] if only.kind == MistakeKind::Value => return f.write_str(&only.message),
            all if all.iter().all(|mistake| mistake.kind == MistakeKind::Shape) => {
                f.write_str("yaml: unmarshal errors:")?;
            }
            all => write!(f, "{} mistakes:", all.len())?,
        }
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl From<SyntaxError> for Mistakes {
    fn from(error: SyntaxError) -> Self {
        Self(vec![error.into()])
    }
}
