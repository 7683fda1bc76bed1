//! URLs as Go reads them.

use model::quote;
use yaml::{Text, as_text};

/// A URL that Go's `url.Parse` takes; empty if there is none.
///
/// Go takes far more than absolute URLs, and Prometheus asks of each setting's URL what it needs: a scheme, a host. The
/// text stays as it was written; a password in it is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Url {
    text: String,
    /// Where the password stands in the text.
    password: Option<(usize, usize)>,
    scheme: String,
    host: String,
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl Url {
    /// The URL as it was written, with its password.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The scheme in small letters, empty if there is none.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host and the port, empty if there is no host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The URL with `xxxxx` for its password.
    pub fn redacted(&self) -> String {
        let mut text = self.text.clone();
        if let Some((start, end)) = self.password {
            text.replace_range(start..end, "xxxxx");
        }
        text
    }

    fn parse_parts(text: &str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self { text: text.to_owned(), ..Self::default() };
        let (before_fragment, fragment) = text.split_once('#').unwrap_or((text, ""));
        check_escapes(fragment)?;
        let (scheme, rest) = split_scheme(before_fragment)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (rest, _query) = rest.split_once('?').unwrap_or((rest, ""));
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                // Opaque, as in `mailto:x`: nothing in it is looked at.
                return Ok(url);
            }
            if rest.split('/').next().unwrap_or_default().contains(':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let path = match rest.strip_prefix("//") {
            Some(rest) if !scheme.is_empty() || !rest.starts_with('/') => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                url.take_authority(authority, authority.as_ptr() as usize - text.as_ptr() as usize)?;
                path
            }
            _ => rest,
        };
        check_escapes(path)?;
        Ok(url)
    }

    /// Takes `user:password@host:port`, which begins at `start` of the text.
    fn take_authority(&mut self, authority: &str, start: usize) -> Result<(), String> {
        let host = match authority.rsplit_once('@') {
            None => authority,
            Some((user, host)) => {
                let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
                if !user.chars().all(is_allowed) {
                    return Err("net/url: invalid userinfo".to_owned());
                }
                check_escapes(user)?;
                if let Some((name, password)) = user.split_once(':') {
                    let from = start + name.len() + 1;
                    self.password = Some((from, from + password.len()));
                }
                host
            }
        };
        check_host(host)?;
        self.host = host.to_owned();
        Ok(())
    }
}

/// The scheme in front of the first colon, empty if what stands there is none, and the rest.
fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(("", text)) };
    if scheme.is_empty() {
        return Err("missing protocol scheme".to_owned());
    }
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    Ok(if is_scheme { (scheme, rest) } else { ("", text) })
}

fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(inner) => {
            let (address, port) = inner.rsplit_once(']').ok_or("missing ']' in host")?;
            if address.parse::<std::net::Ipv6Addr>().is_err() && !address.contains('%') {
                return Err(format!("invalid host: ParseAddr({}): unable to parse IP", quote(address)));
            }
            ("", port)
        }
        None => host.split_at(host.rfind(':').unwrap_or(host.len())),
    };
    let digits = port.strip_prefix(':');
    if !port.is_empty() && !digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("invalid port {} after host", quote(port)));
    }
    check_escapes(name)?;
    let is_allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c);
    match name.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!("invalid character {} in host name", quote(&c.to_string()))),
        None => Ok(()),
    }
}

/// Each `%` needs two hexadecimal digits.
fn check_escapes(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('%') {
        let escape: String = text[at..].chars().take(3).collect();
        if escape.len() != 3 || !escape[1..].bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("invalid URL escape {}", quote(&escape)));
        }
    }
    Ok(())
}

impl Text for Url {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse_parts(text).map_err(|problem| format!("parse {}: {problem}", quote(text)))
    }

    fn print(&self) -> String {
        self.redacted()
    }

    fn empty() -> Self {
        Self::default()
    }
}

as_text!(Url);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, scheme: &str, host: &str) {
        let url = Url::parse(text).unwrap();
        assert_eq!((url.scheme(), url.host()), (scheme, host), "{text}");
    }

    #[test]
    fn go_takes_many_things_for_a_url() {
        check("http://a:1/x?y#z", "http", "a:1");
        check("HTTPS://[::1]:443", "https", "[::1]:443");
        check("unix:///var/run/docker.sock", "unix", "");
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for (text, problem) in [
            ("://invalid", "missing protocol scheme"),
            ("a b:c", "first path segment in URL cannot contain colon"),
            ("http://a:b", "invalid port \":b\" after host"),
            ("http://a b", "invalid character \" \" in host name"),
            ("http://a/%zz", "invalid URL escape \"%zz\""),
            ("http://a\n", "net/url: invalid control character in URL"),
        ] {
            assert_eq!(Url::parse(text).unwrap_err(), format!("parse {}: {problem}", quote(text)));
        }
    }

    #[test]
    fn passwords_are_hidden() {
        let url = Url::parse("http://me:pass@host/x").unwrap();
        assert_eq!((url.print().as_str(), url.host()), ("http://me:xxxxx@host/x", "host"));
        assert_eq!(format!("{url:?}"), "http://me:xxxxx@host/x");
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in "\\PC{0,20}|[a-c:/@%\\[\\]0-9?#é]{0,30}") {
            if let Ok(url) = Url::parse(&text) {
                let _ = url.redacted();
            }
        }
    }
}
