//! Targets at URLs.

use std::time::Duration;

use yaml::{At, Text, record};

use crate::http::HttpSettings;
use crate::url::Url;

record! {
    /// Targets at a URL that is asked again and again.
    pub struct HttpSd: plain "*http.SDConfig", check = validate {
        /// How to talk to the server.
        pub http: HttpSettings => inline,
        /// How often to ask.
        pub refresh_interval: Duration = Duration::from_secs(60),
        /// Whom to ask.
        pub url: String => always,
    }
}

impl HttpSd {
    fn validate(&mut self, at: &mut At<'_>) {
        if let Err(problem) = check_http_url(&self.url) {
            at.invalid_key("url", problem);
        }
        self.http.validate(at);
    }
}

/// Checks that a text is a URL that HTTP can ask.
pub(super) fn check_http_url(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("URL is missing".to_owned());
    }
    let url = Url::parse(text)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("URL scheme must be 'http' or 'https'".to_owned());
    }
    if url.host().is_empty() {
        return Err("host is missing in URL".to_owned());
    }
    Ok(())
}
