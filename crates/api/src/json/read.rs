//! JSON that clients send, read as Go does.

use std::collections::BTreeMap;

/// Containers within containers. Prometheus' library stops there as well.
const MAX_DEPTH: usize = 10_000;

/// Why a text is no object of texts. The messages are those of Go's `encoding/json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("unexpected end of JSON input")]
    End,
    #[error("invalid character {} {context}", shown(*.byte))]
    Character { byte: u8, context: String },
    #[error("exceeded max depth")]
    Depth,
    #[error("json: cannot unmarshal {found} into Go value of type {wanted}")]
    Type { found: &'static str, wanted: &'static str },
}

/// Reads an object whose members are texts. `null` is one without members, and as a member the empty text.
///
/// # Errors
/// If it is no JSON, or something else.
pub(crate) fn read_texts(json: &str) -> Result<BTreeMap<String, String>, ReadError> {
    let mut reader = Reader { bytes: json.as_bytes(), at: 0 };
    // Go checks the whole text first, so that a mistake in writing counts before one in meaning.
    reader.value()?;
    reader.skip_blanks();
    if let Some(byte) = reader.peek() {
        return Err(unexpected(byte, "after top-level value"));
    }
    reader.at = 0;
    reader.texts()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What a value is, where only that matters.
enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Null => "null",
        }
    }
}

impl Reader<'_> {
    /// Reads an object of texts from a text that is known to be JSON.
    fn texts(&mut self) -> Result<BTreeMap<String, String>, ReadError> {
        let mut texts = BTreeMap::new();
        self.skip_blanks();
        let start = self.at;
        match self.value()? {
            Kind::Object => {}
            Kind::Null => return Ok(texts),
            other => return Err(ReadError::Type { found: other.name(), wanted: "map[string]string" }),
        }
        self.at = start + 1;
        let mut mistake = None;
        loop {
            self.skip_blanks();
            match self.next()? {
                b'}' => break,
                b',' => self.skip_blanks(),
                _ => self.at -= 1,
            }
            let key = self.text()?;
            self.skip_blanks();
            self.at += 1;
            self.skip_blanks();
            let start = self.at;
            let value = match self.value()? {
                Kind::String => {
                    self.at = start;
                    self.text()?
                }
                Kind::Null => String::new(),
                other => {
                    mistake.get_or_insert(ReadError::Type { found: other.name(), wanted: "string" });
                    continue;
                }
            };
            texts.insert(key, value);
        }
        mistake.map_or(Ok(texts), Err)
    }

    /// Passes a value with all that is in it.
    fn value(&mut self) -> Result<Kind, ReadError> {
        // The containers that are open: whether each is an object.
        let mut open: Vec<bool> = Vec::new();
        let mut outermost = None;
        loop {
            self.skip_blanks();
            let kind = match self.next()? {
                b'{' => Kind::Object,
                b'[' => Kind::Array,
                byte => self.leaf(byte)?,
            };
            let opens = match kind {
                Kind::Object => Some(true),
                Kind::Array => Some(false),
                _ => None,
            };
            outermost.get_or_insert(kind);
            if let Some(is_object) = opens {
                open.push(is_object);
                if open.len() > MAX_DEPTH {
                    return Err(ReadError::Depth);
                }
                self.skip_blanks();
                match (is_object, self.peek().ok_or(ReadError::End)?) {
                    (true, b'}') | (false, b']') => {}
                    (true, _) => {
                        self.key()?;
                        continue;
                    }
                    (false, _) => continue,
                }
            }
            if !self.closes(&mut open)? {
                continue;
            }
            return Ok(outermost.expect("a value was read"));
        }
    }

    /// Passes what follows a value: the ends of containers, or what is before the next value. True at the end of all.
    fn closes(&mut self, open: &mut Vec<bool>) -> Result<bool, ReadError> {
        while let Some(is_object) = open.last() {
            self.skip_blanks();
            match (is_object, self.next()?) {
                (true, b'}') | (false, b']') => {
                    open.pop();
                }
                (true, b',') => {
                    self.skip_blanks();
                    self.key()?;
                    return Ok(false);
                }
                (false, b',') => return Ok(false),
                (true, byte) => return Err(unexpected(byte, "after object key:value pair")),
                (false, byte) => return Err(unexpected(byte, "after array element")),
            }
        }
        Ok(true)
    }

    fn key(&mut self) -> Result<(), ReadError> {
        match self.next()? {
            b'"' => self.pass_text()?,
            byte => return Err(unexpected(byte, "looking for beginning of object key string")),
        }
        self.skip_blanks();
        match self.next()? {
            b':' => Ok(()),
            byte => Err(unexpected(byte, "after object key")),
        }
    }

    /// Passes a value that contains no other, after its first byte.
    fn leaf(&mut self, first: u8) -> Result<Kind, ReadError> {
        match first {
            b'"' => self.pass_text().map(|()| Kind::String),
            b't' => self.word("true").map(|()| Kind::Bool),
            b'f' => self.word("false").map(|()| Kind::Bool),
            b'n' => self.word("null").map(|()| Kind::Null),
            b'-' | b'0'..=b'9' => self.pass_number(first).map(|()| Kind::Number),
            byte => Err(unexpected(byte, "looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), ReadError> {
        for expected in word.bytes().skip(1) {
            let byte = self.next_or_blank();
            if byte != expected {
                return Err(unexpected(byte, &format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
        }
        Ok(())
    }

    fn pass_number(&mut self, first: u8) -> Result<(), ReadError> {
        let first = if first == b'-' { self.digit("in numeric literal")? } else { first };
        if first != b'0' {
            self.pass_digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
            self.pass_digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
            self.pass_digits();
        }
        Ok(())
    }

    fn digit(&mut self, context: &str) -> Result<u8, ReadError> {
        match self.next_or_blank() {
            digit if digit.is_ascii_digit() => Ok(digit),
            byte => Err(unexpected(byte, context)),
        }
    }

    fn pass_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// Passes a text after its opening quote.
    fn pass_text(&mut self) -> Result<(), ReadError> {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next_or_blank() {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let byte = self.next_or_blank();
                            if !byte.is_ascii_hexdigit() {
                                return Err(unexpected(byte, "in \\u hexadecimal character escape"));
                            }
                        }
                    }
                    byte => return Err(unexpected(byte, "in string escape code")),
                },
                byte @ ..0x20 => return Err(unexpected(byte, "in string literal")),
                _ => {}
            }
        }
    }

    /// The text that begins here, with its escapes replaced. Half a pair of surrogates becomes a replacement character.
    fn text(&mut self) -> Result<String, ReadError> {
        let start = self.at + 1;
        self.at = start;
        self.pass_text()?;
        let raw = String::from_utf8_lossy(&self.bytes[start..self.at - 1]);
        let mut text = String::with_capacity(raw.len());
        let mut units: Vec<u16> = Vec::new();
        let mut rest = &*raw;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            let escape = if c == '\\' { rest.chars().next() } else { None };
            rest = &rest[escape.map_or(0, char::len_utf8)..];
            if escape == Some('u') {
                units.push(u16::from_str_radix(&rest[..4], 16).expect("these were seen to be digits"));
                rest = &rest[4..];
                continue;
            }
            text.extend(surrogates(&mut units));
            text.push(match escape {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(itself) => itself,
                None => c,
            });
        }
        text.extend(surrogates(&mut units));
        Ok(text)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, ReadError> {
        let byte = self.peek().ok_or(ReadError::End)?;
        self.at += 1;
        Ok(byte)
    }

    /// As [`Self::next`] where a blank is a mistake: Go sees one behind the end.
    fn next_or_blank(&mut self) -> u8 {
        self.next().unwrap_or(b' ')
    }
}

/// The characters that a run of escapes stands for.
fn surrogates(units: &mut Vec<u16>) -> Vec<char> {
    let units = std::mem::take(units);
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn unexpected(byte: u8, context: &str) -> ReadError {
    ReadError::Character { byte, context: context.to_owned() }
}

/// A byte as Go shows it: as the character with that number.
fn shown(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let quoted = model::quote(char::from(byte).encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let shown = match read_texts(json) {
            Ok(texts) => format!("{texts:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{json}");
    }

    #[test]
    fn objects_of_texts_are_read() {
        check("null", "{}");
        check(" { } ", "{}");
        check(r#"{"a" : "b","c":null, "a":"d"}"#, r#"{"a": "d", "c": ""}"#);
        check(r#"{"\u00e9\n\/":"\ud83d\ude00\ud83dx"}"#, "{\"é\\n/\": \"😀\u{fffd}x\"}");
    }

    #[test]
    fn mistakes_are_told_in_the_words_of_go() {
        for (json, message) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{} '", r"invalid character '\'' after top-level value"),
            ("{a", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\" \"", "invalid character '\"' after object key"),
            ("{\"a\":1 2", "invalid character '2' after object key:value pair"),
            ("[1 é", "invalid character 'Ã' after array element"),
            ("{\"a\":[1,]}", "invalid character ']' looking for beginning of value"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("tru", "invalid character ' ' in literal true (expecting 'e')"),
            ("-", "invalid character ' ' in numeric literal"),
            ("[1.", "invalid character ' ' after decimal point in numeric literal"),
            ("1e+", "invalid character ' ' in exponent of numeric literal"),
            (r#""\"#, "invalid character ' ' in string escape code"),
            (r#""\u0"#, r"invalid character ' ' in \u hexadecimal character escape"),
            (r#""a"#, "unexpected end of JSON input"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1e+x", "invalid character 'x' in exponent of numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("\"\n\"", r"invalid character '\n' in string literal"),
            (r#""\x"#, "invalid character 'x' in string escape code"),
            (r#""\u00g"#, r"invalid character 'g' in \u hexadecimal character escape"),
            ("[1]", "json: cannot unmarshal array into Go value of type map[string]string"),
            ("true", "json: cannot unmarshal bool into Go value of type map[string]string"),
            (r#"{"a":1,"b":[{}],"c":"d"}"#, "json: cannot unmarshal number into Go value of type string"),
        ] {
            check(json, message);
        }
        check(&"[".repeat(10_001), "exceeded max depth");
    }

    proptest! {
        #[test]
        fn what_a_library_reads_is_read(json in r#"[{}\[\]:,"a1 \\u0te-]{0,24}"#) {
            let theirs: Result<Option<BTreeMap<String, Option<String>>>, _> = serde_json::from_str(&json);
            if let Ok(theirs) = theirs {
                let theirs = theirs.unwrap_or_default().into_iter();
                let theirs = theirs.map(|(key, value)| (key, value.unwrap_or_default())).collect();
                prop_assert_eq!(read_texts(&json), Ok(theirs));
            } else if let Ok(ours) = read_texts(&json) {
                // Only half pairs are refused there and read here.
                prop_assert!(json.contains("\\u"), "{:?}", ours);
            }
        }
    }
}
