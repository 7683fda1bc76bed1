//! What a document says, with the place of each value.

use std::sync::Arc;

/// A value in a document.
///
/// An alias is the node that it refers to, shared. Keys are kept in the order of the document, merges unmerged.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line on which the value begins, from 1.
    pub line: usize,
    /// The column at which it begins, from 1, in characters.
    pub column: usize,
    /// The tag that the document gives it, in full (`tag:yaml.org,2002:str`).
    pub tag: Option<Box<str>>,
    /// The value.
    pub content: Content,
}

/// The three kinds of values.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text, which may mean a number, a boolean or nothing.
    Scalar {
        /// The text without quotes and escapes.
        text: Box<str>,
        /// Whether it stands there without quotes: only then can it mean something other than itself.
        is_plain: bool,
    },
    /// Values in order.
    Sequence(Vec<Arc<Node>>),
    /// Keys and their values, in the order of the document.
    Mapping(Vec<(Arc<Node>, Arc<Node>)>),
}

impl Node {
    /// The value of a key, if this is a mapping that has it; of several, the last, as in reading.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().fold(None, |found, (name, value)| match name.text() {
            Some(text) if text == key => Some(value),
            Some(MERGE) if name.is_merge() => value.merged().find_map(|merged| merged.get(key)).or(found),
            _ => found,
        })
    }

    /// The element of a sequence, if this is one that is long enough.
    pub fn item(&self, index: usize) -> Option<&Node> {
        match &self.content {
            Content::Sequence(items) => items.get(index).map(Arc::as_ref),
            _ => None,
        }
    }

    /// The elements of a sequence; none if this is not one.
    pub fn items(&self) -> impl Iterator<Item = &Node> {
        let items = match &self.content {
            Content::Sequence(items) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(Arc::as_ref)
    }

    /// The keys and values of a mapping, merges not resolved; none if this is not one.
    pub fn entries(&self) -> impl Iterator<Item = (&Node, &Node)> {
        let entries = match &self.content {
            Content::Mapping(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether this says that there is no value.
    pub fn is_null(&self) -> bool {
        match (&self.content, self.tag.as_deref()) {
            (_, Some(tag)) => tag == "tag:yaml.org,2002:null",
            (Content::Scalar { text, is_plain: true }, None) => matches!(&**text, "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// Whether this, as a key, says that its value is to be merged into the mapping.
    pub(crate) fn is_merge(&self) -> bool {
        match (&self.content, self.tag.as_deref()) {
            (Content::Scalar { text, is_plain }, tag) => {
                &**text == MERGE && (*is_plain || tag == Some("tag:yaml.org,2002:merge"))
            }
            _ => false,
        }
    }

    /// The mappings that this, as the value of a merge, stands for: the one that wins first.
    pub(crate) fn merged(&self) -> impl Iterator<Item = &Node> {
        let only = matches!(self.content, Content::Mapping(_)).then_some(self);
        only.into_iter().chain(self.items())
    }
}

const MERGE: &str = "<<";
