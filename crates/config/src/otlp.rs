//! How OpenTelemetry's metrics become Prometheus'.

use model::{NameScheme, quote};
use yaml::{At, record};

record! {
    /// How OpenTelemetry's metrics become Prometheus'. Prometheus forgets to write switches that are on by default and were
    /// turned off; here they are always written, so that what is printed means the same.
    pub struct Otlp: plain "config.OTLPConfig", check = validate {
        /// Whether all attributes of a resource become labels.
        pub promote_all_resource_attributes: bool,
        /// Which attributes of a resource become labels.
        pub promote_resource_attributes: Vec<String>,
        /// Which do not, if all others do.
        pub ignore_resource_attributes: Vec<String>,
        /// How names are translated; empty for how it always was.
        pub translation_strategy: String = "UnderscoreEscapingWithSuffixes".to_owned(),
        /// Whether attributes that identify a resource also stay on `target_info`.
        pub keep_identifying_resource_attributes: bool,
        /// Whether histograms become native ones with custom buckets.
        pub convert_histograms_to_nhcb: bool,
        /// Whether what describes a scope becomes labels.
        pub promote_scope_metadata: bool,
        /// Whether a label that starts with an underscore gets `key` in front.
        pub label_name_underscore_sanitization: bool = true => always,
        /// Whether several underscores in a row stay several.
        pub label_name_preserve_multiple_underscores: bool = true => always,
    }
}

impl Otlp {
    fn validate(&mut self, at: &mut At<'_>) {
        if self.promote_all_resource_attributes {
            if !self.promote_resource_attributes.is_empty() {
                at.invalid_key("promote_resource_attributes", "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously");
            }
            tidy(&mut self.ignore_resource_attributes, "ignore_resource_attributes", "ignored", at);
        } else {
            if !self.ignore_resource_attributes.is_empty() {
                at.invalid_key("ignore_resource_attributes", "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
            }
            tidy(&mut self.promote_resource_attributes, "promote_resource_attributes", "promoted", at);
        }
    }

    /// Checks the translation, once it is known which names are valid.
    pub(crate) fn complete(&self, names: NameScheme, at: &mut At<'_>) {
        let strategy = self.translation_strategy.as_str();
        let message = match strategy {
            "" | "UnderscoreEscapingWithSuffixes" | "UnderscoreEscapingWithoutSuffixes" => return,
            "NoTranslation" | "NoUTF8EscapingWithSuffixes" if names != NameScheme::Legacy => return,
            "NoTranslation" | "NoUTF8EscapingWithSuffixes" => {
                format!("OTLP translation strategy {} is not allowed when UTF8 is disabled", quote(strategy))
            }
            _ => format!("unsupported OTLP translation strategy {}", quote(strategy)),
        };
        at.invalid_key("translation_strategy", message);
    }
}

/// Takes white space off attributes, and refuses empty and repeated ones.
fn tidy(attributes: &mut [String], key: &str, adjective: &str, at: &mut At<'_>) {
    let mut problems = Vec::new();
    for index in 0..attributes.len() {
        let attribute = attributes[index].trim().to_owned();
        if attribute.is_empty() {
            problems.push(format!("empty {adjective} OTel resource attribute"));
        } else if attributes[..index].contains(&attribute) {
            problems.push(format!("duplicated {adjective} OTel resource attribute {}", quote(&attribute)));
        }
        attributes[index] = attribute;
    }
    if !problems.is_empty() {
        at.invalid_key(key, format!("invalid '{key}': {}", problems.join("\n")));
    }
}
