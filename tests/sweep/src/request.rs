//! What is asked.

use std::fmt::{self, Write};

/// A request. Its path has its parameters, escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path with the query of the URL.
    pub path: String,
    /// A body, which is a form if no header says otherwise.
    pub body: Option<String>,
    /// Headers beside those that every request has.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// A request for a path that is escaped already.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), body: None, headers: Vec::new() }
    }

    /// A `GET` request with parameters.
    pub fn get(path: &str, params: &[(&str, &str)]) -> Self {
        let query = form(params.iter().copied());
        let mark = if query.is_empty() { "" } else { "?" };
        Self::new("GET", &format!("{path}{mark}{query}"))
    }

    /// The same with a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    pub fn with_body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// The path without parameters.
    pub fn route(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(route, _)| route)
    }

    /// The parameters of the URL and of the body, unescaped as far as they are UTF-8.
    pub fn params(&self) -> Vec<(String, String)> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let pairs = self.body.as_deref().unwrap_or_default().split('&').chain(query.split('&'));
        let pairs = pairs.filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (unescaped(name), unescaped(value))
            })
            .collect()
    }

    /// The first value of a parameter; empty without one.
    pub fn param(&self, name: &str) -> String {
        self.params().into_iter().find(|(key, _)| key == name).map_or_else(String::new, |(_, value)| value)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.path.chars().take(400).collect();
        write!(f, "{} {shown}", self.method)?;
        if let Some(body) = &self.body {
            write!(f, " with {body}")?;
        }
        self.headers.iter().try_for_each(|(name, value)| write!(f, " {name}: {value}"))
    }
}

/// Parameters as they stand in URLs and forms.
pub(crate) fn form<'a>(params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> =
        params.into_iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}

/// A text as it stands in a URL.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            b' ' => escaped.push('+'),
            _ => write!(escaped, "%{byte:02X}").expect("a text takes in what is written"),
        }
    }
    escaped
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, code.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
