//! Where alerts go.

use std::time::Duration;

use model::NameScheme;
use yaml::{At, Text, as_text, record};

use crate::discovery::Discovery;
use crate::http::HttpSettings;
use crate::relabel::{RelabelRule, validate_rules};
use crate::sigv4::SigV4;

record! {
    /// Where alerts go.
    pub struct Alerting: plain "config.AlertingConfig" {
        /// Rules for all alerts.
        pub alert_relabel_configs: Vec<RelabelRule>,
        /// Who gets them.
        pub alertmanagers: Vec<Alertmanager>,
    }
}

record! {
    /// Some Alertmanagers, each of which gets every alert.
    pub struct Alertmanager: "*config.AlertmanagerConfig", check = check_own {
        /// How to talk to them.
        pub http: HttpSettings => inline,
        /// How to sign requests for AWS.
        pub sigv4: Option<SigV4>,
        /// The scheme of the URL.
        pub scheme: String = "http".to_owned(),
        /// What stands before the path of the API.
        pub path_prefix: String,
        /// How long a request may take.
        pub timeout: Duration = Duration::from_secs(10),
        /// The version of the API.
        pub api_version: ApiVersion => always,
        /// Rules for Alertmanagers.
        pub relabel_configs: Vec<RelabelRule>,
        /// Rules for the alerts these get.
        pub alert_relabel_configs: Vec<RelabelRule>,
        /// Where they are.
        pub discovery: Discovery => inline,
    }
}

/// The version of Alertmanager's API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// The only one there still is.
    #[default]
    V2,
}

impl Text for ApiVersion {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "v2" {
            Ok(Self::V2)
        } else {
            Err(format!("expected Alertmanager api version to be one of [v2] but got {text}"))
        }
    }

    fn print(&self) -> String {
        "v2".to_owned()
    }

    fn empty() -> Self {
        Self::V2
    }
}

as_text!(ApiVersion);

impl Alerting {
    /// Checks the rules, once it is known which names are valid.
    pub(crate) fn complete(&self, names: NameScheme, at: &mut At<'_>) {
        let null = "empty or null alert relabeling rule";
        validate_rules(&self.alert_relabel_configs, "alert_relabel_configs", names, null, at);
        at.in_key("alertmanagers", |at| {
            for (index, alertmanager) in self.alertmanagers.iter().enumerate() {
                at.in_item(index, |at| alertmanager.complete(names, at));
            }
        });
    }
}

impl Alertmanager {
    /// Checks what can be checked without the rest of the document.
    fn check_own(&mut self, at: &mut At<'_>) {
        self.discovery.check_sections(at);
        self.http.validate(at);
        let has_other =
            self.http.basic_auth.is_some() || self.http.authorization.is_some() || self.http.oauth2.is_some();
        if has_other && self.sigv4.is_some() {
            let message = "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured";
            at.invalid_key("sigv4", message);
        }
        if self.relabel_configs.is_empty() {
            self.discovery.check_static_targets(at);
        }
    }

    fn complete(&self, names: NameScheme, at: &mut At<'_>) {
        let null = "empty or null Alertmanager alert relabeling rule";
        validate_rules(&self.alert_relabel_configs, "alert_relabel_configs", names, null, at);
        let null = "empty or null Alertmanager target relabeling rule";
        validate_rules(&self.relabel_configs, "relabel_configs", names, null, at);
    }
}
