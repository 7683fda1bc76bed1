//! Variables of the environment in external labels.

use std::collections::BTreeSet;
use std::fmt;

use yaml::{Text, as_text};

/// A text in which variables are replaced when the document is complete. It is written with its dollar signs doubled, so
/// that it stays what it is when it is read again; Prometheus does not do that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded(pub(crate) String);

impl Text for Expanded {
    const NOUN: &'static str = "label value";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn print(&self) -> String {
        self.0.replace('$', "$$")
    }

    fn empty() -> Self {
        Self::default()
    }
}

as_text!(Expanded);

/// Replaces variables in texts, and remembers those that have no value.
pub(crate) struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    missing: BTreeSet<String>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("missing", &self.missing).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// A reader of the variables that `variable` knows.
    pub(crate) fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, missing: BTreeSet::new() }
    }

    /// The variables that were asked for and have no value, or an empty one.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    /// The text with `$name` and `${name}` replaced by what they stand for, and `$$` by a dollar sign, as Go's
    /// `os.Expand` does it.
    pub(crate) fn expand(&mut self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let (name, length) = name(after);
            match name {
                "" if length == 0 => expanded.push('$'),
                // A brace without a name, or one that is not closed, is dropped.
                "" => {}
                "$" => expanded.push('$'),
                name => expanded.push_str(&self.value(name)),
            }
            rest = &after[length..];
        }
        expanded + rest
    }

    fn value(&mut self, name: &str) -> String {
        let value = (self.variable)(name).unwrap_or_default();
        if value.is_empty() {
            self.missing.insert(name.to_owned());
        }
        value
    }
}

/// The name of the variable at the start of a text that follows a dollar sign, and how long it is with its braces.
fn name(text: &str) -> (&str, usize) {
    let is_special = |c: char| "*#$@!?-".contains(c) || c.is_ascii_digit();
    match text.chars().next() {
        Some('{') => match text.find('}') {
            // `${` alone is dropped, without what follows.
            None => ("", 1),
            Some(1) => ("", 2),
            Some(end) => (&text[1..end], end + 1),
        },
        Some(c) if is_special(c) => (&text[..1], 1),
        _ => {
            let end = text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(text.len());
            (&text[..end], end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let variable = |name: &str| (name == "TEST").then(|| "value".to_owned());
        let mut reader = Reader::new(&variable);
        for (text, expanded) in [
            ("foo${TEST}bar", "foovaluebar"),
            ("$TEST-x", "value-x"),
            ("$TESTx", ""),
            ("foo$$bar", "foo$bar"),
            ("foo$${TEST}", "foo${TEST}"),
            ("100$ and $", "100$ and $"),
            ("a${}b${c", "abc"),
            ("$1x", "x"),
        ] {
            assert_eq!(reader.expand(text), expanded, "{text}");
        }
        assert_eq!(reader.missing().collect::<Vec<_>>(), ["1", "TESTx"]);
    }
}
