//! What a match is replaced by.

use crate::regex::{Captures, Regex};

/// A text with references to the groups of one expression: Go's `Regexp.Expand`.
///
/// `$1` and `${1}` stand for a group's text, `$name` and `${name}` for a named one's, `$$` for a dollar sign. A name without
/// braces is as long as it can be: `$1x` means `${1x}`. A group that does not exist, or took no part in the match, is empty;
/// a dollar sign before anything else is itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Texts, each with the groups that may follow it.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The first of these groups that took part in the match: several groups may have one name.
    Groups(Vec<usize>),
}

impl Template {
    /// Reads a template for `regex`.
    pub fn new(template: &str, regex: &Regex) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                text.push('$');
                rest = after;
            } else if let Some((name, after)) = reference(rest) {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Groups(groups(name, regex)));
                rest = after;
            } else {
                text.push('$');
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Self { parts }
    }

    /// The text that every match is replaced by, if the template refers to no group.
    pub fn as_constant(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the template to `out`, filled in from a match of its expression in `text`.
    pub fn expand(&self, text: &str, captures: &Captures, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Groups(groups) => {
                    let group = groups.iter().find_map(|group| captures.get(*group));
                    out.push_str(group.map_or("", |range| &text[range]));
                }
            }
        }
    }
}

/// The name after a dollar sign, with or without braces, and what follows.
fn reference(text: &str) -> Option<(&str, &str)> {
    let unbraced = text.strip_prefix('{').unwrap_or(text);
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let length = unbraced.find(|c| !is_name(c)).unwrap_or(unbraced.len());
    let (name, mut rest) = unbraced.split_at(length);
    if unbraced.len() < text.len() {
        rest = rest.strip_prefix('}')?;
    }
    (!name.is_empty()).then_some((name, rest))
}

fn groups(name: &str, regex: &Regex) -> Vec<usize> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    if is_number {
        return name.parse().into_iter().collect();
    }
    let names = regex.group_names().iter().enumerate();
    names.filter(|(_, candidate)| candidate.as_deref() == Some(name)).map(|(group, _)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let regex = Regex::wrapped("(?P<n>a)|(?<n>b)(c)?(.*)").unwrap();
        let text = "b-rest";
        let captures = regex.captures(text).unwrap();
        let mut out = String::new();
        Template::new(template, &regex).expand(text, &captures, &mut out);
        assert_eq!(out, expected, "{template}");
    }

    #[test]
    fn templates_are_read_like_go_reads_them() {
        check("", "");
        check("x$0y", "x");
        check("x${0}y", "xb-resty");
        check("$1|$2|$3|$4|$5", "|b||-rest|");
        check("$n,${n}n,$nn", "b,bn,");
        check("$$1 $ $- ${ ${} ${n ${n-} $", "$1 $ $- ${ ${} ${n ${n-} $");
        check("$01 $99999999999999999999", " ");
        check("$2é", "");
        check("$2-é", "b-é");
    }
}
