//! A place in a page of text, and the tokens that pages are made of.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use model::quote_bytes;

use crate::error::ParseError;

/// A token of either text format. The names are those in Prometheus' messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Invalid,
    Eof,
    Linebreak,
    Whitespace,
    Help,
    Type,
    Unit,
    EofWord,
    Text,
    Comment,
    MetricName,
    QuotedString,
    BraceOpen,
    BraceClose,
    LabelName,
    LabelValue,
    Comma,
    Equal,
    Timestamp,
    Value,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "INVALID",
            Self::Eof => "EOF",
            Self::Linebreak => "LINEBREAK",
            Self::Whitespace => "WHITESPACE",
            Self::Help => "HELP",
            Self::Type => "TYPE",
            Self::Unit => "UNIT",
            Self::EofWord => "EOFWORD",
            Self::Text => "TEXT",
            Self::Comment => "COMMENT",
            Self::MetricName => "MNAME",
            Self::QuotedString => "QSTRING",
            Self::BraceOpen => "BOPEN",
            Self::BraceClose => "BCLOSE",
            Self::LabelName => "LNAME",
            Self::LabelValue => "LVALUE",
            Self::Comma => "COMMA",
            Self::Equal => "EQUAL",
            Self::Timestamp => "TIMESTAMP",
            Self::Value => "VALUE",
        })
    }
}

/// A place in a page.
///
/// Past the end there are only null bytes, which the lexers take for the end: no token but a text may hold one.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    page: &'a [u8],
    /// The end of the page; one more than there are bytes where a last line break is supplied.
    end: usize,
    /// Where the entry starts that is being read.
    entry: usize,
    /// Where the token starts that was read last.
    token: usize,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(page: &'a [u8]) -> Self {
        Self { page, end: page.len(), entry: 0, token: 0, at: 0 }
    }

    /// A page to whose end a line break is added.
    pub(crate) fn with_last_linebreak(page: &'a [u8]) -> Self {
        Self { end: page.len() + 1, ..Self::new(page) }
    }

    pub(crate) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(crate) fn page(&self) -> &'a [u8] {
        self.page
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The bytes of the token that was read last.
    pub(crate) fn token(&self) -> Range<usize> {
        self.token..self.at
    }

    pub(crate) fn token_bytes(&self) -> &'a [u8] {
        self.page.get(self.token()).unwrap_or_default()
    }

    /// Where the entry starts that is being read.
    pub(crate) fn entry(&self) -> usize {
        self.entry
    }

    pub(crate) fn start_entry(&mut self) {
        self.entry = self.at;
    }

    pub(crate) fn start_token(&mut self) {
        self.token = self.at;
    }

    #[inline]
    pub(crate) fn peek(&self) -> u8 {
        match self.page.get(self.at) {
            Some(byte) => *byte,
            None if self.at < self.end => b'\n',
            None => 0,
        }
    }

    /// Steps over one byte, and over null bytes after it where they mean nothing, and gives the next.
    #[inline]
    pub(crate) fn bump(&mut self, skip_nulls: bool) -> u8 {
        self.at += 1;
        let mut next = self.peek();
        while next == 0 && skip_nulls && !self.is_at_end() {
            self.at += 1;
            next = self.peek();
        }
        next
    }

    /// Steps over one byte, and over all after it that belong to it.
    #[inline]
    pub(crate) fn skip_while(&mut self, belongs: impl Fn(u8) -> bool, skip_nulls: bool) {
        if skip_nulls {
            while belongs(self.bump(true)) {}
            return;
        }
        let rest = self.page.get(self.at + 1..).unwrap_or_default();
        let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        self.at += 1 + length;
    }

    /// Goes to the next line break, or the end.
    pub(crate) fn skip_line(&mut self) {
        let rest = self.page.get(self.at..).unwrap_or_default();
        self.at = memchr::memchr(b'\n', rest).map_or(self.page.len().max(self.at), |length| self.at + length);
    }

    /// Goes to the next line break or null byte, or the end.
    pub(crate) fn skip_line_to_null(&mut self) {
        let rest = self.page.get(self.at..).unwrap_or_default();
        self.at = memchr::memchr2(b'\n', 0, rest).map_or(self.page.len().max(self.at), |length| self.at + length);
    }

    /// Reads the rest of a string whose opening quote is here, up to and with the closing one; false if it has none.
    pub(crate) fn quoted(&mut self, skip_nulls: bool, lines: bool) -> bool {
        loop {
            match self.bump(skip_nulls) {
                b'"' => {
                    self.bump(skip_nulls);
                    return true;
                }
                b'\\' => {
                    if matches!(self.bump(skip_nulls), 0 | b'\n') {
                        return false;
                    }
                }
                0 => return false,
                b'\n' if !lines => return false,
                _ => {}
            }
        }
    }

    /// The place of the name that was read last, without quotes around it.
    pub(crate) fn unquoted_token(&self) -> Range<usize> {
        match self.token_bytes() {
            [b'"', .., b'"'] => self.token + 1..self.at - 1,
            _ => self.token(),
        }
    }

    /// The place of the label value that was read last, without its quotes.
    pub(crate) fn label_value(&self) -> Result<Range<usize>, ParseError> {
        let quoted = self.token_bytes();
        if !quoted.is_ascii() && std::str::from_utf8(quoted).is_err() {
            return Err(self.error(format!("invalid UTF-8 label value: {}", quote_bytes(quoted))));
        }
        Ok(self.token + 1..self.at - 1)
    }

    /// These bytes in quotes, for a message.
    pub(crate) fn quote(&self, range: Range<usize>) -> String {
        quote_bytes(&self.bytes(range))
    }

    fn bytes(&self, range: Range<usize>) -> Cow<'a, [u8]> {
        match self.page.get(range.clone()) {
            Some(bytes) => Cow::Borrowed(bytes),
            None => {
                let mut bytes = self.page.get(range.start..).unwrap_or_default().to_vec();
                bytes.push(b'\n');
                Cow::Owned(bytes)
            }
        }
    }

    pub(crate) fn error(&self, message: String) -> ParseError {
        ParseError::new(self.page, self.token, message)
    }

    /// The error of finding `got` where something else was expected.
    pub(crate) fn unexpected(&self, expectation: &str, got: Token) -> ParseError {
        let end = self.end.min(self.at + 1);
        let [token, entry] = [self.token..end, self.entry..end].map(|range| self.quote(range));
        self.error(format!("{expectation}, got {token} (\"{got}\") while parsing: {entry}"))
    }

    /// An error about the entry as far as it was read.
    pub(crate) fn error_while_parsing(&self, message: &str) -> ParseError {
        self.error(format!("{message} while parsing: {}", self.quote(self.entry..self.at)))
    }
}

/// Bytes that start a metric name.
pub(crate) fn starts_metric_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':'
}

/// Bytes of a metric name.
pub(crate) fn is_metric_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'
}

/// Bytes that start a label name.
pub(crate) fn starts_label_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Bytes of a label name.
pub(crate) fn is_label_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
