//! Regular expressions as Go's `regexp` package reads them.

use std::fmt;

/// A compiled expression that matches whole texts: `^(?s:expression)$`.
#[derive(Clone)]
pub struct Regex {
    pattern: Box<str>,
    compiled: regex::Regex,
}

/// Why an expression does not compile. The message is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {0}")]
pub struct Error(String);

impl Regex {
    /// Compiles `pattern`, anchored at both ends; a dot matches a new line too.
    ///
    /// # Errors
    /// If Go would refuse the expression.
    pub fn anchored(pattern: &str) -> Result<Self, Error> {
        let compiled = regex::Regex::new(&format!("^(?s:{pattern})$")).map_err(|error| Error(error.to_string()))?;
        Ok(Self { pattern: pattern.into(), compiled })
    }

    /// Whether the whole of `text` matches.
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// The expression as it was given.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.pattern)
    }
}
