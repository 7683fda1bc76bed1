//! Everything that is wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use yaml::{Mistake, Mistakes};

/// Everything that is wrong with a configuration: at least one problem.
///
/// Written out, it says what Prometheus would say; where Prometheus stops at the first problem, it says all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<Error>);

/// What is wrong with one file, or with a pattern of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It says something wrong, at these places.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// It is fine in itself, but not here: another file has a scrape configuration of that name, or an agent does not do
    /// what it asks for.
    #[error("{0}")]
    Conflict(String),
}

impl Errors {
    /// Each mistake at a place in a file, with that file.
    pub fn mistakes(&self) -> impl Iterator<Item = (&PathBuf, &Mistake)> {
        self.0.iter().flat_map(|error| {
            let mistakes = match &error.problem {
                Problem::Mistakes(mistakes) => mistakes.0.as_slice(),
                Problem::Unreadable(_) | Problem::Conflict(_) => &[],
            };
            mistakes.iter().map(move |mistake| (&error.file, mistake))
        })
    }
}

impl std::error::Error for Errors {}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Mistakes(mistakes) => write!(f, "parsing YAML file {}: {mistakes}", self.file.display()),
            Problem::Unreadable(problem) => f.write_str(problem),
            Problem::Conflict(problem) => f.write_str(problem),
        }
    }
}
