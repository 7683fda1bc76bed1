//! Which names metrics and labels may have.

/// Which names are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NameScheme {
    /// Every text but the empty one.
    #[default]
    Utf8,
    /// Letters, digits and underscores, no digit first; metric names may also have colons. All names were of this kind before
    /// Prometheus 3.
    Legacy,
}

impl NameScheme {
    /// Whether `name` may name a metric.
    pub fn allows_metric(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_legacy_metric_name(name),
        }
    }

    /// Whether `name` may name a label.
    pub fn allows_label(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_legacy_label_name(name),
        }
    }
}

/// Whether a metric name may stand in PromQL and in text formats without quotes: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_legacy_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

/// Whether a label name may stand in PromQL and in text formats without quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_legacy_label_name(name: &str) -> bool {
    is_legacy_metric_name(name) && !name.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_names_are_words() {
        for (name, metric, label) in [
            ("up", true, true),
            ("_a9", true, true),
            ("job:up:sum", true, false),
            ("9a", false, false),
            ("a.b", false, false),
            ("é", false, false),
            ("", false, false),
        ] {
            assert_eq!(NameScheme::Legacy.allows_metric(name), metric, "{name}");
            assert_eq!(NameScheme::Legacy.allows_label(name), label, "{name}");
            assert_eq!(NameScheme::Utf8.allows_label(name), !name.is_empty());
        }
    }
}
