//! OpenMetrics text, 1.0.0 and 0.0.1.

mod created;
mod lexer;

use std::ops::Range;

use model::{MetricType, Timestamp, format_float, quote_bytes};

use crate::cursor::Token;
use crate::entry::{Context, Entry, EntryReader, Metadata, SampleParts};
use crate::error::ParseError;
use crate::float::parse_float;
use crate::item::{Escapes, RawExemplar, RawLabel};
use created::StartTimes;
use lexer::Lexer;

/// Reads a page line by line, and accepts what Prometheus accepts, which is far more than OpenMetrics allows: families are not
/// checked at all.
pub(crate) struct OpenMetricsParser<'a> {
    reader: Reader<'a>,
    sample: SampleParts,
    start_times: Option<StartTimes>,
}

impl<'a> OpenMetricsParser<'a> {
    /// With `start_timestamps`, the `_created` lines of counters, histograms and summaries tell when other samples started.
    pub(crate) fn new(page: &'a [u8], start_timestamps: bool) -> Self {
        Self {
            reader: Reader::new(page),
            sample: SampleParts::default(),
            start_times: start_timestamps.then(StartTimes::default),
        }
    }
}

impl EntryReader for OpenMetricsParser<'_> {
    fn advance(&mut self) -> Result<Option<Entry>, ParseError> {
        loop {
            let entry = self.reader.advance(&mut self.sample, Exemplars::Read)?;
            if let (Some(Entry::Sample), Some(start_times)) = (&entry, &mut self.start_times) {
                if self.reader.is_start_time(&self.sample) {
                    continue;
                }
                self.sample.start_timestamp = start_times.of(&self.sample, &self.reader);
            }
            return Ok(entry);
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            page: self.reader.page(),
            sample: &self.sample,
            metric_type: self.reader.family.metric_type,
            unit: self.reader.family.unit.clone(),
            escapes: Escapes::WithQuotes,
        }
    }
}

/// Whether exemplars are read, or only stepped over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exemplars {
    Read,
    Skip,
}

/// What the last metadata lines said. It holds for all samples up to the next such line, whatever their names.
#[derive(Clone)]
struct Family {
    metric_type: MetricType,
    unit: Range<usize>,
    /// How long the name in the last metadata line is.
    name_length: usize,
}

/// Reads entries into places in the page.
#[derive(Clone)]
struct Reader<'a> {
    lexer: Lexer<'a>,
    family: Family,
}

impl<'a> Reader<'a> {
    fn new(page: &'a [u8]) -> Self {
        Self {
            lexer: Lexer::new(page),
            family: Family { metric_type: MetricType::Unknown, unit: 0..0, name_length: 0 },
        }
    }

    fn page(&self) -> &'a [u8] {
        self.lexer.cursor.page()
    }

    fn advance(&mut self, sample: &mut SampleParts, exemplars: Exemplars) -> Result<Option<Entry>, ParseError> {
        self.lexer.cursor.start_entry();
        match self.lexer.next() {
            Token::EofWord => match self.lexer.next() {
                Token::Eof => Ok(None),
                _ => Err(self.error("unexpected data after # EOF")),
            },
            Token::Eof => Err(self.missing_eof()),
            Token::Help => self.metadata(Token::Help).map(Some),
            Token::Type => self.metadata(Token::Type).map(Some),
            Token::Unit => self.metadata(Token::Unit).map(Some),
            Token::BraceOpen => {
                sample.clear();
                self.labels(sample)?;
                let token = self.lexer.next();
                self.end_of_line(token, sample, exemplars).map(Some)
            }
            Token::MetricName => {
                sample.clear();
                sample.name = Some(self.lexer.cursor.token());
                let mut token = self.lexer.next();
                if token == Token::BraceOpen {
                    self.labels(sample)?;
                    token = self.lexer.next();
                }
                self.end_of_line(token, sample, exemplars).map(Some)
            }
            other => Err(self.lexer.cursor.unexpected("expected a valid start token", other)),
        }
    }

    fn error(&self, message: &str) -> ParseError {
        self.lexer.cursor.error(message.to_owned())
    }

    fn missing_eof(&self) -> ParseError {
        self.error("data does not end with # EOF")
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
        self.family.name_length = family.len();
        if self.lexer.next() != Token::Text {
            return Err(self.error(&format!("expected text in {keyword}")));
        }
        // Between the blank after the name and the line break.
        let Range { start, end } = self.lexer.cursor.token();
        let text = start + 1..end - 1;
        let bytes = &self.page()[text.clone()];
        let metadata = match keyword {
            Token::Type => {
                self.family.metric_type = std::str::from_utf8(bytes)
                    .ok()
                    .filter(|word| *word != "untyped")
                    .and_then(|word| word.parse().ok())
                    .ok_or_else(|| self.error(&format!("invalid metric type {}", quote_bytes(bytes))))?;
                Metadata::Type(family)
            }
            Token::Unit => {
                self.family.unit = text.clone();
                self.check_unit(&self.page()[family.clone()], bytes)?;
                Metadata::Unit(family, text)
            }
            _ if std::str::from_utf8(bytes).is_err() => {
                let message = format!("help text {} is not a valid utf8 string", quote_bytes(bytes));
                return Err(self.error(&message));
            }
            _ => Metadata::Help(family, text),
        };
        Ok(Entry::Metadata(metadata))
    }

    fn check_unit(&self, family: &[u8], unit: &[u8]) -> Result<(), ParseError> {
        let before = family.strip_suffix(unit);
        if unit.is_empty() || before.is_some_and(|before| before.ends_with(b"_")) {
            return Ok(());
        }
        let (unit, family) = (quote_bytes(unit), quote_bytes(family));
        Err(self.error(&format!("unit {unit} not a suffix of metric {family}")))
    }

    /// Reads what is in a series' braces, and the closing one.
    fn labels(&mut self, sample: &mut SampleParts) -> Result<(), ParseError> {
        let mut token = self.lexer.next();
        loop {
            let Some((name, is_quoted)) = self.label_name(token)? else {
                return Ok(());
            };
            sample.has_quoted_names |= is_quoted;
            token = self.lexer.next();
            // A string that is not followed by a value is the metric's name.
            if is_quoted && matches!(token, Token::Comma | Token::BraceClose) {
                if sample.name.is_some() {
                    return Err(self.lexer.cursor.error_while_parsing("metric name already set"));
                }
                sample.name = Some(name);
                if token == Token::BraceClose {
                    return Ok(());
                }
                token = self.lexer.next();
                continue;
            }
            let value = self.label_value(token)?;
            sample.labels.push(RawLabel { name, value });
            token = self.after_label()?;
        }
    }

    /// Reads what is in an exemplar's braces, and the closing one.
    fn exemplar_labels(&mut self, labels: &mut Vec<RawLabel>) -> Result<(), ParseError> {
        let mut token = self.lexer.next();
        while let Some((name, is_quoted)) = self.label_name(token)? {
            token = self.lexer.next();
            if is_quoted && matches!(token, Token::Comma | Token::BraceClose) {
                return Err(self.lexer.cursor.unexpected("expected label name", token));
            }
            let value = self.label_value(token)?;
            labels.push(RawLabel { name, value });
            token = self.after_label()?;
        }
        Ok(())
    }

    /// The place of the name that `token` is, and whether it was quoted; `None` at the closing brace.
    fn label_name(&self, token: Token) -> Result<Option<(Range<usize>, bool)>, ParseError> {
        let cursor = &self.lexer.cursor;
        match token {
            Token::BraceClose => Ok(None),
            Token::LabelName => Ok(Some((cursor.token(), false))),
            Token::QuotedString => Ok(Some((cursor.unquoted_token(), true))),
            other => Err(cursor.unexpected("expected label name", other)),
        }
    }

    fn label_value(&mut self, equal: Token) -> Result<Range<usize>, ParseError> {
        if equal != Token::Equal {
            return Err(self.lexer.cursor.unexpected("expected equal", equal));
        }
        match self.lexer.next() {
            Token::LabelValue => self.lexer.cursor.label_value(),
            other => Err(self.lexer.cursor.unexpected("expected label value", other)),
        }
    }

    /// The next name or the closing brace. One comma may follow the last label.
    fn after_label(&mut self) -> Result<Token, ParseError> {
        match self.lexer.next() {
            Token::Comma => Ok(self.lexer.next()),
            Token::BraceClose => Ok(Token::BraceClose),
            other => Err(self.lexer.cursor.unexpected("expected comma or brace close", other)),
        }
    }

    /// Reads the end of a sample's line, of which the first token was read.
    fn end_of_line(
        &mut self,
        first: Token,
        sample: &mut SampleParts,
        exemplars: Exemplars,
    ) -> Result<Entry, ParseError> {
        if sample.name.is_none() {
            return Err(self.lexer.cursor.error_while_parsing("metric name not set"));
        }
        sample.check_names(&self.lexer.cursor)?;
        sample.value = self.value(first, "metric")?;
        sample.value_at = self.word();
        match self.lexer.next() {
            Token::Eof => return Err(self.missing_eof()),
            Token::Comment => self.exemplar(sample, exemplars)?,
            Token::Timestamp => {
                sample.timestamp = Some(self.timestamp("timestamp")?);
                sample.timestamp_at = Some(self.word());
                match self.lexer.next() {
                    Token::Linebreak => {}
                    Token::Comment => self.exemplar(sample, exemplars)?,
                    other => {
                        let expectation = "expected next entry after timestamp";
                        return Err(self.lexer.cursor.unexpected(expectation, other));
                    }
                }
            }
            // Prometheus takes anything else for the end of the line, too, and complains when it reads on.
            _ => {}
        }
        Ok(Entry::Sample)
    }

    fn exemplar(&mut self, sample: &mut SampleParts, exemplars: Exemplars) -> Result<(), ParseError> {
        if exemplars == Exemplars::Skip {
            return self.skip_exemplar();
        }
        let start = self.lexer.cursor.token().start;
        self.exemplar_labels(&mut sample.exemplar_labels)?;
        let token = self.lexer.next();
        let mut exemplar = RawExemplar {
            labels: 0..sample.exemplar_labels.len(),
            value: self.value(token, "exemplar labels")?,
            timestamp: None,
        };
        match self.lexer.next() {
            Token::Eof => return Err(self.missing_eof()),
            Token::Linebreak => {}
            Token::Timestamp => {
                exemplar.timestamp = Some(self.timestamp("exemplar timestamp")?);
                match self.lexer.next() {
                    Token::Linebreak => {}
                    other => {
                        let expectation = "expected next entry after exemplar timestamp";
                        return Err(self.lexer.cursor.unexpected(expectation, other));
                    }
                }
            }
            other => return Err(self.lexer.cursor.unexpected("expected timestamp or comment", other)),
        }
        sample.exemplar = Some(exemplar);
        sample.exemplar_at = Some(start..self.lexer.cursor.token().start);
        Ok(())
    }

    fn skip_exemplar(&mut self) -> Result<(), ParseError> {
        loop {
            match self.lexer.next() {
                Token::Linebreak => return Ok(()),
                // Prometheus would wait for ever at a token that is none.
                Token::Eof | Token::Invalid => return Err(self.missing_eof()),
                _ => {}
            }
        }
    }

    fn value(&self, token: Token, after: &str) -> Result<f64, ParseError> {
        let cursor = &self.lexer.cursor;
        if token != Token::Value {
            return Err(cursor.unexpected(&format!("expected value after {after}"), token));
        }
        parse_float(&cursor.token_bytes()[1..]).map_err(|error| cursor.error_while_parsing(&error.to_string()))
    }

    /// The place of the token that was read last, without the blank it starts with.
    fn word(&self) -> Range<usize> {
        let Range { start, end } = self.lexer.cursor.token();
        start + 1..end
    }

    /// The time in the token that was read last, which is in seconds.
    fn timestamp(&self, what: &str) -> Result<Timestamp, ParseError> {
        let cursor = &self.lexer.cursor;
        let seconds =
            parse_float(&cursor.token_bytes()[1..]).map_err(|error| cursor.error_while_parsing(&error.to_string()))?;
        if !seconds.is_finite() {
            return Err(self.error(&format!("invalid {what} {}", format_float(seconds))));
        }
        Ok(milliseconds(seconds))
    }
}

/// Reads the exemplar after the ` # {` that ends before byte `at`, up to the end of its line, with its labels into `labels`.
///
/// `None` if that is no exemplar.
pub(crate) fn exemplar_at(page: &[u8], at: usize, labels: &mut Vec<RawLabel>) -> Option<RawExemplar> {
    let mut reader = Reader::new(page);
    reader.lexer = Lexer::in_exemplar(page, at);
    let mut sample = SampleParts { exemplar_labels: std::mem::take(labels), ..SampleParts::default() };
    let start = sample.exemplar_labels.len();
    let read = reader.exemplar(&mut sample, Exemplars::Read);
    *labels = sample.exemplar_labels;
    let exemplar = sample.exemplar.filter(|_| read.is_ok())?;
    Some(RawExemplar { labels: start..labels.len(), ..exemplar })
}

pub(crate) fn milliseconds(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1000.0) as i64)
}
