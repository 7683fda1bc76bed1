//! What is to be written.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::node::{Content, Node};
use crate::scalar::{Scalar, resolve};

/// A value as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A number, a boolean or `null`, already in its form.
    Plain(String),
    /// A text, which is quoted if it could be taken for something else.
    Text(String),
    /// Values, a line each.
    List(Vec<Output>),
    /// Scalars on one line: `[a, b]`.
    FlowList(Vec<Output>),
    /// Keys and values in this order.
    Map(Vec<(Cow<'static, str>, Output)>),
}

impl Output {
    /// A map whose keys are put in order as Go's writer does it: numbers in them count as numbers, and what is no letter
    /// comes before letters.
    pub fn map(entries: impl IntoIterator<Item = (String, Output)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| (Cow::Owned(key), value)).collect();
        entries.sort_by(|a, b| compare_keys(&a.0, &b.0));
        Self::Map(entries)
    }

    /// A node as it can be written again, whatever it is. Comments, anchors and styles are lost.
    pub fn from_node(node: &Node) -> Self {
        match &node.content {
            Content::Sequence(items) => Self::List(items.iter().map(|item| Self::from_node(item)).collect()),
            Content::Mapping(entries) => {
                let key = |key: &Node| key.text().unwrap_or_default().to_owned();
                Self::map(entries.iter().map(|(name, value)| (key(name), Self::from_node(value))))
            }
            Content::Scalar { text, .. } => match resolve(node) {
                Some(Ok(Scalar::Text(text))) => Self::Text(text.into_owned()),
                Some(Ok(Scalar::Null)) => Self::Plain("null".to_owned()),
                Some(Ok(_)) => Self::Plain(text.to_string()),
                _ => Self::Text(text.to_string()),
            },
        }
    }
}

fn compare_keys(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (true, true) => return a[at].cmp(&b[at]),
        (false, false) => {}
    }
    // A zero that differs stands inside a number if a digit other than zero precedes it.
    let is_inside = (a[at] == '0' || b[at] == '0')
        && a[..at].iter().rev().take_while(|c| c.is_ascii_digit()).any(|digit| *digit != '0');
    let number = |text: &[char]| {
        let digits = text[at..].iter().map_while(|c| c.to_digit(10));
        digits.fold((u64::from(is_inside), 0usize), |(number, length), digit| {
            (number.wrapping_mul(10).wrapping_add(u64::from(digit)), length + 1)
        })
    };
    number(&a).cmp(&number(&b)).then(a[at].cmp(&b[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_natural_order() {
        let mut keys = ["b", "a10", "a9", "a", "a-1", "a_b", "B", "a09", "1", "a100"];
        keys.sort_by(|a, b| compare_keys(a, b));
        assert_eq!(keys, ["1", "B", "a", "a-1", "a_b", "a9", "a09", "a10", "a100", "b"]);
    }
}
