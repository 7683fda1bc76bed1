//! Through what requests go.

use std::collections::BTreeMap;

use yaml::{At, record};

use crate::url::Url;
use crate::values::Secret;

record! {
    /// Through what requests go.
    pub struct ProxySettings: "config.ProxyConfig" {
        /// The proxy.
        pub proxy_url: Url,
        /// Hosts that are talked to without it.
        pub no_proxy: String,
        /// Whether the environment says which proxy.
        pub proxy_from_environment: bool,
        /// Headers sent to the proxy when it is asked to connect.
        pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
    }
}

impl ProxySettings {
    /// Checks the settings as part of the mapping `at`.
    pub(super) fn validate(&self, at: &mut At<'_>) {
        let problem = if !self.proxy_connect_header.is_empty()
            && !self.proxy_from_environment
            && self.proxy_url.is_empty()
        {
            (
                "proxy_connect_header",
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
            )
        } else if self.proxy_from_environment && !self.proxy_url.is_empty() {
            ("proxy_url", "if proxy_from_environment is configured, proxy_url must not be configured")
        } else if self.proxy_from_environment && !self.no_proxy.is_empty() {
            ("no_proxy", "if proxy_from_environment is configured, no_proxy must not be configured")
        } else if self.proxy_url.is_empty() && !self.no_proxy.is_empty() {
            ("no_proxy", "if no_proxy is configured, proxy_url must also be configured")
        } else {
            return;
        };
        at.invalid_key(problem.0, problem.1);
    }
}
