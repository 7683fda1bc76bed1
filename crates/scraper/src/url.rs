//! URLs written as Go writes them: that is how users know them, and they are part of a target's name.

use std::collections::BTreeMap;
use std::fmt::Write;

/// `scheme://host/path?query`, escaped; parameters in order of their names.
pub(crate) fn url(scheme: &str, host: &str, path: &str, params: &BTreeMap<&str, Vec<&str>>) -> String {
    let mut url = format!("{scheme}://");
    escape(host, b"-_.~!$&'()*+,;=:[]<>\"", &mut url);
    if !path.is_empty() && !path.starts_with('/') {
        url.push('/');
    }
    escape(path, b"-_.~$&+,/:;=@", &mut url);
    let mut separator = '?';
    for (name, values) in params {
        for value in values {
            url.push(separator);
            escape_query(name, &mut url);
            url.push('=');
            escape_query(value, &mut url);
            separator = '&';
        }
    }
    url
}

fn escape_query(text: &str, out: &mut String) {
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            out.push('+');
        }
        escape(word, b"-_.~", out);
    }
}

/// Appends a text with everything as `%XX` but letters, digits and what is `allowed`.
fn escape(text: &str, allowed: &[u8], out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || allowed.contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string succeeds");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_escaped() {
        let params = BTreeMap::from([("module", vec!["http 2xx"]), ("a&b", vec!["x=y", "ü"])]);
        assert_eq!(
            url("https", "example.org:80", "probe?x/y z", &params),
            "https://example.org:80/probe%3Fx/y%20z?a%26b=x%3Dy&a%26b=%C3%BC&module=http+2xx"
        );
        assert_eq!(url("http", "[::1]:9090", "", &BTreeMap::new()), "http://[::1]:9090");
    }
}
