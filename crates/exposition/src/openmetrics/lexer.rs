//! The tokens of OpenMetrics text.

use crate::cursor::{Cursor, Token, is_label_name, is_metric_name, starts_label_name, starts_metric_name};

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The start of a line.
    Start,
    /// After `# `: a keyword.
    Comment,
    /// The metric name of a metadata line.
    MetadataName,
    /// The rest of such a line.
    MetadataText,
    /// Inside braces.
    Labels,
    /// After an equals sign.
    LabelValue,
    /// After a metric name or a closing brace.
    Value,
    /// After the value.
    Timestamp,
    /// Inside the braces of an exemplar.
    Exemplar,
    /// After an equals sign or the closing brace there.
    ExemplarValue,
    /// After the exemplar's value.
    ExemplarTimestamp,
}

#[derive(Clone)]
pub(super) struct Lexer<'a> {
    pub(super) cursor: Cursor<'a>,
    state: State,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(page: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(page), state: State::Start }
    }

    /// A lexer that starts at byte `at`, inside the braces of an exemplar.
    pub(super) fn in_exemplar(page: &'a [u8], at: usize) -> Self {
        let mut cursor = Cursor::new(page);
        cursor.go_to(at);
        Self { cursor, state: State::Exemplar }
    }

    pub(super) fn next(&mut self) -> Token {
        if self.cursor.is_at_end() {
            return Token::Eof;
        }
        self.cursor.start_token();
        let first = self.cursor.peek();
        match (self.state, first) {
            (State::Start, b'#') => {
                if self.bump() != b' ' {
                    return Token::Invalid;
                }
                self.bump();
                self.state = State::Comment;
                self.keyword()
            }
            (State::Start, b'{') => self.single(State::Labels, Token::BraceOpen),
            (State::Start, _) if starts_metric_name(first) => self.run(is_metric_name, State::Value, Token::MetricName),
            (State::MetadataName, b'"') => self.string(true, State::MetadataText, Token::MetricName),
            (State::MetadataName, _) if starts_metric_name(first) => {
                self.run(is_metric_name, State::MetadataText, Token::MetricName)
            }
            (State::MetadataText, b' ') => self.metadata_text(),
            (State::Labels, b'"') => self.string(true, State::Labels, Token::QuotedString),
            (State::Exemplar, b'"') => self.string(false, State::Exemplar, Token::QuotedString),
            (State::Labels | State::Exemplar, b',') => self.single(self.state, Token::Comma),
            (State::Labels, b'=') => self.single(State::LabelValue, Token::Equal),
            (State::Exemplar, b'=') => self.single(State::ExemplarValue, Token::Equal),
            (State::Labels, b'}') => self.single(State::Value, Token::BraceClose),
            (State::Exemplar, b'}') => self.single(State::ExemplarValue, Token::BraceClose),
            (State::Labels | State::Exemplar, _) if starts_label_name(first) => {
                self.run(is_label_name, self.state, Token::LabelName)
            }
            (State::LabelValue, b'"') => self.string(false, State::Labels, Token::LabelValue),
            (State::ExemplarValue, b'"') => self.string(false, State::Exemplar, Token::LabelValue),
            (State::Value, b'{') => self.single(State::Labels, Token::BraceOpen),
            (State::Value, b' ') => self.word(State::Timestamp, Token::Value),
            (State::ExemplarValue, b' ') => self.word(State::ExemplarTimestamp, Token::Value),
            (State::Timestamp, b' ') => self.timestamp_or_exemplar(),
            (State::ExemplarTimestamp, b' ') => self.word(State::ExemplarTimestamp, Token::Timestamp),
            (State::Timestamp | State::ExemplarTimestamp, b'\n') => self.single(State::Start, Token::Linebreak),
            _ => Token::Invalid,
        }
    }

    fn keyword(&mut self) -> Token {
        let (rest, token): (&[u8], _) = match self.cursor.peek() {
            b'E' => (b"OF", Token::EofWord),
            b'H' => (b"ELP ", Token::Help),
            b'T' => (b"YPE ", Token::Type),
            b'U' => (b"NIT ", Token::Unit),
            _ => return Token::Invalid,
        };
        if !rest.iter().all(|byte| self.bump() == *byte) {
            return Token::Invalid;
        }
        let after = self.bump();
        if token != Token::EofWord {
            self.state = State::MetadataName;
            return token;
        }
        if after == b'\n' {
            self.bump();
        }
        self.state = State::Start;
        token
    }

    /// Reads the rest of the line, with the line break.
    fn metadata_text(&mut self) -> Token {
        self.bump();
        self.cursor.skip_line();
        if self.cursor.is_at_end() {
            return Token::Invalid;
        }
        self.single(State::Start, Token::Text)
    }

    /// Reads ` 123` or ` # {`.
    fn timestamp_or_exemplar(&mut self) -> Token {
        if self.bump() != b'#' {
            return self.rest_of_word(State::Timestamp, Token::Timestamp);
        }
        match self.bump() {
            b' ' if self.bump() == b'{' => self.single(State::Exemplar, Token::Comment),
            b' ' => Token::Invalid,
            byte if is_word(byte) => self.rest_of_word(State::Timestamp, Token::Timestamp),
            _ => Token::Timestamp,
        }
    }

    /// Reads a blank and what follows, up to the next blank or the end of the line.
    fn word(&mut self, next: State, token: Token) -> Token {
        self.bump();
        self.rest_of_word(next, token)
    }

    fn rest_of_word(&mut self, next: State, token: Token) -> Token {
        if !is_word(self.cursor.peek()) {
            return Token::Invalid;
        }
        self.run(is_word, next, token)
    }

    /// Whether null bytes mean nothing here.
    fn skips_nulls(&self) -> bool {
        matches!(self.state, State::LabelValue | State::MetadataText | State::Comment)
    }

    fn bump(&mut self) -> u8 {
        self.cursor.bump(self.skips_nulls())
    }

    fn single(&mut self, next: State, token: Token) -> Token {
        self.bump();
        self.state = next;
        token
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool, next: State, token: Token) -> Token {
        self.cursor.skip_while(belongs, self.skips_nulls());
        self.state = next;
        token
    }

    fn string(&mut self, lines: bool, next: State, token: Token) -> Token {
        if !self.cursor.quoted(self.state == State::LabelValue, lines) {
            return Token::Invalid;
        }
        self.state = next;
        token
    }
}

fn is_word(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\n' | 0)
}
