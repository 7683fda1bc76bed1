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
            Self::Legacy => is_legacy(name, |byte| is_word(byte) || byte == b':'),
        }
    }

    /// Whether `name` may name a label.
    pub fn allows_label(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_legacy(name, is_word),
        }
    }
}

fn is_legacy(name: &str, allowed: fn(u8) -> bool) -> bool {
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(allowed)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
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
