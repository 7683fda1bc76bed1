//! Places in the text of an expression.

use std::fmt;

/// The bytes `[start, end)` of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

/// A place as people count: line and column start at 1, columns are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The byte within the line.
    pub column: u32,
}

impl Span {
    /// The bytes `[start, end)`. Texts of expressions are far shorter than 4 GiB.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// From the start of this span to the end of a later one.
    pub(crate) fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end }
    }

    /// The piece of `text` that stands here; empty if `text` is another one and has no such piece.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Where the span starts: what Prometheus shows with errors and annotations. O(start).
    pub fn position(self, text: &str) -> Position {
        let before = &text.as_bytes()[..text.len().min(self.start as usize)];
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Position { line, column: (before.len() - line_start) as u32 + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_bytes_from_one() {
        let text = "sum(\n  é, b)";
        for (start, shown) in [(0, "1:1"), (4, "1:5"), (5, "2:1"), (9, "2:5"), (99, "2:9")] {
            assert_eq!(Span::new(start, start).position(text).to_string(), shown);
        }
        assert_eq!(Span::new(0, 3).of(text), "sum");
        assert_eq!(Span::new(0, 99).of(text), "");
    }
}
