//! A backslash before one character.

use crate::error::{Error, ErrorKind};

/// Reads the escape at the start of `text` and gives the code point, which may be a surrogate, and what follows.
pub(super) fn character(text: &str) -> Result<(u32, &str), Error> {
    let mut rest = text[1..].chars();
    let Some(first) = rest.next() else {
        return Err(Error::new(ErrorKind::TrailingBackslash, ""));
    };
    let after_first = rest.as_str();
    let code = match first {
        // A single digit other than zero would refer back to a group, which is not supported.
        '1'..='7' if !after_first.starts_with(is_octal) => None,
        '0'..='7' => return Ok(octal(&text[1..])),
        'x' => return hexadecimal(text),
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
        _ => None,
    };
    code.map(|code| (code, after_first)).ok_or_else(|| refuse(text, after_first))
}

/// Up to three octal digits.
fn octal(text: &str) -> (u32, &str) {
    let length = text.bytes().take(3).take_while(|byte| is_octal(char::from(*byte))).count();
    let (digits, rest) = text.split_at(length);
    let code = digits.bytes().fold(0, |code, digit| code * 8 + u32::from(digit - b'0'));
    (code, rest)
}

fn is_octal(c: char) -> bool {
    matches!(c, '0'..='7')
}

/// `\x7f` or `\x{10ffff}`.
fn hexadecimal(text: &str) -> Result<(u32, &str), Error> {
    let digits = &text[2..];
    let mut chars = digits.chars();
    if !digits.starts_with('{') {
        let (Some(high), low) = (chars.next(), chars.next()) else {
            return Err(refuse(text, ""));
        };
        let code = high.to_digit(16).zip(low.and_then(|low| low.to_digit(16)));
        return code.map(|(high, low)| (high * 16 + low, chars.as_str())).ok_or_else(|| refuse(text, chars.as_str()));
    }
    chars.next();
    let mut code = None;
    while let Some(c) = chars.next() {
        code = match (c, code, c.to_digit(16)) {
            ('}', Some(code), _) => return Ok((code, chars.as_str())),
            (_, before, Some(digit)) => Some(before.unwrap_or(0) * 16 + digit),
            _ => return Err(refuse(text, chars.as_str())),
        };
        if code > Some(u32::from(char::MAX)) {
            return Err(refuse(text, chars.as_str()));
        }
    }
    Err(refuse(text, ""))
}

fn refuse(text: &str, rest: &str) -> Error {
    Error::new(ErrorKind::Escape, &text[..text.len() - rest.len()])
}
