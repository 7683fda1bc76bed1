//! Reads nodes into values and collects what is wrong.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::mistake::{Mistake, MistakeKind, Mistakes};
use crate::node::{Content, Node};
use crate::scalar::{self, Scalar};
use crate::{Text, Value, parse};

/// More mistakes than anybody reads, and few enough to look through for each further one: a program that writes a file may
/// make the same mistake a million times.
const MAX_MISTAKES: usize = 1000;

/// Reads a value from a text; an empty text gives the default.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn from_text<T: Value + Default>(text: &str) -> Result<T, Mistakes> {
    let mut reader = Reader::default();
    let mut value = T::default();
    if let Some(root) = parse(text)? {
        reader.read(&root, &mut value);
    }
    reader.finish(value)
}

/// Reads nodes into values; knows where it is, and collects every mistake.
#[derive(Debug, Default)]
pub struct Reader {
    mistakes: Vec<Mistake>,
    path: String,
    folder: PathBuf,
}

impl Reader {
    /// A reader for a file in `folder`, to which paths in the file are relative.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }

    /// The folder that paths in the file are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads `node` into `value`. Null empties it, whatever its default is.
    pub fn read(&mut self, node: &Node, value: &mut dyn Value) {
        if node.is_null() { value.clear() } else { value.read(node, self) }
    }

    /// Reads the value of a key, or whatever is said about it in `read`.
    pub fn in_key<R>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Reads an element of a sequence, or whatever is said about it in `read`.
    pub fn in_item<R>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        self.path.push_str(&format!("[{index}]"));
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// How many mistakes were found so far.
    pub fn mistake_count(&self) -> usize {
        self.mistakes.len()
    }

    /// Whether nothing is wrong, so far, at the current path and below it.
    pub fn is_clean(&self) -> bool {
        !self.mistakes.iter().any(|mistake| {
            mistake.path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Notes that the value of `node` is not allowed.
    pub fn invalid(&mut self, node: &Node, message: impl Display) {
        self.note(node, MistakeKind::Value, message.to_string());
    }

    /// Notes that `node` has the wrong shape.
    pub fn misshapen(&mut self, node: &Node, message: impl Display) {
        self.note(node, MistakeKind::Shape, message.to_string());
    }

    /// Notes that `node` is no value of the Go type `wanted`.
    pub fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let tag = match (&node.tag, &node.content) {
            (Some(tag), _) => tag.replace("tag:yaml.org,2002:", "!!"),
            (None, Content::Sequence(_)) => "!!seq".to_owned(),
            (None, Content::Mapping(_)) => "!!map".to_owned(),
            (None, Content::Scalar { .. }) => match scalar::resolve(node) {
                Some(Ok(scalar)) => scalar.tag().to_owned(),
                _ => "!!str".to_owned(),
            },
        };
        let shown = node.text().map(|text| format!(" `{}`", shorten(text))).unwrap_or_default();
        self.misshapen(node, format!("cannot unmarshal {tag}{shown} into {wanted}"));
    }

    /// What the scalar `node` means. If it is none, or is not what its tag says, that is noted.
    pub(crate) fn scalar<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<Scalar<'n>> {
        match scalar::resolve(node) {
            Some(Ok(scalar)) => return Some(scalar),
            Some(Err(message)) => self.invalid(node, format!("yaml: {message}")),
            None => self.wrong_type(node, wanted),
        }
        None
    }

    /// The text that the scalar `node` was written as, whatever it means. If it is none for a `T`, that is noted.
    pub fn text<T: Text>(&mut self, node: &Node) -> Option<String> {
        match self.scalar(node, T::GO_TYPE)? {
            Scalar::Text(text) => Some(text.into_owned()),
            Scalar::Bytes(bytes) => {
                self.invalid(node, format!("{} is not a valid {}", model::quote_bytes(&bytes), T::NOUN));
                None
            }
            _ => node.text().map(str::to_owned),
        }
    }

    /// The value that was read, if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was wrong, in the order of the document; the first thousand if it is more.
    pub fn finish<T>(mut self, value: T) -> Result<T, Mistakes> {
        self.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        if self.mistakes.is_empty() { Ok(value) } else { Err(Mistakes(self.mistakes)) }
    }

    fn note(&mut self, node: &Node, kind: MistakeKind, message: String) {
        let mistake = Mistake { line: node.line, column: node.column, path: self.path.clone(), kind, message };
        // An alias can make the same mistake at several places, a merge the same one at one place.
        if self.mistakes.len() < MAX_MISTAKES && !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }
}

/// A mapping that was read into a value, while that value is checked.
#[derive(Debug)]
pub struct At<'a> {
    reader: &'a mut Reader,
    node: &'a Node,
}

impl<'a> At<'a> {
    /// `node`, which `reader` stands at.
    pub fn new(reader: &'a mut Reader, node: &'a Node) -> Self {
        Self { reader, node }
    }

    /// Notes that the mapping as a whole is not allowed.
    pub fn invalid(&mut self, message: impl Display) {
        self.reader.invalid(self.node, message);
    }

    /// Notes that the value of a key is not allowed. Without that key in the document, the mapping is blamed.
    pub fn invalid_key(&mut self, key: &str, message: impl Display) {
        let node = self.node.get(key).unwrap_or(self.node);
        self.reader.in_key(key, |reader| reader.invalid(node, message));
    }

    /// Notes that an element of the list under a key is not allowed.
    pub fn invalid_item(&mut self, key: &str, index: usize, message: impl Display) {
        let node = self.node.get(key).and_then(|list| list.item(index)).unwrap_or(self.node);
        self.reader.in_key(key, |reader| reader.in_item(index, |reader| reader.invalid(node, message)));
    }

    /// Checks the value of a key, if the document has it.
    pub fn in_key<R>(&mut self, key: &str, check: impl FnOnce(&mut At<'_>) -> R) -> Option<R> {
        let node = self.node.get(key)?;
        Some(self.reader.in_key(key, |reader| check(&mut At { reader, node })))
    }

    /// Checks an element of this sequence, if there is one.
    pub fn in_item<R>(&mut self, index: usize, check: impl FnOnce(&mut At<'_>) -> R) -> Option<R> {
        let node = self.node.item(index)?;
        Some(self.reader.in_item(index, |reader| check(&mut At { reader, node })))
    }

    /// Whether nothing is wrong, so far, here and below.
    pub fn is_clean(&self) -> bool {
        self.reader.is_clean()
    }

    /// The folder that paths in the file are relative to.
    pub fn folder(&self) -> &Path {
        self.reader.folder()
    }

    /// What the document says here.
    pub fn node(&self) -> &'a Node {
        self.node
    }
}

/// The beginning of a long text, as Go shortens values in messages.
fn shorten(text: &str) -> String {
    if text.len() <= 10 {
        return text.to_owned();
    }
    let end = (0..=7).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted_up_to_a_limit() {
        let text = "- []\n".repeat(5000);
        let mistakes = from_text::<Vec<String>>(&text).unwrap_err();
        assert_eq!(mistakes.0.len(), MAX_MISTAKES);
    }
}
