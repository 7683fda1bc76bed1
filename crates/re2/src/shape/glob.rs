//! Fixed texts with gaps between them.

use memchr::memmem::Finder;

use super::trim;

/// Fixed texts with gaps between them, being put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    head: String,
    /// For each gap the fewest characters in it, and the text after it. Only the last text may be empty.
    rest: Vec<(usize, String)>,
    /// Bytes in all texts, and gaps.
    size: usize,
}

impl Glob {
    pub(super) fn text(text: &str) -> Self {
        Self { head: text.to_owned(), rest: Vec::new(), size: text.len() }
    }

    /// At least this many characters.
    pub(super) fn gap(characters: usize) -> Self {
        Self { head: String::new(), rest: vec![(characters, String::new())], size: 1 }
    }

    pub(super) fn is_text(&self) -> bool {
        self.rest.is_empty()
    }

    /// The text of a glob without gaps.
    pub(super) fn into_text(self) -> String {
        self.head
    }

    /// Bytes in all texts, and gaps.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn append(&mut self, next: &Self) {
        self.size += next.size;
        let mut rest = &next.rest[..];
        match self.rest.last_mut() {
            None => self.head.push_str(&next.head),
            Some((gap, text)) => {
                text.push_str(&next.head);
                // Two gaps with nothing between them are one.
                if text.is_empty()
                    && let Some(((next_gap, next_text), after)) = rest.split_first()
                {
                    *gap += next_gap;
                    text.push_str(next_text);
                    rest = after;
                }
            }
        }
        self.rest.extend_from_slice(rest);
    }
}

/// A glob with gaps, made ready for matching.
#[derive(Debug)]
pub(super) struct Pattern {
    head: String,
    /// For each text between two gaps, the fewest characters in the gap before it.
    middle: Vec<(usize, Finder<'static>)>,
    last_gap: usize,
    tail: String,
}

impl Pattern {
    pub(super) fn new(mut glob: Glob) -> Self {
        let (last_gap, tail) = glob.rest.pop().unwrap_or_default();
        let middle = glob.rest.iter();
        Self {
            head: glob.head,
            middle: middle.map(|(gap, text)| (*gap, Finder::new(text).into_owned())).collect(),
            last_gap,
            tail,
        }
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.find_middle(text).is_some()
    }

    /// Takes each text as early as it comes: that leaves the most to the others.
    fn find_middle(&self, text: &str) -> Option<()> {
        let mut rest = trim(text, &self.head, &self.tail)?;
        for (gap, finder) in &self.middle {
            rest = skip_characters(rest, *gap)?;
            let at = finder.find(rest.as_bytes())?;
            rest = &rest[at + finder.needle().len()..];
        }
        skip_characters(rest, self.last_gap).map(|_| ())
    }

    pub(super) fn prefix(&self) -> &str {
        &self.head
    }

    pub(super) fn matches_all_from(&self, characters: usize) -> bool {
        self.head.is_empty() && self.middle.is_empty() && self.tail.is_empty() && self.last_gap <= characters
    }
}

fn skip_characters(text: &str, count: usize) -> Option<&str> {
    let mut chars = text.chars();
    for _ in 0..count {
        chars.next()?;
    }
    Some(chars.as_str())
}
