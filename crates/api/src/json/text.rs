//! Texts in quotes.

/// Adds a text in quotes, with only what JSON itself asks for escaped.
pub(super) fn push(bytes: &mut Vec<u8>, text: &str) {
    push_escaping(bytes, text, is_plain, |c| matches!(c, '\0'..' ' | '"' | '\\'));
}

/// Adds a text in quotes, with what means something in HTML or to old JavaScript escaped too.
pub(super) fn push_for_html(bytes: &mut Vec<u8>, text: &str) {
    let is_plain = |byte| is_plain(byte) & (byte != b'<') & (byte != b'>') & (byte != b'&');
    let must_escape = |c| matches!(c, '\0'..' ' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    push_escaping(bytes, text, is_plain, must_escape);
}

/// Whether a byte is a character that is written as it is.
fn is_plain(byte: u8) -> bool {
    (byte >= b' ') & byte.is_ascii() & (byte != b'"') & (byte != b'\\')
}

fn push_escaping(bytes: &mut Vec<u8>, text: &str, is_plain: impl Fn(u8) -> bool, must_escape: impl Fn(char) -> bool) {
    bytes.push(b'"');
    // Nearly all texts are plain. To look at all bytes, without branches, is quicker than to stop at the first that is not.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'"');
        return;
    }
    let mut written = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| must_escape(*c)) {
        bytes.extend_from_slice(&text.as_bytes()[written..at]);
        push_escape(bytes, c);
        written = at + c.len_utf8();
    }
    bytes.extend_from_slice(&text.as_bytes()[written..]);
    bytes.push(b'"');
}

fn push_escape(bytes: &mut Vec<u8>, c: char) {
    match c {
        '"' => bytes.extend_from_slice(b"\\\""),
        '\\' => bytes.extend_from_slice(b"\\\\"),
        '\n' => bytes.extend_from_slice(b"\\n"),
        '\r' => bytes.extend_from_slice(b"\\r"),
        '\t' => bytes.extend_from_slice(b"\\t"),
        other => bytes.extend_from_slice(format!("\\u{:04x}", u32::from(other)).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_escaped_as_go_does() {
        let text = "a\"\\\n\r\t\u{8}\u{1f}\u{7f}<&>\u{2028}é";
        let (mut plain, mut html) = (Vec::new(), Vec::new());
        push(&mut plain, text);
        push_for_html(&mut html, text);
        let plain = String::from_utf8(plain).unwrap();
        let html = String::from_utf8(html).unwrap();
        assert_eq!(plain, "\"a\\\"\\\\\\n\\r\\t\\u0008\\u001f\u{7f}<&>\u{2028}é\"");
        assert_eq!(html, "\"a\\\"\\\\\\n\\r\\t\\u0008\\u001f\u{7f}\\u003c\\u0026\\u003e\\u2028é\"");
    }
}
