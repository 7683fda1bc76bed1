//! Which formats are asked for, and which one came.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use model::{is_legacy_metric_name, quote};

use crate::parser::Format;

/// A format that can be asked for, by the name it has in configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScrapeProtocol {
    /// OpenMetrics, its drafts.
    OpenMetricsText0_0_1,
    /// OpenMetrics.
    OpenMetricsText1_0_0,
    /// Protobuf.
    PrometheusProto,
    /// The text format.
    PrometheusText0_0_4,
    /// The text format with names in quotes.
    PrometheusText1_0_0,
}

impl ScrapeProtocol {
    /// Every protocol, by name.
    pub const ALL: [Self; 5] = [
        Self::OpenMetricsText0_0_1,
        Self::OpenMetricsText1_0_0,
        Self::PrometheusProto,
        Self::PrometheusText0_0_4,
        Self::PrometheusText1_0_0,
    ];

    /// What is asked for where nothing is configured, the best first.
    pub const DEFAULT: [Self; 4] =
        [Self::OpenMetricsText1_0_0, Self::OpenMetricsText0_0_1, Self::PrometheusText1_0_0, Self::PrometheusText0_0_4];

    /// What is asked for where native histograms or start timestamps are wanted, the best first.
    pub const PROTOBUF_FIRST: [Self; 5] = [
        Self::PrometheusProto,
        Self::OpenMetricsText1_0_0,
        Self::OpenMetricsText0_0_1,
        Self::PrometheusText1_0_0,
        Self::PrometheusText0_0_4,
    ];

    /// The name in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            Self::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
            Self::PrometheusProto => "PrometheusProto",
            Self::PrometheusText0_0_4 => "PrometheusText0.0.4",
            Self::PrometheusText1_0_0 => "PrometheusText1.0.0",
        }
    }

    /// How a page in this protocol is read.
    pub fn format(self) -> Format {
        match self {
            Self::OpenMetricsText0_0_1 | Self::OpenMetricsText1_0_0 => Format::OpenMetrics,
            Self::PrometheusProto => Format::Protobuf,
            Self::PrometheusText0_0_4 | Self::PrometheusText1_0_0 => Format::Text,
        }
    }

    /// What follows the media type when the protocol is asked for.
    fn parameters(self) -> &'static str {
        match self {
            Self::OpenMetricsText0_0_1 => "version=0.0.1",
            Self::PrometheusProto => "proto=io.prometheus.client.MetricFamily;encoding=delimited",
            Self::PrometheusText0_0_4 => "version=0.0.4",
            Self::OpenMetricsText1_0_0 | Self::PrometheusText1_0_0 => "version=1.0.0",
        }
    }

    /// Whether the protocol can say how names are escaped.
    fn escapes(self) -> bool {
        matches!(self, Self::OpenMetricsText1_0_0 | Self::PrometheusText1_0_0)
    }
}

impl fmt::Display for ScrapeProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no protocol has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scrape protocol {}, supported: [{}]", .0, ScrapeProtocol::ALL.map(ScrapeProtocol::as_str).join(" "))]
pub struct UnknownProtocol(pub String);

impl FromStr for ScrapeProtocol {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == name).ok_or_else(|| UnknownProtocol(name.to_owned()))
    }
}

/// What a target is asked to do with names that older software does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EscapingScheme {
    /// Nothing: names may be any text.
    #[default]
    AllowUtf8,
    /// Replace what is no letter or digit by an underscore.
    Underscores,
    /// Write dots as `_dot_` and underscores twice.
    Dots,
    /// Write `U__` and code points.
    Values,
}

impl EscapingScheme {
    /// The name in configurations and headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// The scheme with this name.
    pub fn find(name: &str) -> Option<Self> {
        [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values]
            .into_iter()
            .find(|scheme| scheme.as_str() == name)
    }

    /// A name of a metric or label for software that asks for this. Names that all software knows stay as they are.
    pub fn escape(self, name: &str) -> Cow<'_, str> {
        if self == Self::AllowUtf8 || is_legacy_metric_name(name) {
            return Cow::Borrowed(name);
        }
        let mut escaped = String::with_capacity(name.len() + 8);
        if self == Self::Values {
            escaped.push_str("U__");
        }
        for (at, c) in name.char_indices() {
            let is_plain = c.is_ascii_alphabetic() || c == ':' || (c.is_ascii_digit() && at > 0);
            match (self, c) {
                _ if is_plain => escaped.push(c),
                (Self::Underscores | Self::AllowUtf8, _) => escaped.push('_'),
                (Self::Dots, '.') => escaped.push_str("_dot_"),
                (Self::Dots, _) | (Self::Values, '_') => escaped.push_str("__"),
                (Self::Values, _) => escaped += &format!("_{:x}_", u32::from(c)),
            }
        }
        Cow::Owned(escaped)
    }
}

/// The `Accept` header that asks for these protocols, the best first, and accepts anything after them.
pub fn accept_header(protocols: &[ScrapeProtocol], escaping: EscapingScheme) -> String {
    let mut weight = ScrapeProtocol::ALL.len() + 1;
    let mut header = String::new();
    for protocol in protocols {
        let (media_type, parameters) = (protocol.format().media_type(), protocol.parameters());
        header += &format!("{media_type};{parameters}");
        if protocol.escapes() {
            header += &format!(";escaping={}", escaping.as_str());
        }
        header += &format!(";q=0.{weight},");
        weight = weight.saturating_sub(1);
    }
    header + &format!("*/*;q=0.{weight}")
}

impl Format {
    /// The media type of pages in this format, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text",
            Self::Protobuf => "application/vnd.google.protobuf",
        }
    }

    /// The format of a page with this `Content-Type`, or of the fallback where that says nothing of use.
    ///
    /// With the fallback comes the error that would be there without it, for people who wonder.
    ///
    /// # Errors
    /// If the header says nothing of use and there is no fallback. An absent header is an empty one.
    pub fn of_content_type(
        content_type: &str,
        fallback: Option<ScrapeProtocol>,
    ) -> Result<(Self, Option<ContentTypeError>), ContentTypeError> {
        let problem = if content_type.is_empty() {
            Problem::Blank
        } else {
            match media_type(content_type) {
                Err(mistake) => Problem::Malformed(mistake),
                Ok(found) => match [Self::Text, Self::OpenMetrics, Self::Protobuf]
                    .into_iter()
                    .find(|format| format.media_type() == found)
                {
                    Some(format) => return Ok((format, None)),
                    None => Problem::Unsupported,
                },
            }
        };
        let fallback = fallback.map(ScrapeProtocol::format);
        let error = ContentTypeError { content_type: content_type.to_owned(), problem, fallback };
        match fallback {
            Some(format) => Ok((format, Some(error))),
            None => Err(error),
        }
    }
}

/// Why a `Content-Type` does not say how a page is written. The messages are Prometheus'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct ContentTypeError {
    content_type: String,
    problem: Problem,
    fallback: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Blank,
    /// With Go's words for what is wrong.
    Malformed(&'static str),
    Unsupported,
}

impl ContentTypeError {
    fn message(&self) -> String {
        let content_type = quote(&self.content_type);
        match (self.problem, self.fallback.map(|format| quote(format.media_type()))) {
            (Problem::Blank, None) => "non-compliant scrape target sending blank Content-Type and no \
                fallback_scrape_protocol specified for target"
                .to_owned(),
            (Problem::Blank, Some(fallback)) => {
                format!(
                    "non-compliant scrape target sending blank Content-Type, using fallback_scrape_protocol {fallback}"
                )
            }
            (Problem::Malformed(mistake), None) => format!(
                "cannot parse Content-Type {content_type} and no fallback_scrape_protocol for target\nmime: {mistake}"
            ),
            (Problem::Malformed(mistake), Some(fallback)) => format!(
                "could not parse received Content-Type {content_type}, using fallback_scrape_protocol {fallback}\nmime: {mistake}"
            ),
            (Problem::Unsupported, None) => format!(
                "received unsupported Content-Type {content_type} and no fallback_scrape_protocol specified for target"
            ),
            (Problem::Unsupported, Some(fallback)) => {
                format!("received unsupported Content-Type {content_type}, using fallback_scrape_protocol {fallback}")
            }
        }
    }
}

/// The media type of a header, in small letters; or what is wrong with the header, in Go's words.
///
/// Parameters mean nothing to us, but must be well-formed, as in Go's `mime.ParseMediaType`.
fn media_type(header: &str) -> Result<String, &'static str> {
    let (base, mut parameters) = match header.find(';') {
        Some(at) => header.split_at(at),
        None => (header, ""),
    };
    let media_type = base.trim().to_lowercase();
    let (kind, rest) = token(&media_type);
    if kind.is_empty() {
        return Err("no media type");
    }
    if !rest.is_empty() {
        let subtype = rest.strip_prefix('/').ok_or("expected slash after first token")?;
        match token(subtype) {
            ("", _) => return Err("expected token after slash"),
            (_, "") => {}
            _ => return Err("unexpected content after media subtype"),
        }
    }
    let mut seen: Vec<(String, String)> = Vec::new();
    loop {
        parameters = parameters.trim_start();
        if parameters.is_empty() || parameters.trim_end() == ";" {
            return Ok(media_type);
        }
        let (name, value, rest) = parameter(parameters).ok_or("invalid media parameter")?;
        if seen.iter().any(|(other, with)| *other == name && *with != value) {
            return Err("duplicate parameter name");
        }
        seen.push((name, value));
        parameters = rest;
    }
}

/// Reads `; name=value`.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let (name, rest) = token(text.strip_prefix(';')?.trim_start());
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => {
            let (value, rest) = token(rest);
            (Some(value.to_owned()).filter(|value| !value.is_empty())?, rest)
        }
    };
    (!name.is_empty()).then(|| (name.to_lowercase(), value, rest))
}

/// Reads a quoted string whose opening quote was read. A backslash escapes what could not stand in a token.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some((value, chars.as_str())),
            '\r' | '\n' => return None,
            '\\' if chars.as_str().starts_with(|next: char| "()<>@,;:\\\"/[]?=".contains(next)) => {
                value.extend(chars.next());
            }
            other => value.push(other),
        }
    }
    None
}

/// Splits the token off that a text starts with.
fn token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accept_lists_protocols_by_weight() {
        assert_eq!(
            accept_header(&ScrapeProtocol::DEFAULT, EscapingScheme::AllowUtf8),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
        assert_eq!(
            accept_header(&[ScrapeProtocol::PrometheusProto], EscapingScheme::Underscores),
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,*/*;q=0.5"
        );
    }

    #[test]
    fn protocols_have_names() {
        for protocol in ScrapeProtocol::ALL {
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
        assert_eq!(
            "Prometheus".parse::<ScrapeProtocol>().unwrap_err().to_string(),
            "unknown scrape protocol Prometheus, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto \
             PrometheusText0.0.4 PrometheusText1.0.0]"
        );
    }

    #[test]
    fn content_types_name_formats() {
        for (content_type, format) in [
            ("text/plain", Format::Text),
            ("text/plain; version=0.0.4; charset=utf-8;", Format::Text),
            (" Text/PLAIN ;a=\"b;\\\"c\" ; d=e", Format::Text),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
            ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", Format::Protobuf),
        ] {
            assert_eq!(Format::of_content_type(content_type, None), Ok((format, None)), "{content_type}");
        }
    }

    #[test]
    fn useless_content_types_fall_back() {
        let without = |content_type| Format::of_content_type(content_type, None).unwrap_err().to_string();
        let with = |content_type| {
            let fallback = Some(ScrapeProtocol::OpenMetricsText1_0_0);
            let (format, complaint) = Format::of_content_type(content_type, fallback).unwrap();
            assert_eq!(format, Format::OpenMetrics);
            complaint.unwrap().to_string()
        };
        assert_eq!(
            without(""),
            "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"
        );
        assert_eq!(
            with(""),
            "non-compliant scrape target sending blank Content-Type, using fallback_scrape_protocol \
             \"application/openmetrics-text\""
        );
        assert_eq!(
            without("text/html"),
            "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target"
        );
        assert_eq!(
            with("text"),
            "received unsupported Content-Type \"text\", using fallback_scrape_protocol \"application/openmetrics-text\""
        );
        for (content_type, mistake) in [
            ("/", "no media type"),
            ("text plain", "expected slash after first token"),
            ("invalid/", "expected token after slash"),
            ("a/b/c", "unexpected content after media subtype"),
            ("text/plain; version", "invalid media parameter"),
            ("text/plain; charset=UTF-8; charset=utf-8", "duplicate parameter name"),
        ] {
            assert_eq!(
                without(content_type),
                format!(
                    "cannot parse Content-Type \"{content_type}\" and no fallback_scrape_protocol for target\nmime: {mistake}"
                )
            );
        }
    }

    #[test]
    fn names_are_escaped_for_those_who_know_less() {
        use EscapingScheme::{AllowUtf8, Dots, Underscores, Values};
        for (scheme, name, expected) in [
            (AllowUtf8, "http.status", "http.status"),
            (Underscores, "http.status:é", "http_status:_"),
            (Dots, "http.status_é", "http_dot_status____"),
            (Dots, "http_status", "http_status"),
            (Values, "1http.status_é", "U___31_http_2e_status___e9_"),
            (Values, "http_status", "http_status"),
        ] {
            assert_eq!(scheme.escape(name), expected, "{name} with {}", scheme.as_str());
            assert_eq!(EscapingScheme::find(scheme.as_str()), Some(scheme));
        }
    }

    proptest! {
        #[test]
        fn any_header_names_a_format_or_not(header in r#"[a-z/;= "\\é]{0,12}"#) {
            let _ = Format::of_content_type(&header, None);
        }
    }
}
