//! Comparing annotations.

use engine::{Annotation, Severity};

use crate::script::Expectation;

/// What is wrong with the annotations of an answer; `None` if nothing is.
pub(crate) fn mismatch(expectation: &Expectation, annotations: &[Annotation]) -> Option<String> {
    for (expected, severity, kind) in
        [(&expectation.warnings, Severity::Warning, "warning"), (&expectation.infos, Severity::Info, "info")]
    {
        let actual = annotations.iter().filter(|annotation| annotation.severity == severity);
        let actual: Vec<&str> = actual.map(|annotation| annotation.text.as_str()).collect();
        if expected.is_forbidden && !actual.is_empty() {
            return Some(format!("expected no {kind}, got {actual:?}"));
        }
        if expected.patterns.is_empty() {
            continue;
        }
        if actual.is_empty() {
            return Some(format!("expected a {kind}, got none"));
        }
        let patterns = || expected.patterns.iter().flatten();
        if let Some(missing) = patterns().find(|pattern| !actual.iter().any(|text| pattern.matches(text))) {
            return Some(format!("expected {kind} {:?}, got {actual:?}", missing.as_str()));
        }
        let accepts_any = expected.patterns.iter().any(Option::is_none);
        let is_expected = |text: &&str| accepts_any || patterns().any(|pattern| pattern.matches(text));
        if let Some(unexpected) = actual.iter().find(|text| !is_expected(text)) {
            return Some(format!("unexpected {kind} {unexpected:?}"));
        }
    }
    None
}
