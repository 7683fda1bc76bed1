//! Numbers and durations.
//!
//! What is taken here need not be a number: it is looked at more closely when its value is asked for. Where the line is
//! drawn decides between two messages, so it is drawn where Prometheus draws it.

use super::{Lexer, is_alphanumeric};
use crate::ParseError;
use crate::token::{Token, TokenKind};

impl Lexer<'_> {
    pub(super) fn number_or_duration(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        if self.take_number() {
            return Ok(self.token(TokenKind::Number, start));
        }
        if self.take_rest_of_duration() {
            return Ok(self.token(TokenKind::Duration, start));
        }
        let taken = &self.text[start..self.at];
        let message = format!("bad number or duration syntax: {}", model::quote(taken));
        Err(self.error(start, message))
    }

    /// Takes a number up to where it stops being one, and says whether it is one and no letter follows.
    fn take_number(&mut self) -> bool {
        let start = self.at;
        let is_hex = self.accept(b'0') && self.take_one_of(b"xX");
        let is_digit = |byte: u8| byte.is_ascii_digit() || is_hex && byte.is_ascii_hexdigit();
        if is_hex {
            self.accept(b'_');
        }
        self.accept(b'.');
        if self.peek().is_some_and(is_digit) {
            self.at += 1;
        }
        let (mut seen_dot, mut seen_exponent) = (false, false);
        while let Some(byte) = self.peek() {
            match byte {
                // In hexadecimal numbers too an E starts an exponent, unless it is the first digit.
                b'e' | b'E' => {
                    self.at += 1;
                    if seen_exponent {
                        return false;
                    }
                    seen_exponent = true;
                    self.take_one_of(b"+-");
                    if self.take_one_of(b"._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                b'.' => {
                    self.at += 1;
                    if seen_dot || self.take_one_of(b"_.") || is_hex {
                        return false;
                    }
                    seen_dot = true;
                }
                b'_' => {
                    self.at += 1;
                    if self.take_one_of(b"._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                byte if is_digit(byte) => self.skip_while(is_digit),
                _ => break,
            }
        }
        self.at > start && !self.peek().is_some_and(is_alphanumeric)
    }

    /// Goes on behind the first number of a duration, and says whether all of it looks like one.
    fn take_rest_of_duration(&mut self) -> bool {
        if !self.take_one_of(b"smhdwy") {
            return false;
        }
        self.accept(b's');
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_while(|byte| byte.is_ascii_digit());
            if !self.take_one_of(b"smhdw") {
                return false;
            }
            self.accept(b's');
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.at += 1; // The message shows what is too much.
            return false;
        }
        true
    }

    fn take_one_of(&mut self, bytes: &[u8]) -> bool {
        let is_next = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(is_next);
        is_next
    }
}
