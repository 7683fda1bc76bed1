//! Conditions on one label.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::Labels;
use crate::names::is_legacy_label_name;
use crate::number::quote;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// The operator as it is written in PromQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A condition on the value of one label. A label that is absent has the empty value.
#[derive(Clone)]
pub struct Matcher {
    op: MatchOp,
    name: Arc<str>,
    value: Arc<str>,
    regex: Option<re2::Regex>, // Invariant: there is one exactly for Regex and NotRegex.
}

impl Matcher {
    /// A condition. Regular expressions are RE2's, match the whole value, and their dot matches a new line.
    ///
    /// # Errors
    /// If the value of a regular matcher does not compile.
    pub fn new(op: MatchOp, name: &str, value: &str) -> Result<Self, re2::Error> {
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(re2::Regex::anchored(value)?),
        };
        Ok(Self { op, name: name.into(), value: value.into(), regex })
    }

    /// `name="value"`.
    pub fn equal(name: &str, value: &str) -> Self {
        Self { op: MatchOp::Equal, name: name.into(), value: value.into(), regex: None }
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// The label it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it compares with: a value or a regular expression.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The compiled expression of `=~` and `!~`.
    pub fn regex(&self) -> Option<&re2::Regex> {
        self.regex.as_ref()
    }

    /// Whether a label with this value passes.
    pub fn matches(&self, value: &str) -> bool {
        match (&self.regex, self.op) {
            (None, MatchOp::NotEqual) => value != &*self.value,
            (None, _) => value == &*self.value,
            (Some(regex), MatchOp::NotRegex) => !regex.is_match(value),
            (Some(regex), _) => regex.is_match(value),
        }
    }

    /// Whether series without the label pass.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// Whether a label set passes.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.value(&self.name))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (self.op, &self.name, &self.value) == (other.op, &other.name, &other.value)
    }
}

impl Eq for Matcher {}

impl Hash for Matcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.op, &self.name, &self.value).hash(state);
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_legacy_label_name(&self.name) {
            f.write_str(&self.name)?;
        } else {
            f.write_str(&quote(&self.name))?;
        }
        write!(f, "{}{}", self.op.as_str(), quote(&self.value))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_see_absent_labels_as_empty() {
        let matcher = |op, value| Matcher::new(op, "a", value).unwrap();
        for (matcher, one, empty) in [
            (matcher(MatchOp::Equal, "1"), true, false),
            (matcher(MatchOp::NotEqual, "1"), false, true),
            (matcher(MatchOp::Regex, "1|2"), true, false),
            (matcher(MatchOp::Regex, ".*"), true, true),
            (matcher(MatchOp::NotRegex, ".+"), false, true),
        ] {
            let labels = Labels::from_pairs([("a", "1")]);
            assert_eq!((matcher.matches_labels(&labels), matcher.matches_empty()), (one, empty), "{matcher}");
        }
        assert_eq!(matcher(MatchOp::NotRegex, "a\"b").to_string(), r#"a!~"a\"b""#);
        assert_eq!(Matcher::equal("a.b", "c").to_string(), r#""a.b"="c""#);
        assert!(Matcher::new(MatchOp::Regex, "a", "(").is_err());
    }
}
