//! The parameters of a request, wherever they stand.

mod duration;
mod float;
mod time;

use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::{Method, header};
use http_body_util::{BodyExt, Limited};
use model::{Matcher, TimeRange, Timestamp, quote};

pub(crate) use duration::parse_duration;
pub use time::{parse_time, rfc3339};

use crate::error::ApiError;

/// The largest form that is read. Dashboards send regular expressions of many kilobytes.
const MAX_FORM_BYTES: usize = 10 << 20;

/// The parameters of a request: those of a form in its body, then those in its URL.
///
/// As in Go, a pair that can't be decoded is left out, and only endpoints that look for faults complain.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    fault: Option<String>,
}

impl Params {
    /// The first value with this name; empty if there is none, which is the same to all endpoints.
    pub(crate) fn first(&self, name: &str) -> &str {
        let named = self.pairs.iter().find(|(key, _)| key == name);
        named.map_or("", |(_, value)| value)
    }

    /// All values with this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// If a pair could not be decoded.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match &self.fault {
            Some(fault) => Err(ApiError::bad_data(format!("error parsing form values: {fault}"))),
            None => Ok(()),
        }
    }

    /// The most results that are wanted; 0: all.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        let text = self.first("limit");
        if text.is_empty() {
            return Ok(0);
        }
        let limit = parse_integer::<i64>("Atoi", text).map_err(|fault| ApiError::parameter("limit", fault))?;
        usize::try_from(limit).map_err(|_| ApiError::parameter("limit", "limit must be non-negative"))
    }

    /// A number with a message of its own for what is none.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let text = self.first(name);
        if text.is_empty() {
            return Ok(None);
        }
        parse_integer("Atoi", text).map(Some).map_err(|_| ApiError::bad_data(format!("{name} must be a number")))
    }

    /// A time that must be given.
    pub(crate) fn time(&self, name: &'static str) -> Result<Timestamp, ApiError> {
        parse_time(self.first(name)).map_err(|fault| ApiError::parameter(name, fault))
    }

    /// A time that may be given.
    pub(crate) fn optional_time(&self, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
        let text = self.first(name);
        if text.is_empty() {
            return Ok(None);
        }
        let invalid = |fault| ApiError::parameter(name, format!("invalid time value for '{name}': {fault}"));
        parse_time(text).map(Some).map_err(invalid)
    }

    /// A time that may be given, with a message that does not name it as a parameter.
    pub(crate) fn time_or(&self, name: &'static str, default: Timestamp) -> Result<Timestamp, ApiError> {
        let text = self.first(name);
        if text.is_empty() {
            return Ok(default);
        }
        parse_time(text).map_err(|fault| ApiError::bad_data(format!("invalid time value for '{name}': {fault}")))
    }

    /// From `start` to `end`, both included and both optional.
    pub(crate) fn range(&self) -> Result<TimeRange, ApiError> {
        let start = self.optional_time("start")?.unwrap_or(Timestamp::MIN);
        let end = self.optional_time("end")?.unwrap_or(Timestamp::MAX);
        Ok(TimeRange::inclusive(start, end))
    }

    /// The selectors in `match[]`. None may select everything.
    ///
    /// # Errors
    /// What is wrong with the first bad one.
    pub(crate) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, String> {
        let selectors: Result<Vec<_>, _> = self.all("match[]").map(promql::parse_selector).collect();
        let selectors = selectors.map_err(|error| error.to_string())?;
        if selectors.iter().any(|matchers| matchers.iter().all(Matcher::matches_empty)) {
            return Err("match[] must contain at least one non-empty matcher".to_owned());
        }
        Ok(selectors)
    }

    /// Adds the pairs of `a=1&b=2`.
    fn extend(&mut self, text: &str) {
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            match decode_pair(pair) {
                Ok(pair) => self.pairs.push(pair),
                Err(fault) => self.fault = self.fault.take().or(Some(fault)),
            }
        }
    }
}

impl<S: Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let mut params = Self::default();
        let (parts, body) = request.into_parts();
        let may_have_form = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let content_type = parts.headers.get(header::CONTENT_TYPE).map_or(b"".as_slice(), |value| value.as_bytes());
        if may_have_form && is_form(content_type) {
            params.extend(&read_form(body).await?);
        }
        params.extend(parts.uri.query().unwrap_or_default());
        Ok(params)
    }
}

fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

async fn read_form(body: Body) -> Result<String, ApiError> {
    let limited = Limited::new(body, MAX_FORM_BYTES).collect().await;
    let form = limited.map_err(|error| ApiError::bad_data(format!("error parsing form values: {error}")))?;
    Ok(String::from_utf8_lossy(&form.to_bytes()).into_owned())
}

fn decode_pair(pair: &str) -> Result<(String, String), String> {
    if pair.contains(';') {
        return Err("invalid semicolon separator in query".to_owned());
    }
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    Ok((decode(key)?, decode(value)?))
}

/// Resolves `%2B` and `+`. Bytes that are no UTF-8 become U+FFFD.
fn decode(text: &str) -> Result<String, String> {
    let bytes = decode_bytes(text)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Resolves `%2B` and `+`.
pub(crate) fn decode_bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |at: usize| tail.get(at).and_then(|byte| (*byte as char).to_digit(16));
        rest = tail;
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                rest = &tail[2..];
            }
            (b'%', ..) => {
                let escape = &tail[..tail.len().min(2)];
                return Err(format!("invalid URL escape {}", quote(&format!("%{}", String::from_utf8_lossy(escape)))));
            }
            (b'+', ..) => bytes.push(b' '),
            (other, ..) => bytes.push(*other),
        }
    }
    Ok(bytes)
}

/// Reads a whole number as Go does, with Go's message for what is none.
pub(crate) fn parse_integer<T: FromStr>(function: &str, text: &str) -> Result<T, String> {
    let fault = |what| format!("strconv.{function}: parsing {}: {what}", quote(text));
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault("invalid syntax"));
    }
    text.parse().map_err(|_| fault("value out of range"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Params {
        let mut params = Params::default();
        params.extend(text);
        params
    }

    #[test]
    fn pairs_are_decoded_and_bad_ones_left_out() {
        let params = parse("a=1+2%2B3&b=%zz&a=&c&d=x;y&%C3%A9=%ff");
        assert_eq!(params.all("a").collect::<Vec<_>>(), ["1 2+3", ""]);
        assert_eq!((params.first("b"), params.first("c"), params.first("d")), ("", "", ""));
        assert_eq!(params.first("é"), "\u{fffd}");
        let error = params.check().unwrap_err();
        assert_eq!(error.message(), "error parsing form values: invalid URL escape \"%zz\"");
    }

    #[test]
    fn limits_are_refused_in_the_words_of_go() {
        for (text, expected) in [
            ("", Ok(0)),
            ("10", Ok(10)),
            ("+7", Ok(7)),
            ("-1", Err("limit must be non-negative")),
            ("1.5", Err("strconv.Atoi: parsing \"1.5\": invalid syntax")),
            ("99999999999999999999", Err("strconv.Atoi: parsing \"99999999999999999999\": value out of range")),
        ] {
            let params = Params { pairs: vec![("limit".to_owned(), text.to_owned())], fault: None };
            let limit = params.limit().map_err(|error| error.message().to_owned());
            assert_eq!(limit, expected.map_err(|fault| format!("invalid parameter \"limit\": {fault}")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z=&%+;0-9é]{0,40}") {
            let params = parse(&text);
            let _ = (params.first("a"), params.check().is_ok());
        }
    }
}
