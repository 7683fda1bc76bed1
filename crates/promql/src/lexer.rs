//! From text to words.

mod number;
mod string;

use crate::token::{Token, TokenKind, duration_builtin, keyword};
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
        let Some(byte) = self.peek() else {
            return self.end();
        };
        let kind = match byte {
            b'0'..=b'9' => return self.number_or_duration(),
            b'.' if self.peek_second().is_some_and(|next| next.is_ascii_digit()) => return self.number_or_duration(),
            b'"' | b'\'' | b'`' => return self.string(),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' | b':' if self.open_bracket => return self.word_in_brackets(byte),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' | b':' => return Ok(self.word()),
            b'=' if self.peek_second() == Some(b'~') => {
                return Err(self.error(start, "unexpected character after '=': '~'"));
            }
            b'=' => self.one_or_two(TokenKind::Assign, &[(b'=', TokenKind::Operator(BinaryOp::Equal))]),
            b'!' => {
                self.at += 1;
                if !self.accept(b'=') {
                    return Err(self.unexpected(start, "unexpected character after '!': ", ""));
                }
                TokenKind::Operator(BinaryOp::NotEqual)
            }
            b'<' => self.one_or_two(
                TokenKind::Operator(BinaryOp::Less),
                &[
                    (b'=', TokenKind::Operator(BinaryOp::LessOrEqual)),
                    (b'/', TokenKind::Operator(BinaryOp::TrimUpper)),
                ],
            ),
            b'>' => self.one_or_two(
                TokenKind::Operator(BinaryOp::Greater),
                &[
                    (b'=', TokenKind::Operator(BinaryOp::GreaterOrEqual)),
                    (b'/', TokenKind::Operator(BinaryOp::TrimLower)),
                ],
            ),
            b'@' => self.one(TokenKind::At),
            b'{' => {
                self.place = Place::Braces;
                self.one(TokenKind::LeftBrace)
            }
            b'[' => return self.left_bracket(),
            b']' if !self.open_bracket => return Err(self.error(start, "unexpected right bracket ']'")),
            _ => match self.arithmetic_or_bracket(byte)? {
                Some(kind) => kind,
                None => return Err(self.unexpected(start, "unexpected character: ", "")),
            },
        };
        Ok(self.token(kind, start))
    }

    fn next_in_braces(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let Some(byte) = self.peek() else {
            return Err(self.error(start, "unexpected end of input inside braces"));
        };
        let kind = match byte {
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.skip_while(is_alphanumeric);
                TokenKind::Identifier
            }
            b'"' | b'\'' | b'`' => return self.string(),
            b',' => self.one(TokenKind::Comma),
            b'=' => self.one_or_two(TokenKind::Assign, &[(b'~', TokenKind::MatchRegex)]),
            b'!' => {
                self.at += 1;
                if self.accept(b'~') {
                    TokenKind::MatchNotRegex
                } else if self.accept(b'=') {
                    TokenKind::Operator(BinaryOp::NotEqual)
                } else {
                    return Err(self.unexpected(start, "unexpected character after '!' inside braces: ", ""));
                }
            }
            b'{' => return Err(self.error(start, "unexpected left brace '{'")),
            b'}' => {
                self.place = Place::Expression;
                self.one(TokenKind::RightBrace)
            }
            _ => return Err(self.unexpected(start, "unexpected character inside braces: ", "")),
        };
        Ok(self.token(kind, start))
    }

    fn next_in_duration(&mut self) -> Result<Token, ParseError> {
        self.skip_while(is_blank);
        let start = self.at;
        let Some(byte) = self.peek() else {
            return Err(self.error(start, "unexpected end of input in duration expression"));
        };
        let kind = match byte {
            b'0'..=b'9' => return self.first_number(),
            b'.' if self.peek_second().is_some_and(|next| next.is_ascii_digit()) => return self.first_number(),
            b':' => {
                self.at += 1;
                if !self.seen_number {
                    return Err(self.error(self.at, "unexpected colon before duration in duration expression"));
                }
                if self.seen_colon {
                    return Err(self.error(self.at, "unexpected repeated colon in duration expression"));
                }
                self.seen_colon = true;
                TokenKind::Colon
            }
            b'a'..=b'z' | b'A'..=b'Z' => match self.builtin() {
                Some(kind) => kind,
                None => return Err(self.unexpected(start, "unexpected character in duration expression: ", "")),
            },
            _ => match self.arithmetic_or_bracket(byte)? {
                Some(kind) => kind,
                None => return Err(self.unexpected(start, "unexpected character in duration expression: ", "")),
            },
        };
        Ok(self.token(kind, start))
    }

    /// The words of one character that mean the same in expressions and in durations; `None` if `byte` is none of them.
    fn arithmetic_or_bracket(&mut self, byte: u8) -> Result<Option<TokenKind>, ParseError> {
        let kind = match byte {
            b',' => TokenKind::Comma,
            b'+' => TokenKind::Operator(BinaryOp::Add),
            b'-' => TokenKind::Operator(BinaryOp::Sub),
            b'*' => TokenKind::Operator(BinaryOp::Mul),
            b'/' => TokenKind::Operator(BinaryOp::Div),
            b'%' => TokenKind::Operator(BinaryOp::Mod),
            b'^' => TokenKind::Operator(BinaryOp::Pow),
            b'(' => {
                self.open_parens += 1;
                TokenKind::LeftParen
            }
            b')' => {
                let Some(open_parens) = self.open_parens.checked_sub(1) else {
                    return Err(self.error(self.at + 1, "unexpected right parenthesis ')'"));
                };
                self.open_parens = open_parens;
                TokenKind::RightParen
            }
            b']' => {
                self.open_bracket = false;
                self.place = Place::Expression;
                TokenKind::RightBracket
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(kind))
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

    fn first_number(&mut self) -> Result<Token, ParseError> {
        self.seen_number = true;
        self.place = Place::Expression;
        self.number_or_duration()
    }

    /// A colon or a function of durations; other words have no place in brackets.
    fn word_in_brackets(&mut self, first: u8) -> Result<Token, ParseError> {
        let start = self.at;
        let kind = if first == b':' {
            if self.seen_colon {
                return Err(self.error(start, "unexpected colon ':'"));
            }
            self.seen_colon = true;
            self.one(TokenKind::Colon)
        } else {
            self.builtin()
                .ok_or_else(|| self.unexpected(start, "unexpected character: ", ", expected ':'"))?
        };
        Ok(self.token(kind, start))
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

    fn one(&mut self, kind: TokenKind) -> TokenKind {
        self.at += 1;
        kind
    }

    /// A word of one character, or one of two if its second character follows.
    fn one_or_two(&mut self, one: TokenKind, two: &[(u8, TokenKind)]) -> TokenKind {
        self.at += 1;
        for (second, kind) in two {
            if self.accept(*second) {
                return *kind;
            }
        }
        one
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        Token {
            kind,
            span: Span::new(start, self.at),
        }
    }

    /// An error from `start` to the end of the text: nothing behind it was looked at.
    fn error(&self, start: usize, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.text, Span::new(start, self.text.len()), message)
    }

    /// An error that shows the next character. The end of the text shows as U+FFFD, as Go shows what is no character.
    fn unexpected(&self, start: usize, before: &str, after: &str) -> ParseError {
        let next = self.rest().chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
        self.error(start, format!("{before}{}{after}", quote_char(next)))
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A character in single quotes, with Go's escapes.
fn quote_char(c: char) -> String {
    match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = model::quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}
