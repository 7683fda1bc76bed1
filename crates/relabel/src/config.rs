//! A rule as users write it, and what may be wrong with it.

use std::fmt;
use std::str::FromStr;

use model::{NameScheme, quote};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
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

impl Action {
    const ALL: [Self; 11] = [
        Self::Replace,
        Self::Keep,
        Self::Drop,
        Self::KeepEqual,
        Self::DropEqual,
        Self::HashMod,
        Self::LabelMap,
        Self::LabelDrop,
        Self::LabelKeep,
        Self::Lowercase,
        Self::Uppercase,
    ];

    /// The word in configurations, in small letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::KeepEqual => "keepequal",
            Self::DropEqual => "dropequal",
            Self::HashMod => "hashmod",
            Self::LabelMap => "labelmap",
            Self::LabelDrop => "labeldrop",
            Self::LabelKeep => "labelkeep",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = Error;

    /// Reads the word of an action, in letters of any case.
    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| Error::UnknownAction(word.to_owned()))
    }
}

/// A rule as users write it; [`Default`] is what counts where they write nothing.
///
/// Some checks depend on whether a field was written at all, which is what the options are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleConfig {
    /// The labels whose values, joined, are the rule's value; absent ones count as empty.
    pub source_labels: Option<Vec<String>>,
    /// What stands between joined values.
    pub separator: String,
    /// What the value, or the label's name, is matched against: RE2, whole texts. Without one, [`RuleConfig::DEFAULT_REGEX`].
    pub regex: Option<String>,
    /// For `hashmod`.
    pub modulus: u64,
    /// The label that is set. `replace` fills in groups of the regular expression.
    pub target_label: String,
    /// What it is set to, with groups filled in; for `labelmap`, the names that labels are copied to.
    pub replacement: String,
    /// What the rule does; `None` is what `action: null` means, and an error.
    pub action: Option<Action>,
}

impl RuleConfig {
    /// The separator where none is written.
    pub const DEFAULT_SEPARATOR: &str = ";";
    /// The regular expression where none is written.
    pub const DEFAULT_REGEX: &str = "(.*)";
    /// The replacement where none is written.
    pub const DEFAULT_REPLACEMENT: &str = "$1";

    /// Checks everything but the regular expression, in the order in which Prometheus does.
    pub(crate) fn validate(&self, names: NameScheme) -> Result<Action, Error> {
        use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace, Uppercase};

        let action = self.action.ok_or(Error::NoAction)?;
        let has_target = matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
        let takes_no_replacement = matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual);
        if action == HashMod && self.modulus == 0 {
            return Err(Error::NoModulus);
        }
        if has_target && self.target_label.is_empty() {
            return Err(Error::NoTargetLabel(action));
        }
        let target_is_valid = match action {
            Replace => is_valid_template(&self.target_label, names),
            _ => names.allows_label(&self.target_label),
        };
        if has_target && !target_is_valid {
            return Err(Error::TargetLabel(self.target_label.clone(), action));
        }
        if takes_no_replacement && self.replacement != Self::DEFAULT_REPLACEMENT {
            return Err(Error::Replacement(action));
        }
        if action == LabelMap && !is_valid_label_map(&self.replacement, names) {
            return Err(Error::LabelMapReplacement(self.replacement.clone()));
        }
        let others_are_default = self.modulus == 0
            && self.separator == Self::DEFAULT_SEPARATOR
            && self.replacement == Self::DEFAULT_REPLACEMENT;
        if matches!(action, KeepEqual | DropEqual) && !(others_are_default && self.regex.is_none()) {
            return Err(Error::OnlySourceAndTarget(action));
        }
        if matches!(action, LabelDrop | LabelKeep)
            && !(others_are_default && self.source_labels.is_none() && self.target_label.is_empty())
        {
            return Err(Error::OnlyRegex(action));
        }
        Ok(action)
    }
}

impl Default for RuleConfig {
    fn default() -> Self {
        Self {
            source_labels: None,
            separator: Self::DEFAULT_SEPARATOR.to_owned(),
            regex: None,
            modulus: 0,
            target_label: String::new(),
            replacement: Self::DEFAULT_REPLACEMENT.to_owned(),
            action: Some(Action::Replace),
        }
    }
}

/// Why a rule is none. The messages are Prometheus'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A word that names no action.
    #[error("unknown relabel action {}", quote(.0))]
    UnknownAction(String),
    /// The action is null.
    #[error("relabel action cannot be empty")]
    NoAction,
    /// A hash without modulus.
    #[error("relabel configuration for hashmod requires non-zero modulus")]
    NoModulus,
    /// Nothing to set or to compare with.
    #[error("relabel configuration for {0} action requires 'target_label' value")]
    NoTargetLabel(Action),
    /// A target that is no label name, or no template of one.
    #[error("{} is invalid 'target_label' for {} action", quote(.0), .1)]
    TargetLabel(String, Action),
    /// The action replaces nothing.
    #[error("'replacement' can not be set for {0} action")]
    Replacement(Action),
    /// Labels would get invalid names.
    #[error("{} is invalid 'replacement' for labelmap action", quote(.0))]
    LabelMapReplacement(String),
    /// The action compares two values and uses nothing else.
    #[error("{0} action requires only 'source_labels' and `target_label`, and no other fields")]
    OnlySourceAndTarget(Action),
    /// The action looks at names only.
    #[error("{0} action requires only 'regex', and no other fields")]
    OnlyRegex(Action),
    /// The regular expression does not compile.
    #[error(transparent)]
    Regex(#[from] re2::Error),
}

/// Whether a target label is a name, or a template that may become one.
fn is_valid_template(template: &str, names: NameScheme) -> bool {
    match names {
        NameScheme::Legacy if template.contains('$') => is_legacy_template(template),
        _ => names.allows_label(template),
    }
}

fn is_valid_label_map(replacement: &str, names: NameScheme) -> bool {
    match names {
        NameScheme::Utf8 => names.allows_label(replacement),
        NameScheme::Legacy => is_legacy_template(replacement),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(config: RuleConfig, names: NameScheme, message: &str) {
        assert_eq!(config.validate(names).unwrap_err().to_string(), message);
    }

    fn rule(action: &str, target_label: &str) -> RuleConfig {
        RuleConfig {
            action: Some(action.parse().unwrap()),
            target_label: target_label.to_owned(),
            ..RuleConfig::default()
        }
    }

    #[test]
    fn mistakes_are_told_in_prometheus_words() {
        let utf8 = NameScheme::Utf8;
        let legacy = NameScheme::Legacy;
        assert_eq!("Replce".parse::<Action>().unwrap_err().to_string(), "unknown relabel action \"Replce\"");
        assert_eq!("KeepEqual".parse(), Ok(Action::KeepEqual));
        let no_action = RuleConfig { action: None, ..RuleConfig::default() };
        refused(no_action, utf8, "relabel action cannot be empty");
        refused(rule("hashmod", ""), utf8, "relabel configuration for hashmod requires non-zero modulus");
        refused(rule("replace", ""), utf8, "relabel configuration for replace action requires 'target_label' value");
        refused(rule("replace", "a-b"), legacy, "\"a-b\" is invalid 'target_label' for replace action");
        refused(rule("lowercase", "${3}"), legacy, "\"${3}\" is invalid 'target_label' for lowercase action");
        let replacement = |action, target, replacement: &str| RuleConfig {
            replacement: replacement.to_owned(),
            ..rule(action, target)
        };
        refused(replacement("lowercase", "a", "x"), utf8, "'replacement' can not be set for lowercase action");
        refused(replacement("labelmap", "", "a-$1"), legacy, "\"a-$1\" is invalid 'replacement' for labelmap action");
        refused(replacement("labelmap", "", ""), utf8, "\"\" is invalid 'replacement' for labelmap action");
        let with_regex = RuleConfig { regex: Some(RuleConfig::DEFAULT_REGEX.to_owned()), ..rule("dropequal", "a") };
        refused(
            with_regex,
            utf8,
            "dropequal action requires only 'source_labels' and `target_label`, and no other fields",
        );
        let with_sources = RuleConfig { source_labels: Some(Vec::new()), ..rule("labeldrop", "") };
        refused(with_sources, utf8, "labeldrop action requires only 'regex', and no other fields");
        assert_eq!(rule("labelkeep", "").validate(utf8), Ok(Action::LabelKeep));
        assert_eq!(rule("replace", "a.b${1}").validate(utf8), Ok(Action::Replace));
    }
}
