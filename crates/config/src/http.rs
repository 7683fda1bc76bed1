//! How clients talk to servers: credentials, TLS, proxies, headers.

mod client;
mod oauth2;
mod proxy;
mod tls;

use std::collections::BTreeMap;

use yaml::{At, record};

use crate::values::{FilePath, Secret};

pub use oauth2::{Anything, JWT_BEARER, OAuth2};
pub use proxy::ProxySettings;
pub use tls::{TlsSettings, TlsVersion};

record! {
    /// The settings of a client, part of whatever makes requests. Valid ones know at most one way to authenticate.
    pub struct HttpSettings: plain "config.HTTPClientConfig" {
        /// A name and a password.
        pub basic_auth: Option<BasicAuth>,
        /// Credentials of another kind. Bearer tokens given the old way end up here.
        pub authorization: Option<Authorization>,
        /// Where to get a token.
        pub oauth2: Option<OAuth2>,
        pub(crate) bearer_token: Secret,
        pub(crate) bearer_token_file: FilePath,
        /// How connections are secured.
        pub tls_config: TlsSettings,
        /// Whether redirects are followed.
        pub follow_redirects: bool = true => always,
        /// Whether HTTP/2 may be spoken.
        pub enable_http2: bool = true => always,
        /// Through what requests go.
        pub proxy: ProxySettings => inline,
        /// Headers of each request.
        pub http_headers: Option<BTreeMap<String, Header>>,
    }
}

record! {
    /// A name and a password, each given, or in a file, or known to a secret manager.
    pub struct BasicAuth: plain "config.BasicAuth" {
        /// The name.
        pub username: String,
        /// The file with the name.
        pub username_file: FilePath,
        /// The name of the name, for a secret manager.
        pub username_ref: String,
        /// The password.
        pub password: Secret,
        /// The file with the password.
        pub password_file: FilePath,
        /// The name of the password, for a secret manager.
        pub password_ref: String,
    }
}

record! {
    /// The header `Authorization`.
    pub struct Authorization: "config.Authorization" {
        /// The scheme, usually `Bearer`.
        pub scheme as "type": String,
        /// What follows it.
        pub credentials: Secret,
        /// The file with what follows it.
        pub credentials_file: FilePath,
        /// The name of what follows it, for a secret manager.
        pub credentials_ref: String,
    }
}

record! {
    /// The values of a header.
    pub struct Header: "config.Header" {
        /// Values.
        pub values: Vec<String>,
        /// Values that are never shown.
        pub secrets: Vec<Secret>,
        /// Files with values.
        pub files: Vec<FilePath>,
    }
}

/// Headers that the client or the connection sets.
const RESERVED_HEADERS: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

const ONE_OF_THREE: &str = "at most one of basic_auth, oauth2 & authorization must be configured";

impl HttpSettings {
    /// Checks the settings as part of the mapping `at`, and moves a bearer token to where it belongs now.
    ///
    /// Who contains these settings calls this, as in Prometheus: after its own reading, before or after its own checks.
    pub(crate) fn validate(&mut self, at: &mut At<'_>) {
        if let Err((key, message)) = self.check_authentication() {
            at.invalid_key(key, message);
            return;
        }
        self.proxy.validate(at);
        for name in self.http_headers.iter().flat_map(BTreeMap::keys) {
            if let Some(reserved) = RESERVED_HEADERS.iter().find(|reserved| reserved.eq_ignore_ascii_case(name)) {
                at.in_key("http_headers", |at| {
                    at.invalid_key(name, format!("setting header \"{reserved}\" is not allowed"))
                });
            }
        }
    }

    /// Whether the token is given the old way.
    pub(crate) fn has_bearer_token(&self) -> bool {
        !self.bearer_token.is_empty() || !self.bearer_token_file.is_empty()
    }

    /// Checks what says who the client is, in Prometheus' order.
    fn check_authentication(&mut self) -> Result<(), (&'static str, &'static str)> {
        if !self.bearer_token.is_empty() && !self.bearer_token_file.is_empty() {
            return Err(("bearer_token", "at most one of bearer_token & bearer_token_file must be configured"));
        }
        if (self.basic_auth.is_some() || self.oauth2.is_some()) && self.has_bearer_token() {
            let key = if self.bearer_token.is_empty() { "bearer_token_file" } else { "bearer_token" };
            return Err((
                key,
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
            ));
        }
        if let Some(basic) = &self.basic_auth {
            basic.validate().map_err(|message| ("basic_auth", message))?;
        }
        if self.authorization.is_some() {
            if self.has_bearer_token() {
                let message = "authorization is not compatible with bearer_token & bearer_token_file";
                return Err(("authorization", message));
            }
            if let Some(authorization) = &mut self.authorization {
                authorization.validate().map_err(|message| ("authorization", message))?;
            }
            if self.basic_auth.is_some() || self.oauth2.is_some() {
                return Err(("authorization", ONE_OF_THREE));
            }
        } else if self.has_bearer_token() {
            self.authorization = Some(Authorization {
                scheme: BEARER.to_owned(),
                credentials: std::mem::take(&mut self.bearer_token),
                credentials_file: std::mem::take(&mut self.bearer_token_file),
                credentials_ref: String::new(),
            });
        }
        match &self.oauth2 {
            Some(_) if self.basic_auth.is_some() => Err(("oauth2", ONE_OF_THREE)),
            Some(oauth2) => oauth2.validate().map_err(|message| ("oauth2", message)),
            None => Ok(()),
        }
    }
}

const BEARER: &str = "Bearer";

impl BasicAuth {
    fn validate(&self) -> Result<(), &'static str> {
        if given(&[!self.username.is_empty(), !self.username_file.is_empty(), !self.username_ref.is_empty()]) > 1 {
            return Err("at most one of basic_auth username, username_file & username_ref must be configured");
        }
        if given(&[!self.password.is_empty(), !self.password_file.is_empty(), !self.password_ref.is_empty()]) > 1 {
            return Err("at most one of basic_auth password, password_file & password_ref must be configured");
        }
        Ok(())
    }
}

impl Authorization {
    fn validate(&mut self) -> Result<(), &'static str> {
        let sources =
            [!self.credentials.is_empty(), !self.credentials_file.is_empty(), !self.credentials_ref.is_empty()];
        if given(&sources) > 1 {
            return Err("at most one of authorization credentials & credentials_file must be configured");
        }
        self.scheme = self.scheme.trim().to_owned();
        if self.scheme.is_empty() {
            self.scheme = BEARER.to_owned();
        }
        if self.scheme.eq_ignore_ascii_case("basic") {
            return Err("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
        }
        Ok(())
    }
}

/// How many of some settings are given.
fn given(which: &[bool]) -> usize {
    which.iter().filter(|is_given| **is_given).count()
}
