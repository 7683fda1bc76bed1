//! The tokens of the Prometheus text format.

use crate::cursor::{Cursor, Token, is_label_name, is_metric_name, starts_label_name, starts_metric_name};

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The start of a line.
    Start,
    /// After `# `: a keyword, or the text of a comment.
    Comment,
    /// The metric name of a HELP or TYPE line.
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
}

#[derive(Clone)]
pub(super) struct Lexer<'a> {
    pub(super) cursor: Cursor<'a>,
    state: State,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(page: &'a [u8]) -> Self {
        Self { cursor: Cursor::with_last_linebreak(page), state: State::Start }
    }

    /// The next token that is not blank.
    pub(super) fn next(&mut self) -> Token {
        loop {
            let token = self.next_with_blanks();
            if token != Token::Whitespace {
                return token;
            }
        }
    }

    fn next_with_blanks(&mut self) -> Token {
        if self.cursor.is_at_end() {
            return Token::Eof;
        }
        self.cursor.start_token();
        let first = self.cursor.peek();
        if matches!(first, b' ' | b'\t') && self.state != State::MetadataText {
            return self.run(is_blank, Token::Whitespace);
        }
        match (self.state, first) {
            (State::Start, _) => self.line_start(first),
            (State::Comment, _) => self.comment(first),
            (State::MetadataName, b'"') => self.string(State::MetadataText, Token::MetricName),
            (State::MetadataName, _) if starts_metric_name(first) => {
                let token = self.run(is_metric_name, Token::MetricName);
                self.state = State::MetadataText;
                token
            }
            (State::MetadataText, _) => self.metadata_text(first),
            (State::Labels, b'"') => self.string(State::Labels, Token::QuotedString),
            (State::Labels, b',') => self.single(State::Labels, Token::Comma),
            (State::Labels, b'=') => self.single(State::LabelValue, Token::Equal),
            (State::Labels, b'}') => self.single(State::Value, Token::BraceClose),
            (State::Labels, _) if starts_label_name(first) => self.run(is_label_name, Token::LabelName),
            (State::LabelValue, b'"') => self.string(State::Labels, Token::LabelValue),
            (State::Value, b'{') => self.single(State::Labels, Token::BraceOpen),
            (State::Value, _) if is_value(first) => {
                let token = self.run(is_value, Token::Value);
                self.state = State::Timestamp;
                token
            }
            (State::Timestamp, b'\n') => self.single(State::Start, Token::Linebreak),
            (State::Timestamp, b'0'..=b'9') => self.run(|byte| byte.is_ascii_digit(), Token::Timestamp),
            _ => Token::Invalid,
        }
    }

    fn line_start(&mut self, first: u8) -> Token {
        match first {
            // A null byte where a line starts ends the page, in Prometheus too.
            0 => self.single(State::Start, Token::Eof),
            b'\n' => self.single(State::Start, Token::Linebreak),
            b'{' => self.single(State::Labels, Token::BraceOpen),
            b'#' => {
                if !is_blank(self.bump()) {
                    return self.rest_of_comment();
                }
                self.run(is_blank, Token::Whitespace);
                self.state = State::Comment;
                self.comment(self.cursor.peek())
            }
            _ if starts_metric_name(first) => {
                let token = self.run(is_metric_name, Token::MetricName);
                self.state = State::Value;
                token
            }
            _ => Token::Invalid,
        }
    }

    fn comment(&mut self, first: u8) -> Token {
        let (keyword, token): (&[u8], _) = match first {
            b'H' => (b"ELP", Token::Help),
            b'T' => (b"YPE", Token::Type),
            _ => return self.rest_of_comment(),
        };
        let is_keyword = keyword.iter().all(|byte| self.bump() == *byte);
        if !is_keyword || !is_blank(self.bump()) {
            return self.rest_of_comment();
        }
        let token = self.run(is_blank, token);
        self.state = State::MetadataName;
        token
    }

    /// Reads up to the end of the line. A null byte ends the page if the comment's sign had no blank after it.
    fn rest_of_comment(&mut self) -> Token {
        if self.state == State::Comment && self.cursor.peek() != 0 {
            self.cursor.skip_line();
        } else {
            self.cursor.skip_line_to_null();
        }
        if self.cursor.peek() == 0 {
            return Token::Eof;
        }
        self.state = State::Start;
        Token::Comment
    }

    fn metadata_text(&mut self, first: u8) -> Token {
        if is_blank(first) {
            let blanks = self.run(is_blank, Token::Whitespace);
            if matches!(self.cursor.peek(), 0 | b'\n') {
                return blanks;
            }
        }
        if self.cursor.peek() != 0 {
            self.cursor.skip_line();
        }
        self.state = State::Start;
        Token::Text
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

    fn run(&mut self, belongs: impl Fn(u8) -> bool, token: Token) -> Token {
        self.cursor.skip_while(belongs, self.skips_nulls());
        token
    }

    fn string(&mut self, next: State, token: Token) -> Token {
        if !self.cursor.quoted(self.state == State::LabelValue, true) {
            return Token::Invalid;
        }
        self.state = next;
        token
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_value(byte: u8) -> bool {
    !matches!(byte, b'{' | b' ' | b'\t' | b'\n' | 0)
}
