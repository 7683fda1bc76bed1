//! `label_replace` and `label_join`.

use model::{LabelsBuilder, METRIC_NAME};
use re2::{Regex, Template};
use series::QueryError;

use crate::identity::Identity;
use crate::table::Table;

/// Sets a label to what a regular expression finds in another one.
#[derive(Debug)]
pub(crate) struct LabelReplace {
    target: String,
    source: String,
    regex: Regex,
    replacement: Template,
}

/// Sets a label to the values of others, joined.
#[derive(Debug)]
pub(crate) struct LabelJoin {
    target: String,
    separator: String,
    sources: Vec<String>,
}

impl LabelReplace {
    /// # Errors
    /// If the expression is none, or the target no name.
    pub(crate) fn new(target: &str, replacement: &str, source: &str, pattern: &str) -> Result<Self, QueryError> {
        let Ok(regex) = Regex::wrapped(pattern) else {
            let message = format!("invalid regular expression in label_replace(): {pattern}");
            return Err(QueryError::Execution(message));
        };
        check_name(target, "destination", "label_replace")?;
        let replacement = Template::new(replacement, &regex);
        Ok(Self { target: target.to_owned(), source: source.to_owned(), regex, replacement })
    }

    /// Series whose source does not match stay as they are.
    pub(super) fn apply(&self, table: &mut Table) {
        let mut value = String::new();
        for id in table.identities_mut() {
            let source = id.value(&self.source);
            if let Some(captures) = self.regex.captures(source) {
                value.clear();
                self.replacement.expand(source, &captures, &mut value);
                *id = with_label(id, &self.target, &value);
            }
        }
    }
}

impl LabelJoin {
    /// # Errors
    /// If a source or the target is no name.
    pub(crate) fn new(target: &str, separator: &str, sources: Vec<String>) -> Result<Self, QueryError> {
        for source in &sources {
            check_name(source, "source", "label_join")?;
        }
        check_name(target, "destination", "label_join")?;
        Ok(Self { target: target.to_owned(), separator: separator.to_owned(), sources })
    }

    pub(super) fn apply(&self, table: &mut Table) {
        for id in table.identities_mut() {
            let values: Vec<&str> = self.sources.iter().map(|source| id.value(source)).collect();
            let joined = values.join(&self.separator);
            *id = with_label(id, &self.target, &joined);
        }
    }
}

fn check_name(name: &str, which: &str, function: &str) -> Result<(), QueryError> {
    // Bytes that are no UTF-8 were replaced when the expression was read.
    if name.is_empty() || name.contains(char::REPLACEMENT_CHARACTER) {
        let message = format!("invalid {which} label name in {function}(): {name}");
        return Err(QueryError::Execution(message));
    }
    Ok(())
}

/// The series with another value of a label. A new name stays to the end.
fn with_label(id: &Identity, name: &str, value: &str) -> Identity {
    let mut labels = LabelsBuilder::from(id.labels());
    labels.set(name, value);
    Identity::marked(labels.build(), id.is_to_drop() && name != METRIC_NAME)
}
