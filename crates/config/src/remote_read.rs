//! Whom samples are asked of.

use std::collections::BTreeMap;
use std::time::Duration;

use yaml::{At, record};

use crate::http::HttpSettings;
use crate::remote_write::check_headers;
use crate::url::Url;
use crate::values::LabelName;

record! {
    /// Someone whom samples are asked of.
    pub struct RemoteRead: plain "*config.RemoteReadConfig", check = check_own {
        /// Whom to ask.
        pub url: Option<Url> => always,
        /// How long a request may take.
        pub remote_timeout: Duration = Duration::from_secs(60),
        /// The largest frame of a streamed answer, in bytes.
        pub chunked_read_limit: u64 = 50_000_000,
        /// Headers of each request.
        pub headers: BTreeMap<String, String>,
        /// Whether to ask even for times that we have ourselves.
        pub read_recent: bool,
        /// A name for logs and metrics; unique unless empty.
        pub name: String,
        /// How to talk to them.
        pub http: HttpSettings => inline,
        /// What a selector must ask for to be asked of them.
        pub required_matchers: BTreeMap<LabelName, String>,
        /// Whether external labels are asked for too.
        pub filter_external_labels: bool = true,
    }
}

impl RemoteRead {
    fn check_own(&mut self, at: &mut At<'_>) {
        if self.url.is_none() {
            at.invalid_key("url", "url for remote_read is empty");
        }
        let authorization = "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter";
        check_headers(&self.headers, authorization, at);
        self.http.validate(at);
    }
}
