//! Which format a page of samples has for a client.

use exposition::EscapingScheme;
use http::{HeaderMap, header};

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) encoding: Encoding,
    /// What becomes of names that old versions of the encoding can't hold.
    pub(crate) escaping: EscapingScheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Version 0.0.4.
    Text,
    /// Version 1.0.0.
    OpenMetrics,
    /// Messages, each behind its length. The only one that holds native histograms.
    Protobuf,
}

impl Format {
    /// What a client wants, by its `Accept`, of the encodings that there are. Text for those that want none of them.
    pub(crate) fn of_accept(headers: &HeaderMap, encodings: &[Encoding]) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut escaping = EscapingScheme::Underscores;
        for clause in clauses(accept) {
            // What a better clause says about names holds even if its encoding is not to be had.
            escaping = clause.parameter("escaping").and_then(EscapingScheme::find).unwrap_or(escaping);
            if let Some(encoding) = encodings.iter().find(|encoding| clause.accepts(**encoding)) {
                return Self { encoding: *encoding, escaping };
            }
        }
        Self { encoding: Encoding::Text, escaping }
    }

    pub(crate) fn content_type(self) -> String {
        let Self { encoding, escaping } = self;
        let encoding = match encoding {
            Encoding::Text => "text/plain; version=0.0.4; charset=utf-8",
            Encoding::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Encoding::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        };
        format!("{encoding}; escaping={}", escaping.as_str())
    }
}

/// A part of an `Accept` header.
struct Clause<'a> {
    /// Such as `text` and `plain`.
    media_type: (&'a str, &'a str),
    quality: f64,
    parameters: Vec<(&'a str, &'a str)>,
}

/// The clauses of an `Accept` header, the best first. Those that are none are left out.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<_> = accept.split(',').filter_map(Clause::parse).collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';');
        let (main, sub) = parts.next()?.split_once('/')?;
        let parameters = parts.filter_map(|part| part.split_once('='));
        let mut parameters: Vec<_> = parameters.map(|(name, value)| (name.trim(), value.trim())).collect();
        let quality = parameters.iter().find(|(name, _)| *name == "q");
        let quality = quality.map_or(1.0, |(_, value)| value.parse().unwrap_or(0.0));
        parameters.retain(|(name, _)| *name != "q");
        Some(Self { media_type: (main.trim(), sub.trim()), quality, parameters })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(its_name, _)| *its_name == name).map(|(_, value)| *value)
    }

    fn accepts(&self, encoding: Encoding) -> bool {
        let (main, sub) = self.media_type;
        let is_type = |wanted: (&str, &str)| (main == "*" || main == wanted.0) && (sub == "*" || sub == wanted.1);
        match encoding {
            Encoding::Text => {
                // Only who names the type means its version without saying so.
                let default = ((main, sub) == ("text", "plain")).then_some("0.0.4");
                is_type(("text", "plain")) && self.parameter("version").or(default) == Some("0.0.4")
            }
            Encoding::OpenMetrics => {
                (main, sub) == ("application", "openmetrics-text")
                    && self.parameter("version").is_none_or(|version| version == "1.0.0")
            }
            Encoding::Protobuf => {
                is_type(("application", "vnd.google.protobuf"))
                    && self.parameter("proto") == Some("io.prometheus.client.MetricFamily")
                    && self.parameter("encoding") == Some("delimited")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_clause_decides() {
        const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily";
        for (accept, encoding, escaping) in [
            ("", Encoding::Text, EscapingScheme::Underscores),
            ("*/*", Encoding::Text, EscapingScheme::Underscores),
            ("text/plain; escaping=allow-utf-8", Encoding::Text, EscapingScheme::AllowUtf8),
            ("text/plain;version=1.0.0;escaping=values,*/*;q=0.1", Encoding::Text, EscapingScheme::Values),
            ("text/plain;escaping=unknown", Encoding::Text, EscapingScheme::Underscores),
            (&format!("{PROTOBUF};encoding=delimited"), Encoding::Protobuf, EscapingScheme::Underscores),
            (&format!("{PROTOBUF};encoding=text"), Encoding::Text, EscapingScheme::Underscores),
            (
                &format!("text/plain;q=0.5;escaping=dots, {PROTOBUF}; encoding=delimited; escaping=values;q=0.6"),
                Encoding::Protobuf,
                EscapingScheme::Values,
            ),
            (
                &format!("text/plain;q=0.7;escaping=dots,{PROTOBUF};encoding=delimited;q=0.6"),
                Encoding::Text,
                EscapingScheme::Dots,
            ),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            let found = Format::of_accept(&headers, &[Encoding::Protobuf, Encoding::Text]);
            assert_eq!(found, Format { encoding, escaping }, "{accept}");
        }
    }

    #[test]
    fn scrapers_choose_between_the_text_formats() {
        const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        for (accept, encoding) in [
            ("", Encoding::Text),
            ("*/*", Encoding::Text),
            ("application/json", Encoding::Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Encoding::Text),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
                Encoding::Text,
            ),
            ("application/openmetrics-text", Encoding::OpenMetrics),
            ("application/openmetrics-text;version=2.0.0", Encoding::Text),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.1", Encoding::OpenMetrics),
            ("application/openmetrics-text;q=0.1,text/plain;q=0.2", Encoding::Text),
            (PROMETHEUS, Encoding::OpenMetrics),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            let found = Format::of_accept(&headers, &[Encoding::OpenMetrics, Encoding::Text]);
            assert_eq!(found.encoding, encoding, "{accept}");
        }
    }
}
