//! Checks of the formats that targets are asked for, and of how they are asked to write names.

use exposition::{EscapingScheme, ScrapeProtocol, UnknownProtocol};
use model::NameScheme;

const ESCAPING_SCHEMES: [EscapingScheme; 4] =
    [EscapingScheme::AllowUtf8, EscapingScheme::Underscores, EscapingScheme::Dots, EscapingScheme::Values];

/// Checks a list of protocols: there are some, each is known, none is repeated.
pub(crate) fn check_protocols(names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err("scrape_protocols cannot be empty".to_owned());
    }
    for (at, name) in names.iter().enumerate() {
        if names[..at].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Err(format!("duplicated protocol in scrape_protocols, got [{}]", names.join(" ")));
        }
        check_protocol(name).map_err(|problem| format!("scrape_protocols: {problem}"))?;
    }
    Ok(())
}

/// Checks that a protocol is known.
pub(crate) fn check_protocol(name: &str) -> Result<(), UnknownProtocol> {
    name.parse::<ScrapeProtocol>().map(drop)
}

/// The escaping scheme of this name.
pub(crate) fn escaping_scheme(name: &str) -> Option<EscapingScheme> {
    ESCAPING_SCHEMES.into_iter().find(|scheme| scheme.as_str() == name)
}

/// The escaping scheme for those who say nothing.
pub(crate) fn default_escaping(names: NameScheme) -> EscapingScheme {
    match names {
        NameScheme::Legacy => EscapingScheme::Underscores,
        NameScheme::Utf8 => EscapingScheme::AllowUtf8,
    }
}
