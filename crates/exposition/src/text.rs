//! The Prometheus text format, 0.0.4 and 1.0.0.

mod lexer;

use std::ops::Range;

use model::{MetricType, Timestamp, quote_bytes};

use crate::cursor::Token;
use crate::entry::{Context, Entry, EntryReader, Metadata, SampleParts};
use crate::error::ParseError;
use crate::float::parse_float;
use crate::item::{Escapes, RawLabel};
use lexer::Lexer;

/// Reads a page line by line, and accepts what Prometheus accepts: families are not checked at all.
pub(crate) struct TextParser<'a> {
    lexer: Lexer<'a>,
    /// The type in the last TYPE line.
    metric_type: MetricType,
    sample: SampleParts,
}

impl EntryReader for TextParser<'_> {
    fn advance(&mut self) -> Result<Option<Entry>, ParseError> {
        loop {
            self.lexer.cursor.start_entry();
            return match self.lexer.next() {
                Token::Eof => Ok(None),
                Token::Linebreak => continue,
                Token::Help => self.metadata(Token::Help).map(Some),
                Token::Type => self.metadata(Token::Type).map(Some),
                Token::Comment => {
                    let text = self.lexer.cursor.token();
                    self.expect_linebreak("linebreak expected after comment")?;
                    Ok(Some(Entry::Metadata(Metadata::Comment(text))))
                }
                Token::BraceOpen => {
                    self.sample.clear();
                    self.labels()?;
                    let token = self.lexer.next();
                    self.value_and_timestamp(token).map(Some)
                }
                Token::MetricName => {
                    // Blanks before a name belong to it, as in Prometheus.
                    self.sample.clear();
                    self.sample.name = Some(self.lexer.cursor.entry()..self.lexer.cursor.at());
                    let mut token = self.lexer.next();
                    if token == Token::BraceOpen {
                        self.labels()?;
                        token = self.lexer.next();
                    }
                    self.value_and_timestamp(token).map(Some)
                }
                other => Err(self.lexer.cursor.unexpected("expected a valid start token", other)),
            };
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            page: self.lexer.cursor.page(),
            sample: &self.sample,
            metric_type: self.metric_type,
            unit: 0..0,
            escapes: Escapes::Plain,
        }
    }
}

impl<'a> TextParser<'a> {
    pub(crate) fn new(page: &'a [u8]) -> Self {
        Self { lexer: Lexer::new(page), metric_type: MetricType::Unknown, sample: SampleParts::default() }
    }

    fn metadata(&mut self, keyword: Token) -> Result<Entry, ParseError> {
        match self.lexer.next() {
            Token::MetricName => {}
            other => {
                let expectation = format!("expected metric name after {keyword}");
                return Err(self.lexer.cursor.unexpected(&expectation, other));
            }
        }
        let family = self.lexer.cursor.unquoted_token();
        match self.lexer.next() {
            Token::Text => {}
            other => {
                let message = format!("expected text in {keyword}, got {other}");
                return Err(self.lexer.cursor.error(message));
            }
        }
        // The first byte is the blank after the name.
        let Range { start, end } = self.lexer.cursor.token();
        let text = end.min(start + 1)..end;
        let bytes = self.lexer.cursor.token_bytes().get(1..).unwrap_or_default();
        if keyword == Token::Type {
            self.metric_type = match bytes {
                b"counter" => MetricType::Counter,
                b"gauge" => MetricType::Gauge,
                b"histogram" => MetricType::Histogram,
                b"summary" => MetricType::Summary,
                b"untyped" => MetricType::Unknown,
                other => {
                    let message = format!("invalid metric type {}", quote_bytes(other));
                    return Err(self.lexer.cursor.error(message));
                }
            };
        } else if std::str::from_utf8(bytes).is_err() {
            let message = format!("help text {} is not a valid utf8 string", quote_bytes(bytes));
            return Err(self.lexer.cursor.error(message));
        }
        self.expect_linebreak("linebreak expected after metadata")?;
        Ok(Entry::Metadata(match keyword {
            Token::Type => Metadata::Type(family),
            _ => Metadata::Help(family, text),
        }))
    }

    fn expect_linebreak(&mut self, expectation: &str) -> Result<(), ParseError> {
        match self.lexer.next() {
            Token::Linebreak => Ok(()),
            other => Err(self.lexer.cursor.unexpected(expectation, other)),
        }
    }

    /// Reads what is in braces, and the closing one.
    fn labels(&mut self) -> Result<(), ParseError> {
        let mut token = self.lexer.next();
        loop {
            let name = self.lexer.cursor.token();
            let is_quoted = match token {
                Token::BraceClose => return Ok(()),
                Token::LabelName => false,
                Token::QuotedString => true,
                other => return Err(self.lexer.cursor.unexpected("expected label name", other)),
            };
            token = self.lexer.next();
            let name = if is_quoted { name.start + 1..name.end - 1 } else { name };
            self.sample.has_quoted_names |= is_quoted;
            // A string that is not followed by a value is the metric's name.
            if is_quoted && matches!(token, Token::Comma | Token::BraceClose) {
                if self.sample.name.is_some() {
                    return Err(self.lexer.cursor.error_while_parsing("metric name already set"));
                }
                self.sample.name = Some(name);
                if token == Token::BraceClose {
                    return Ok(());
                }
                token = self.lexer.next();
                continue;
            }
            if token != Token::Equal {
                return Err(self.lexer.cursor.unexpected("expected equal", token));
            }
            let value = self.label_value()?;
            self.sample.labels.push(RawLabel { name, value });
            // A comma between labels may be missing, and one may follow the last.
            token = self.lexer.next();
            if token == Token::Comma {
                token = self.lexer.next();
            }
        }
    }

    fn label_value(&mut self) -> Result<Range<usize>, ParseError> {
        match self.lexer.next() {
            Token::LabelValue => self.lexer.cursor.label_value(),
            other => Err(self.lexer.cursor.unexpected("expected label value", other)),
        }
    }

    /// Reads the end of a sample's line, of which the first token was read.
    fn value_and_timestamp(&mut self, first: Token) -> Result<Entry, ParseError> {
        let cursor = &self.lexer.cursor;
        if self.sample.name.is_none() {
            return Err(cursor.error_while_parsing("metric name not set"));
        }
        if first != Token::Value {
            return Err(cursor.unexpected("expected value after metric", first));
        }
        self.sample.value_at = cursor.token();
        self.sample.value =
            parse_float(cursor.token_bytes()).map_err(|error| cursor.error_while_parsing(&error.to_string()))?;
        match self.lexer.next() {
            Token::Linebreak => {}
            Token::Timestamp => {
                self.sample.timestamp = Some(self.timestamp()?);
                self.sample.timestamp_at = Some(self.lexer.cursor.token());
                self.expect_linebreak("expected next entry after timestamp")?;
            }
            other => {
                let cursor = &self.lexer.cursor;
                return Err(cursor.unexpected("expected timestamp or new record", other));
            }
        }
        self.sample.check_names(&self.lexer.cursor)?;
        Ok(Entry::Sample)
    }

    fn timestamp(&self) -> Result<Timestamp, ParseError> {
        let digits = self.lexer.cursor.token_bytes();
        parse_timestamp(digits).ok_or_else(|| {
            let number = quote_bytes(digits);
            let message = format!("strconv.ParseInt: parsing {number}: value out of range");
            self.lexer.cursor.error_while_parsing(&message)
        })
    }
}

/// Reads milliseconds: digits only, up to 2⁶³ − 1.
pub(crate) fn parse_timestamp(digits: &[u8]) -> Option<Timestamp> {
    let add = |number: i64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    let number = digits.iter().try_fold(0, add)?;
    (!digits.is_empty()).then_some(Timestamp(number))
}
