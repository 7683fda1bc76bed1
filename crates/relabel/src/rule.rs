//! Rules, ready to be applied.

use std::borrow::Cow;

use md5::{Digest, Md5};
use model::{Labels, LabelsBuilder, NameScheme};
use re2::{Regex, Template};

use crate::case::{to_lower, to_upper};
use crate::config::{Action, Error, RuleConfig};

/// Whether a label set is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Keep {
    /// It is, as changed.
    Yes,
    /// It is dropped; how far it was changed means nothing.
    No,
}

/// A rule that was checked and compiled.
#[derive(Clone, Debug)]
pub struct Rule {
    config: RuleConfig,
    names: NameScheme,
    operation: Operation,
}

/// What a rule does, with what only that needs.
#[derive(Clone, Debug)]
enum Operation {
    Replace { regex: Regex, target: Template, replacement: Template },
    Keep(Regex),
    Drop(Regex),
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap(Regex, Template),
    LabelDrop(Regex),
    LabelKeep(Regex),
    Lowercase,
    Uppercase,
}

impl PartialEq for Rule {
    /// Rules that were written alike do alike.
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.names == other.names
    }
}

impl Eq for Rule {}

impl Rule {
    /// Checks and compiles a rule; `names` says which label names are valid.
    ///
    /// # Errors
    /// If the regular expression does not compile, or fields are missing, wrong, or superfluous for the action.
    pub fn new(config: RuleConfig, names: NameScheme) -> Result<Self, Error> {
        let regex = Regex::wrapped(config.regex.as_deref().unwrap_or(RuleConfig::DEFAULT_REGEX))?;
        let replacement = Template::new(&config.replacement, &regex);
        let operation = match config.validate(names)? {
            Action::Replace => {
                Operation::Replace { target: Template::new(&config.target_label, &regex), replacement, regex }
            }
            Action::Keep => Operation::Keep(regex),
            Action::Drop => Operation::Drop(regex),
            Action::KeepEqual => Operation::KeepEqual,
            Action::DropEqual => Operation::DropEqual,
            Action::HashMod => Operation::HashMod,
            Action::LabelMap => Operation::LabelMap(regex, replacement),
            Action::LabelDrop => Operation::LabelDrop(regex),
            Action::LabelKeep => Operation::LabelKeep(regex),
            Action::Lowercase => Operation::Lowercase,
            Action::Uppercase => Operation::Uppercase,
        };
        Ok(Self { config, names, operation })
    }

    /// The rule as it was written.
    pub fn config(&self) -> &RuleConfig {
        &self.config
    }

    /// Applies the rule to a label set.
    pub fn apply(&self, labels: &mut LabelsBuilder) -> Keep {
        let keep_if = |condition| if condition { Keep::Yes } else { Keep::No };
        let target = self.config.target_label.as_str();
        let equals_target = |labels: &LabelsBuilder| labels.get(target).unwrap_or_default() == self.value(labels);
        match &self.operation {
            Operation::Keep(regex) => return keep_if(regex.is_match(&self.value(labels))),
            Operation::Drop(regex) => return keep_if(!regex.is_match(&self.value(labels))),
            Operation::KeepEqual => return keep_if(equals_target(labels)),
            Operation::DropEqual => return keep_if(!equals_target(labels)),
            Operation::Replace { regex, target, replacement } => {
                if let Some((name, value)) = self.replace(labels, regex, target, replacement) {
                    labels.set(&name, &value);
                }
            }
            Operation::HashMod => {
                let hash = hash(&self.value(labels)) % self.config.modulus;
                labels.set(target, &hash.to_string());
            }
            Operation::Lowercase => {
                let value = to_lower(&self.value(labels));
                labels.set(target, &value);
            }
            Operation::Uppercase => {
                let value = to_upper(&self.value(labels));
                labels.set(target, &value);
            }
            Operation::LabelMap(regex, template) => map_labels(labels, regex, template),
            Operation::LabelDrop(regex) => {
                labels.retain(|name, _| !regex.is_match(name));
            }
            Operation::LabelKeep(regex) => {
                labels.retain(|name, _| regex.is_match(name));
            }
        }
        Keep::Yes
    }

    /// The values of the source labels, joined.
    fn value<'a>(&self, labels: &'a LabelsBuilder) -> Cow<'a, str> {
        let sources = self.config.source_labels.as_deref().unwrap_or_default();
        let value = |name: &String| labels.get(name).unwrap_or_default();
        match sources {
            [] => Cow::Borrowed(""),
            [only] => Cow::Borrowed(value(only)),
            [first, others @ ..] => {
                let mut joined = value(first).to_owned();
                for name in others {
                    joined.push_str(&self.config.separator);
                    joined.push_str(value(name));
                }
                Cow::Owned(joined)
            }
        }
    }

    /// The label that `replace` sets, if the value matches and the target becomes a valid name.
    fn replace(
        &self,
        labels: &LabelsBuilder,
        regex: &Regex,
        target: &Template,
        replacement: &Template,
    ) -> Option<(String, String)> {
        let value = self.value(labels);
        let (name, value) = match (target.as_constant(), replacement.as_constant()) {
            (Some(name), Some(constant)) => regex.is_match(&value).then(|| (name.to_owned(), constant.to_owned()))?,
            _ => {
                let captures = regex.captures(&value)?;
                let [mut name, mut replaced] = [String::new(), String::new()];
                target.expand(&value, &captures, &mut name);
                replacement.expand(&value, &captures, &mut replaced);
                (name, replaced)
            }
        };
        self.names.allows_label(&name).then_some((name, value))
    }
}

/// Applies rules in order, until one drops the label set.
pub fn apply(rules: &[Rule], labels: &mut LabelsBuilder) -> Keep {
    for rule in rules {
        if rule.apply(labels) == Keep::No {
            return Keep::No;
        }
    }
    Keep::Yes
}

/// What a rule made of a label set, for people who look for a mistake in their rules.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The labels after it; empty once the label set is dropped.
    pub labels: Labels,
    /// Whether the label set is kept so far.
    pub keep: Keep,
}

/// Applies rules in order and shows each step; rules after one that drops the label set change nothing.
pub fn steps<'a>(rules: &'a [Rule], labels: &Labels) -> Vec<Step<'a>> {
    let mut builder = LabelsBuilder::from(labels);
    let mut keep = Keep::Yes;
    let step = |rule: &'a Rule| {
        if keep == Keep::Yes {
            keep = rule.apply(&mut builder);
        }
        let labels = match keep {
            Keep::Yes => builder.build(),
            Keep::No => Labels::empty(),
        };
        Step { rule, labels, keep }
    };
    rules.iter().map(step).collect()
}

/// Copies labels whose names match. All see the set as it was before; of copies to one name, the last one counts.
fn map_labels(labels: &mut LabelsBuilder, regex: &Regex, template: &Template) {
    let matching = labels.iter().filter(|(name, _)| regex.is_match(name));
    let copies: Vec<_> = matching.map(|(name, value)| (regex.replace_all(name, template), value.to_owned())).collect();
    for (name, value) in &copies {
        labels.set(name, value);
    }
}

/// The last eight bytes of the MD5 of a text: what Prometheus has always spread targets by.
fn hash(text: &str) -> u64 {
    let digest: [u8; 16] = Md5::digest(text.as_bytes()).into();
    let [.., a, b, c, d, e, f, g, h] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(action: &str, source: &str, regex: &str, target: &str, replacement: &str) -> Rule {
        let config = RuleConfig {
            source_labels: (!source.is_empty()).then(|| source.split(',').map(str::to_owned).collect()),
            regex: Some(regex.to_owned()),
            target_label: target.to_owned(),
            replacement: replacement.to_owned(),
            action: Some(action.parse().unwrap()),
            ..RuleConfig::default()
        };
        Rule::new(config, NameScheme::Utf8).unwrap()
    }

    #[track_caller]
    fn check(rule: &Rule, expected: Option<&str>) {
        let labels = Labels::from_pairs([("__name__", "up"), ("a", "Foo"), ("b", "bar")]);
        let mut builder = LabelsBuilder::from(&labels);
        let keep = rule.apply(&mut builder);
        let found = (keep == Keep::Yes).then(|| builder.build().to_string());
        assert_eq!(found.as_deref(), expected, "{rule:?}");
    }

    #[test]
    fn actions_do_what_they_say() {
        let unchanged = Some(r#"up{a="Foo", b="bar"}"#);
        check(&rule("replace", "a,b", "Foo;(.*)", "c", "$1"), Some(r#"up{a="Foo", b="bar", c="bar"}"#));
        check(&rule("replace", "a", "foo", "c", "x"), unchanged);
        check(&rule("replace", "a", ".*", "b", ""), Some(r#"up{a="Foo"}"#));
        check(&rule("replace", "a", "F(o*)(x?)", "$2", "y"), unchanged);
        check(&rule("replace", "", ".*", "c", "x"), Some(r#"up{a="Foo", b="bar", c="x"}"#));
        check(&rule("lowercase", "a", ".*", "a", "$1"), Some(r#"up{a="foo", b="bar"}"#));
        check(&rule("uppercase", "z", ".*", "a", "$1"), Some(r#"up{b="bar"}"#));
        check(&rule("labelmap", "", "([ab])", "", "b"), Some(r#"up{a="Foo", b="bar"}"#));
        check(&rule("labelmap", "", "a|b", "", "x"), Some(r#"up{a="Foo", b="bar", x="bar"}"#));
        check(&rule("labelkeep", "", "a", "", "$1"), Some(r#"{a="Foo"}"#));
        check(&rule("keep", "none", "", "", "$1"), unchanged);
        check(&rule("drop", "a,none", "Foo;", "", "$1"), None);
    }

    #[test]
    fn steps_show_every_rule() {
        let rules = [
            rule("replace", "a", "(.*)", "b", "$1"),
            rule("drop", "b", "1", "", "$1"),
            rule("replace", "a", "(.*)", "c", "$1"),
        ];
        let steps = steps(&rules, &Labels::from_pairs([("a", "1")]));
        let shown: Vec<_> = steps.iter().map(|step| (step.labels.to_string(), step.keep)).collect();
        assert_eq!(
            shown,
            [(r#"{a="1", b="1"}"#.to_owned(), Keep::Yes), ("{}".to_owned(), Keep::No), ("{}".to_owned(), Keep::No)]
        );
    }

    #[test]
    fn errors_of_expressions_speak_of_the_whole() {
        let config = RuleConfig { regex: Some("(a".to_owned()), ..RuleConfig::default() };
        assert_eq!(
            Rule::new(config, NameScheme::Utf8).unwrap_err().to_string(),
            "error parsing regexp: missing closing ): `^(?s:(a)$`"
        );
    }

    proptest! {
        #[test]
        fn any_rule_is_refused_or_applies(
            action in prop::sample::select(vec!["replace", "hashmod", "labelmap", "labeldrop", "labelkeep", "uppercase", "keep"]),
            regex in r"[ab(.*)|+]{0,6}",
            target in r"[ab1${}_]{0,5}",
            replacement in r"[ab1${}é]{0,5}",
            modulus in 0u64..3,
        ) {
            let config = RuleConfig {
                source_labels: Some(vec!["a".to_owned(), "b".to_owned()]),
                regex: Some(regex),
                target_label: target,
                replacement,
                modulus,
                action: action.parse().ok(),
                ..RuleConfig::default()
            };
            for names in [NameScheme::Utf8, NameScheme::Legacy] {
                if let Ok(rule) = Rule::new(config.clone(), names) {
                    let mut labels = LabelsBuilder::from(Labels::from_pairs([("a", "ab"), ("b", "a")]));
                    let _ = rule.apply(&mut labels);
                    prop_assert!(labels.build().iter().all(|(_, value)| !value.is_empty()));
                }
            }
        }
    }
}
