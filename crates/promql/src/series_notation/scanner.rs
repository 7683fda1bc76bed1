//! The pieces that items are made of.

use model::{parse_duration, quote};

use crate::literal::number_value;
use crate::{ParseError, Sign, Span};

/// Reads from left to right.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Items up to the end, each with blanks before it.
    pub(super) fn separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let mut items = Vec::new();
        loop {
            let has_blanks = self.skip_blanks();
            if self.rest().is_empty() {
                return Ok(items);
            }
            if !has_blanks {
                return Err(self.unexpected("a blank"));
            }
            items.push(item(self)?);
        }
    }

    /// The `x3` behind an item, if it is there.
    pub(super) fn repetition(&mut self) -> Result<Option<u64>, ParseError> {
        if !self.accept("x") {
            return Ok(None);
        }
        let start = self.at;
        let text = self.number_text()?;
        match text.parse() {
            Ok(count) => Ok(Some(count)),
            Err(error) => {
                let message = format!("invalid repetition in series values: parsing {}: {error}", quote(text));
                Err(self.error_since(start, message))
            }
        }
    }

    pub(super) fn sign(&mut self) -> Option<Sign> {
        if self.accept("+") {
            Some(Sign::Plus)
        } else if self.accept("-") {
            Some(Sign::Minus)
        } else {
            None
        }
    }

    pub(super) fn signed_number(&mut self) -> Result<f64, ParseError> {
        let sign = self.sign().unwrap_or(Sign::Plus);
        Ok(sign.apply(self.number()?))
    }

    pub(super) fn number(&mut self) -> Result<f64, ParseError> {
        let start = self.at;
        let text = self.number_text()?;
        number_value(text).map_err(|fault| self.error_since(start, format!("error parsing number: {fault}")))
    }

    /// A whole number.
    pub(super) fn integer(&mut self) -> Result<i64, ParseError> {
        let start = self.at;
        let sign = if self.accept("-") { "-" } else { "" };
        let text = self.number_text()?;
        format!("{sign}{text}")
            .parse()
            .map_err(|error| self.error_since(start, format!("error parsing number: parsing {}: {error}", quote(text))))
    }

    pub(super) fn duration(&mut self, sign: Sign) -> Result<i64, ParseError> {
        let start = self.at;
        let text = self.take_while(|byte| byte.is_ascii_alphanumeric() && byte != b'x');
        let ms = parse_duration(text).map_err(|error| self.error_since(start, error.to_string()))?;
        Ok(match sign {
            Sign::Plus => ms,
            Sign::Minus => -ms,
        })
    }

    /// Digits with what may stand between them, or `Inf` or `NaN`. Hexadecimal numbers are none: `0x3` is 0, four times.
    fn number_text(&mut self) -> Result<&'a str, ParseError> {
        let start = self.at;
        if self.rest().starts_with(|c: char| c.is_ascii_alphabetic()) {
            let word = self.word();
            if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan") {
                return Ok(word);
            }
            self.at = start;
            return Err(self.unexpected("number or \"stale\""));
        }
        if !self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Err(self.unexpected("number"));
        }
        loop {
            self.take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_'));
            if !(self.accept("e") || self.accept("E")) {
                return Ok(&self.text[start..self.at]);
            }
            self.sign();
        }
    }

    /// Letters, digits and underscores, as far as they go.
    pub(super) fn word(&mut self) -> &'a str {
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    pub(super) fn accept(&mut self, expected: &str) -> bool {
        let is_next = self.rest().starts_with(expected);
        if is_next {
            self.at += expected.len();
        }
        is_next
    }

    /// Skips blanks, and says whether there were any.
    pub(super) fn skip_blanks(&mut self) -> bool {
        !self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).is_empty()
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn go_back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The error that the next character does not belong here.
    pub(super) fn unexpected(&self, expected: &str) -> ParseError {
        let (found, length) = match self.rest().chars().next() {
            Some(next) => (quote(&next.to_string()), next.len_utf8()),
            None => ("end of input".to_owned(), 0),
        };
        let message = format!("unexpected {found} in series values, expected {expected}");
        ParseError::new(self.text, Span::new(self.at, self.at + length), message)
    }

    /// An error about what was read since `start`.
    pub(super) fn error_since(&self, start: usize, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.text, Span::new(start, self.at), message)
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !accept(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}
