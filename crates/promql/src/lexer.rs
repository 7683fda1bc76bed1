//! From text to words.

mod number;
mod string;

use crate::token::TokenKind::{self, Operator};
use crate::token::{Token, duration_builtin, keyword};
use crate::{BinaryOp, ParseError, Span};

/// Cuts the text of an expression into words.
///
/// What a character means depends on whether it stands in an expression, in braces or in brackets.
/// After an error there is no next word to be asked for.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    /// The next byte that was not looked at.
    at: usize,
    place: Place,
    open_parens: u32,
    open_bracket: bool,
    /// Whether there was a colon after the bracket that is open.
    seen_colon: bool,
    /// Whether a bracket ever started with a number. Prometheus wants one before a colon, and does not forget it when the
    /// bracket closes.
    seen_number: bool,
}

enum Place {
    Expression,
    Braces,
    /// In brackets, up to the first number. After it the words are those of an expression again, but without names.
    Duration,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            place: Place::Expression,
            open_parens: 0,
            open_bracket: false,
            seen_colon: false,
            seen_number: false,
        }
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// What was not looked at yet.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next word; [`TokenKind::End`] at the end of the text.
    pub(crate) fn next_token(&mut self) -> Result<Token, ParseError> {
        match self.place {
            Place::Expression => self.next_in_expression(),
            Place::Braces => self.next_in_braces(),
            Place::Duration => self.next_in_duration(),
        }
    }

    fn next_in_expression(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let Some(first) = self.peek() else {
            return self.end();
        };
        let (length, kind) = match (first, self.peek_second()) {
            (b'0'..=b'9', _) | (b'.', Some(b'0'..=b'9')) => return self.number_or_duration(),
            (b'"' | b'\'' | b'`', _) => return self.string(),
            (b'_' | b'a'..=b'z' | b'A'..=b'Z' | b':', _) if self.open_bracket => return self.word_in_brackets(first),
            (b'_' | b'a'..=b'z' | b'A'..=b'Z' | b':', _) => return Ok(self.word()),
            (b'=', Some(b'=')) => (2, Operator(BinaryOp::Equal)),
            (b'=', Some(b'~')) => return Err(self.error(start, "unexpected character after '=': '~'")),
            (b'=', _) => (1, TokenKind::Assign),
            (b'!', Some(b'=')) => (2, Operator(BinaryOp::NotEqual)),
            (b'!', _) => return Err(self.unexpected_second("unexpected character after '!': ")),
            (b'<', Some(b'=')) => (2, Operator(BinaryOp::LessOrEqual)),
            (b'<', Some(b'/')) => (2, Operator(BinaryOp::TrimUpper)),
            (b'<', _) => (1, Operator(BinaryOp::Less)),
            (b'>', Some(b'=')) => (2, Operator(BinaryOp::GreaterOrEqual)),
            (b'>', Some(b'/')) => (2, Operator(BinaryOp::TrimLower)),
            (b'>', _) => (1, Operator(BinaryOp::Greater)),
            (b'@', _) => (1, TokenKind::At),
            (b'{', _) => {
                self.place = Place::Braces;
                (1, TokenKind::LeftBrace)
            }
            (b'[', _) => return self.left_bracket(),
            (b']', _) if !self.open_bracket => return Err(self.error(start, "unexpected right bracket ']'")),
            (other, _) => match self.arithmetic_or_bracket(other)? {
                Some(kind) => (1, kind),
                None => return Err(self.unexpected("unexpected character: ")),
            },
        };
        self.at += length;
        Ok(self.token(kind, start))
    }

    fn next_in_braces(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let Some(first) = self.peek() else {
            return Err(self.error(start, "unexpected end of input inside braces"));
        };
        let (length, kind) = match (first, self.peek_second()) {
            (b'_' | b'a'..=b'z' | b'A'..=b'Z', _) => {
                self.skip_while(is_alphanumeric);
                (0, TokenKind::Identifier)
            }
            (b'"' | b'\'' | b'`', _) => return self.string(),
            (b',', _) => (1, TokenKind::Comma),
            (b'=', Some(b'~')) => (2, TokenKind::MatchRegex),
            (b'=', _) => (1, TokenKind::Assign),
            (b'!', Some(b'~')) => (2, TokenKind::MatchNotRegex),
            (b'!', Some(b'=')) => (2, Operator(BinaryOp::NotEqual)),
            (b'!', _) => return Err(self.unexpected_second("unexpected character after '!' inside braces: ")),
            (b'{', _) => return Err(self.error(start, "unexpected left brace '{'")),
            (b'}', _) => {
                self.place = Place::Expression;
                (1, TokenKind::RightBrace)
            }
            _ => return Err(self.unexpected("unexpected character inside braces: ")),
        };
        self.at += length;
        Ok(self.token(kind, start))
    }

    fn next_in_duration(&mut self) -> Result<Token, ParseError> {
        self.skip_while(is_blank);
        let start = self.at;
        let Some(first) = self.peek() else {
            return Err(self.error(start, "unexpected end of input in duration expression"));
        };
        let (length, kind) = match (first, self.peek_second()) {
            (b'0'..=b'9', _) | (b'.', Some(b'0'..=b'9')) => {
                self.seen_number = true;
                self.place = Place::Expression;
                return self.number_or_duration();
            }
            (b':', _) if !self.seen_number => {
                return Err(self.error(start + 1, "unexpected colon before duration in duration expression"));
            }
            (b':', _) if self.seen_colon => {
                return Err(self.error(start + 1, "unexpected repeated colon in duration expression"));
            }
            (b':', _) => {
                self.seen_colon = true;
                (1, TokenKind::Colon)
            }
            (other, _) => match self.arithmetic_or_bracket(other)? {
                Some(kind) => (1, kind),
                None => match self.builtin() {
                    Some(kind) => (0, kind),
                    None => return Err(self.unexpected("unexpected character in duration expression: ")),
                },
            },
        };
        self.at += length;
        Ok(self.token(kind, start))
    }

    /// The words of one character that mean the same in expressions and in durations; `None` if `byte` is none of them.
    fn arithmetic_or_bracket(&mut self, byte: u8) -> Result<Option<TokenKind>, ParseError> {
        Ok(Some(match byte {
            b',' => TokenKind::Comma,
            b'+' => Operator(BinaryOp::Add),
            b'-' => Operator(BinaryOp::Sub),
            b'*' => Operator(BinaryOp::Mul),
            b'/' => Operator(BinaryOp::Div),
            b'%' => Operator(BinaryOp::Mod),
            b'^' => Operator(BinaryOp::Pow),
            b'(' => {
                self.open_parens += 1;
                TokenKind::LeftParen
            }
            b')' if self.open_parens == 0 => {
                return Err(self.error(self.at + 1, "unexpected right parenthesis ')'"));
            }
            b')' => {
                self.open_parens -= 1;
                TokenKind::RightParen
            }
            b']' => {
                self.open_bracket = false;
                self.place = Place::Expression;
                TokenKind::RightBracket
            }
            _ => return Ok(None),
        }))
    }

    fn left_bracket(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        if self.open_bracket {
            return Err(self.error(start, "unexpected left bracket '['"));
        }
        self.at += 1;
        self.open_bracket = true;
        self.seen_colon = false;
        self.place = Place::Duration;
        Ok(self.token(TokenKind::LeftBracket, start))
    }

    /// A colon or a function of durations; other words have no place in brackets.
    fn word_in_brackets(&mut self, first: u8) -> Result<Token, ParseError> {
        let start = self.at;
        if first != b':' {
            let Some(kind) = self.builtin() else {
                let found = quote_char(self.rest().chars().next());
                return Err(self.error(start, format!("unexpected character: {found}, expected ':'")));
            };
            return Ok(self.token(kind, start));
        }
        if self.seen_colon {
            return Err(self.error(start, "unexpected colon ':'"));
        }
        self.seen_colon = true;
        self.at += 1;
        Ok(self.token(TokenKind::Colon, start))
    }

    /// A function of durations. If there is none, nothing is taken.
    fn builtin(&mut self) -> Option<TokenKind> {
        let start = self.at;
        self.skip_while(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let word = self.text[start..self.at].to_ascii_lowercase();
        let found = duration_builtin(word.as_bytes()).map(TokenKind::Builtin);
        if found.is_none() {
            self.at = start;
        }
        found
    }

    /// A keyword or a name.
    fn word(&mut self) -> Token {
        let start = self.at;
        self.skip_while(|byte| is_alphanumeric(byte) || byte == b':');
        let word = &self.text[start..self.at];
        let kind = match keyword(word) {
            Some(TokenKind::Keyword(fill)) if fill.is_fill() && !self.is_before_paren() => TokenKind::Identifier,
            Some(keyword) => keyword,
            None if word.contains(':') => TokenKind::MetricIdentifier,
            None => TokenKind::Identifier,
        };
        self.token(kind, start)
    }

    /// Whether the next character that is no blank opens a parenthesis.
    fn is_before_paren(&self) -> bool {
        let next = self.rest().bytes().find(|byte| !is_blank(*byte));
        next == Some(b'(')
    }

    fn end(&self) -> Result<Token, ParseError> {
        if self.open_parens > 0 {
            return Err(self.error(self.at, "unclosed left parenthesis"));
        }
        if self.open_bracket {
            return Err(self.error(self.at, "unclosed left bracket"));
        }
        Ok(self.token(TokenKind::End, self.at))
    }

    fn skip_blanks_and_comments(&mut self) {
        self.skip_while(is_blank);
        while self.peek() == Some(b'#') {
            self.skip_while(|byte| !matches!(byte, b'\n' | b'\r'));
            self.skip_while(is_blank);
        }
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn peek_second(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at + 1).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        Token { kind, span: Span::new(start, self.at) }
    }

    /// An error from `start` to the end of the text: nothing behind it was looked at.
    fn error(&self, start: usize, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.text, Span::new(start, self.text.len()), message)
    }

    /// An error that shows the next character.
    fn unexpected(&self, message: &str) -> ParseError {
        let next = self.rest().chars().next();
        self.error(self.at, format!("{message}{}", quote_char(next)))
    }

    /// An error that shows the character behind the next one.
    fn unexpected_second(&self, message: &str) -> ParseError {
        let second = self.rest().chars().nth(1);
        self.error(self.at, format!("{message}{}", quote_char(second)))
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A character in single quotes, with Go's escapes. The end of the text is U+FFFD, which Go shows for what is none.
fn quote_char(c: Option<char>) -> String {
    match c.unwrap_or(char::REPLACEMENT_CHARACTER) {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = model::quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}
