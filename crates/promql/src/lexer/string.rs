//! Quoted texts.

use super::{Lexer, quote_char};
use crate::ParseError;
use crate::token::{Token, TokenKind};

impl Lexer<'_> {
    /// A text in quotes, whose opening quote is next.
    pub(super) fn string(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        let quote = self.next_char().unwrap_or_default();
        let checked = if quote == '`' { self.take_raw_string() } else { self.take_string(quote) };
        match checked {
            Ok(()) => Ok(self.token(TokenKind::String, start)),
            Err(fault) => Err(self.error(start, fault)),
        }
    }

    fn take_raw_string(&mut self) -> Result<(), String> {
        loop {
            match self.next_char() {
                None => return Err("unterminated raw string".to_owned()),
                Some(char::REPLACEMENT_CHARACTER) => return Err(INVALID_CHARACTER.to_owned()),
                Some('`') => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn take_string(&mut self, quote: char) -> Result<(), String> {
        loop {
            match self.next_char() {
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some(char::REPLACEMENT_CHARACTER) => return Err(INVALID_CHARACTER.to_owned()),
                Some('\\') => self.take_escape(quote)?,
                Some(c) if c == quote => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// Takes what follows a backslash.
    fn take_escape(&mut self, quote: char) -> Result<(), String> {
        let mut next = self.next_char();
        let (digits, radix, largest) = match next {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(()),
            Some(c) if c == quote => return Ok(()),
            Some('0'..='7') => (3, 8, 255),
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, u32::from(char::MAX)),
            Some('U') => (8, 16, u32::from(char::MAX)),
            Some(c) => return Err(format!("unknown escape sequence {}", code_point(c))),
            None => return Err(UNTERMINATED_ESCAPE.to_owned()),
        };
        if radix == 16 {
            next = self.next_char();
        }
        let mut code = 0u32;
        for left in (0..digits).rev() {
            let c = next.ok_or(UNTERMINATED_ESCAPE)?;
            let digit =
                c.to_digit(radix).ok_or_else(|| format!("illegal character {} in escape sequence", code_point(c)))?;
            code = code.wrapping_mul(radix).wrapping_add(digit);
            if left > 0 {
                next = self.next_char();
            }
        }
        if code > largest || (0xd800..0xe000).contains(&code) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn next_char(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }
}

/// Go cannot tell U+FFFD, which stands for invalid UTF-8, from invalid UTF-8.
const INVALID_CHARACTER: &str = "invalid UTF-8 rune";
const UNTERMINATED_ESCAPE: &str = "escape sequence not terminated";

/// A character as Go's `%#U` shows it: `U+0063 'c'`, or only the code if it cannot be printed.
fn code_point(c: char) -> String {
    let code = u32::from(c);
    let quoted = quote_char(Some(c));
    if quoted.starts_with("'\\") && !matches!(c, '\'' | '\\') {
        return format!("U+{code:04X}");
    }
    format!("U+{code:04X} '{c}'")
}
