//! Why a page cannot be read.

/// Why a page cannot be read, and where.
///
/// The message is that of Prometheus, word for word where Prometheus has one: people search for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    message: String,
    offset: usize,
    line: usize,
    column: usize,
}

impl ParseError {
    /// An error at byte `offset` of `page`.
    pub(crate) fn new(page: &[u8], offset: usize, message: String) -> Self {
        let before = &page[..offset.min(page.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Self {
            message,
            offset,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start + 1,
        }
    }

    /// The byte of the page at which reading stopped.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The line of that byte, from 1. A page in protobuf has lines only by chance.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The place of that byte in its line, in bytes, from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}
