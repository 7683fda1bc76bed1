//! Relabelling rules as users write them.

use model::NameScheme;
use relabel::{Error, Rule, RuleConfig};
use yaml::{At, Node, Output, Reader, Text, Value, as_text, record};

use crate::values::LabelName;

record! {
    /// A relabelling rule. What was not written has its default; what the action needs is there.
    pub struct RelabelRule: plain "*relabel.Config" {
        /// The labels whose values, joined, are the rule's value; `None` if nothing was written.
        pub source_labels: Option<Vec<LabelName>> => flow,
        /// What stands between joined values.
        pub separator: String = RuleConfig::DEFAULT_SEPARATOR.to_owned() => always,
        /// What the value, or the label's name, is matched against as a whole.
        pub regex: Pattern,
        /// For `hashmod`.
        pub modulus: u64,
        /// The label that is set or compared with.
        pub target_label: String,
        /// What a label is set to, with groups filled in.
        pub replacement: String = RuleConfig::DEFAULT_REPLACEMENT.to_owned() => always,
        /// What the rule does.
        pub action: Action = Action(Some(relabel::Action::Replace)),
    }
}

impl RelabelRule {
    /// The rule, ready to be applied; `names` says which label names are valid.
    ///
    /// # Errors
    /// Never for a rule of a configuration that was loaded and the names that hold there.
    pub fn compile(&self, names: NameScheme) -> Result<Rule, Error> {
        let sources = self.source_labels.as_ref();
        let config = RuleConfig {
            source_labels: sources.map(|names| names.iter().map(|name| name.0.clone()).collect()),
            separator: self.separator.clone(),
            regex: self.regex.0.clone(),
            modulus: self.modulus,
            target_label: self.target_label.clone(),
            replacement: self.replacement.clone(),
            action: self.action.0,
        };
        Rule::new(config, names)
    }
}

/// Rules, ready to be applied.
///
/// # Errors
/// Never for rules of a configuration that was loaded and the names that hold there.
pub fn compile(rules: &[RelabelRule], names: NameScheme) -> Result<Vec<Rule>, Error> {
    rules.iter().map(|rule| rule.compile(names)).collect()
}

/// A regular expression that compiles; `None` if none was written, which means `(.*)`.
///
/// Whether one was written matters: some actions take none, not even the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(pub Option<String>);

impl Value for Pattern {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Some(pattern) = reader.text::<String>(node) else { return };
        match re2::Regex::wrapped(&pattern) {
            Ok(_) => self.0 = Some(pattern),
            Err(error) => reader.invalid(node, error),
        }
    }

    fn clear(&mut self) {
        // Null is the empty expression, not the default one.
        self.0 = Some(String::new());
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn write(&self) -> Output {
        Output::Text(self.0.clone().unwrap_or_default())
    }

    fn go_type(&self) -> String {
        "string".to_owned()
    }
}

/// What a rule does; `None` is what `action: null` means, which no valid rule has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action(pub Option<relabel::Action>);

impl Text for Action {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(|action| Self(Some(action))).map_err(|error: Error| error.to_string())
    }

    fn print(&self) -> String {
        self.0.map(|action| action.to_string()).unwrap_or_default()
    }

    fn empty() -> Self {
        Self(None)
    }
}

as_text!(Action);

/// Checks a list of rules under `key`: only now, since which names are valid is said elsewhere in the document.
/// `null_message` is what is said about an entry that is null.
pub(crate) fn validate_rules(rules: &[RelabelRule], key: &str, names: NameScheme, null_message: &str, at: &mut At<'_>) {
    at.in_key(key, |at| {
        for (index, rule) in rules.iter().enumerate() {
            at.in_item(index, |at| {
                if at.node().is_null() {
                    at.invalid(null_message);
                } else if at.is_clean()
                    && let Err(error) = rule.compile(names)
                {
                    at.invalid_key(key_to_blame(&error), error);
                }
            });
        }
    });
}

fn key_to_blame(error: &Error) -> &'static str {
    match error {
        Error::UnknownAction(_) | Error::NoAction | Error::OnlySourceAndTarget(_) | Error::OnlyRegex(_) => "action",
        Error::NoModulus => "modulus",
        Error::NoTargetLabel(_) | Error::TargetLabel(..) => "target_label",
        Error::Replacement(_) | Error::LabelMapReplacement(_) => "replacement",
        Error::Regex(_) => "regex",
    }
}
