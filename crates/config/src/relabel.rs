//! Relabelling rules as users write them.

use model::quote;
use yaml::{At, Node, Output, Reader, Text, Value, as_text, record};

use crate::values::{LabelName, NameScheme};

record! {
    /// A relabelling rule. What was not written has its default; what the action needs is there.
    pub struct RelabelRule: plain "*relabel.Config" {
        /// The labels whose values, joined, are the rule's value; `None` if nothing was written.
        pub source_labels: Option<Vec<LabelName>> => flow,
        /// What stands between joined values.
        pub separator: String = ";".to_owned() => always,
        /// What the value, or the label's name, is matched against as a whole.
        pub regex: Pattern,
        /// For `hashmod`.
        pub modulus: u64,
        /// The label that is set or compared with.
        pub target_label: String,
        /// What a label is set to, with groups filled in.
        pub replacement: String = DEFAULT_REPLACEMENT.to_owned() => always,
        /// What the rule does; [`Action::Missing`] never in a valid rule.
        pub action: Action = Action::Replace,
    }
}

const DEFAULT_REPLACEMENT: &str = "$1";

/// A regular expression that compiles; `None` if none was written, which means `(.*)`.
///
/// Whether one was written matters: some actions take none, not even the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(pub Option<String>);

impl Value for Pattern {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Some(pattern) = reader.text(node, "string") else { return };
        match re2::Regex::anchored(&pattern) {
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

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Nothing: what `action: null` means, and an error.
    #[default]
    Missing,
    /// Sets a label if the value matches.
    Replace,
    /// Drops the label set unless the value matches.
    Keep,
    /// Drops the label set if the value matches.
    Drop,
    /// Drops the label set unless the value is that of the target label.
    KeepEqual,
    /// Drops the label set if the value is that of the target label.
    DropEqual,
    /// Sets a label to a hash of the value, modulo a number.
    HashMod,
    /// Copies labels whose names match to other names.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names do not match.
    LabelKeep,
    /// Sets a label to the value in small letters.
    Lowercase,
    /// Sets a label to the value in capital letters.
    Uppercase,
}

const ACTIONS: [(&str, Action); 11] = [
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

impl Text for Action {
    fn parse(text: &str) -> Result<Self, String> {
        let found = ACTIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, action)| *action).ok_or_else(|| format!("unknown relabel action {}", quote(text)))
    }

    fn print(&self) -> String {
        let found = ACTIONS.iter().find(|(_, action)| action == self);
        found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }

    fn empty() -> Self {
        Self::Missing
    }
}

as_text!(Action);

impl RelabelRule {
    /// Checks that the rule has what its action needs, and nothing else where that would be ignored.
    ///
    /// Only now, since which names are valid is said elsewhere in the document.
    pub(crate) fn validate(&self, names: NameScheme, at: &mut At<'_>) {
        if let Err((key, message)) = self.problem(names) {
            at.invalid_key(key, message);
        }
    }

    /// The first problem, in Prometheus' order, with the key to blame.
    fn problem(&self, names: NameScheme) -> Result<(), (&'static str, String)> {
        use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace, Uppercase};

        let action = self.action;
        let name = action.print();
        let has_target = matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
        let takes_no_replacement = matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual);
        let target = &self.target_label;
        let target_is_valid = || match action {
            Replace if names == NameScheme::Legacy && target.contains('$') => is_legacy_template(target),
            _ => names.allows_label(target),
        };
        let replacement_is_valid = || match names {
            NameScheme::Legacy => is_legacy_template(&self.replacement),
            _ => names.allows_label(&self.replacement),
        };
        let others_are_default = self.modulus == 0 && self.separator == ";" && self.replacement == DEFAULT_REPLACEMENT;
        let problem = if action == Action::Missing {
            ("action", "relabel action cannot be empty".to_owned())
        } else if action == HashMod && self.modulus == 0 {
            ("modulus", "relabel configuration for hashmod requires non-zero modulus".to_owned())
        } else if has_target && target.is_empty() {
            ("target_label", format!("relabel configuration for {name} action requires 'target_label' value"))
        } else if has_target && !target_is_valid() {
            ("target_label", format!("{} is invalid 'target_label' for {name} action", quote(target)))
        } else if takes_no_replacement && self.replacement != DEFAULT_REPLACEMENT {
            ("replacement", format!("'replacement' can not be set for {name} action"))
        } else if action == LabelMap && !replacement_is_valid() {
            ("replacement", format!("{} is invalid 'replacement' for {name} action", quote(&self.replacement)))
        } else if matches!(action, KeepEqual | DropEqual) && !(others_are_default && self.regex.0.is_none()) {
            ("action", format!("{name} action requires only 'source_labels' and `target_label`, and no other fields"))
        } else if matches!(action, LabelDrop | LabelKeep)
            && !(others_are_default && self.source_labels.is_none() && target.is_empty())
        {
            ("action", format!("{name} action requires only 'regex', and no other fields"))
        } else {
            return Ok(());
        };
        Err(problem)
    }
}

/// Whether a template is made of letters, digits, underscores and references, no digit first.
fn is_legacy_template(template: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut rest = template;
    while let Some(first) = rest.bytes().next() {
        if let Some(reference) = rest.strip_prefix('$') {
            let (name, after) = match reference.strip_prefix('{') {
                Some(braced) => match braced.split_once('}') {
                    Some(split) => split,
                    None => return false,
                },
                None => reference.split_at(reference.bytes().take_while(|byte| is_word(*byte)).count()),
            };
            if name.is_empty() || !name.bytes().all(is_word) {
                return false;
            }
            rest = after;
        } else if is_word(first) && !(rest.len() == template.len() && first.is_ascii_digit()) {
            rest = &rest[1..];
        } else {
            return false;
        }
    }
    !template.is_empty()
}

/// Checks a list of rules under `key`. `null_message` is what is said about an entry that is null.
pub(crate) fn validate_rules(rules: &[RelabelRule], key: &str, names: NameScheme, null_message: &str, at: &mut At<'_>) {
    at.in_key(key, |at| {
        for (index, rule) in rules.iter().enumerate() {
            at.in_item(index, |at| {
                if at.node().is_null() {
                    at.invalid(null_message);
                } else if at.is_clean() {
                    rule.validate(names, at);
                }
            });
        }
    });
}
