//! How our own HTTP server is secured: the file of `--web.config.file`.

use std::collections::BTreeMap;

use model::quote;
use yaml::{At, Text, as_text, record};

use crate::http::TlsVersion;
use crate::values::{FilePath, Secret};

record! {
    /// How our own HTTP server is secured.
    pub struct WebConfig: "web.Config", check = validate {
        /// TLS; without a certificate there is none.
        pub tls as "tls_server_config": TlsServer,
        /// HTTP.
        pub http as "http_server_config": HttpServer,
        /// Who may come in, each with a bcrypt hash of the password. Without any, everybody may.
        pub users as "basic_auth_users": BTreeMap<String, Secret>,
    }
}

record! {
    /// How connections are secured.
    pub struct TlsServer: "web.TLSConfig" {
        /// The server's certificate, as PEM.
        pub cert: String,
        /// The key of that certificate.
        pub key: Secret,
        /// The authorities that sign clients' certificates.
        pub client_ca: String,
        /// The file with the server's certificate.
        pub cert_file: FilePath,
        /// The file with its key.
        pub key_file: FilePath,
        /// Whether clients must have a certificate.
        pub client_auth_type: ClientAuth,
        /// The file with the authorities that sign clients' certificates.
        pub client_ca_file: FilePath,
        /// How connections of TLS 1.2 may be encrypted; any good way if empty.
        pub cipher_suites: Vec<Cipher>,
        /// How keys may be agreed on; any good way if empty.
        pub curve_preferences: Vec<Curve>,
        /// The oldest version to speak.
        pub min_version: TlsVersion = TlsVersion(Some(http_client::TlsVersion::Tls12)),
        /// The newest version to speak.
        pub max_version: TlsVersion = TlsVersion(Some(http_client::TlsVersion::Tls13)),
        /// Whether the server's order of `cipher_suites` counts. Go no longer looks at it.
        pub prefer_server_cipher_suites: bool = true,
        /// The names of which a client's certificate must have one, if there are any.
        pub client_allowed_sans: Vec<String>,
    }
}

record! {
    /// How HTTP is spoken.
    pub struct HttpServer: "web.HTTPConfig" {
        /// Whether HTTP/2 is.
        pub http2: bool = true,
        /// Headers of each answer.
        pub headers: BTreeMap<String, String>,
    }
}

/// Whether clients must have a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    #[default]
    None,
    /// They are asked for one, but need none.
    Request,
    /// They need one, whoever signed it.
    RequireAny,
    /// If they have one, it must be signed by one of the authorities.
    VerifyIfGiven,
    /// They need one that is signed by one of the authorities.
    RequireAndVerify,
}

/// A way to encrypt connections, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cipher(pub String);

/// A way to agree on keys, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curve(pub String);

const CLIENT_AUTHS: [(&str, ClientAuth); 6] = [
    ("NoClientCert", ClientAuth::None),
    ("RequestClientCert", ClientAuth::Request),
    ("RequireAnyClientCert", ClientAuth::RequireAny),
    ("RequireClientCert", ClientAuth::RequireAny),
    ("VerifyClientCertIfGiven", ClientAuth::VerifyIfGiven),
    ("RequireAndVerifyClientCert", ClientAuth::RequireAndVerify),
];

/// The ones that Go thinks are secure.
const CIPHERS: [&str; 13] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

const CURVES: [&str; 4] = ["CurveP256", "CurveP384", "CurveP521", "X25519"];

/// The headers that may be set, with the values they may have, if not any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

impl WebConfig {
    fn validate(&mut self, at: &mut At<'_>) {
        at.in_key("tls_server_config", |at| self.tls.validate(at));
        at.in_key("http_server_config", |at| at.in_key("headers", |at| check_headers(&self.http.headers, at)));
        at.in_key("basic_auth_users", |at| {
            for (name, hash) in &self.users {
                if !is_bcrypt(hash.reveal()) {
                    at.invalid_key(name, format!("the password of {} is not hashed with bcrypt", quote(name)));
                }
            }
        });
    }
}

impl TlsServer {
    /// Whether connections are secured.
    pub fn is_on(&self) -> bool {
        !(self.cert.is_empty() && self.cert_file.is_empty() && self.key.is_empty() && self.key_file.is_empty())
    }

    fn validate(&self, at: &mut At<'_>) {
        let has_authorities = !(self.client_ca.is_empty() && self.client_ca_file.is_empty());
        if self.is_on() {
            if self.cert.is_empty() && self.cert_file.is_empty() {
                at.invalid_key("cert_file", "missing one of cert or cert_file");
            }
            if self.key.is_empty() && self.key_file.is_empty() {
                at.invalid_key("key_file", "missing one of key or key_file");
            }
        } else if has_authorities || self.client_auth_type != ClientAuth::None {
            at.invalid("missing one of cert or cert_file");
        }
        for (key, is_twice) in [
            ("cert", !self.cert.is_empty() && !self.cert_file.is_empty()),
            ("key", !self.key.is_empty() && !self.key_file.is_empty()),
            ("client_ca", !self.client_ca.is_empty() && !self.client_ca_file.is_empty()),
        ] {
            if is_twice {
                at.invalid_key(key, format!("both {key} and {key}_file were provided"));
            }
        }
        if has_authorities && self.client_auth_type == ClientAuth::None {
            let message = "Client CA's have been configured without a Client Auth Policy";
            at.invalid_key("client_auth_type", message);
        }
    }
}

fn check_headers(headers: &BTreeMap<String, String>, at: &mut At<'_>) {
    for (name, value) in headers {
        match HEADERS.iter().find(|(known, _)| known == name) {
            None => at.invalid_key(name, format!("HTTP header {} can not be configured", quote(name))),
            Some((_, allowed)) if !allowed.is_empty() && !value.is_empty() && !allowed.contains(&value.as_str()) => {
                let listed: Vec<_> = allowed.iter().map(|value| quote(value)).collect();
                let (listed, value) = (listed.join(" "), quote(value));
                at.invalid_key(
                    name,
                    format!("invalid value for {name}. Expected one of: [{listed}], but got: {value}"),
                );
            }
            Some(_) => {}
        }
    }
}

/// Whether a text has the form of a bcrypt hash: `$2b$10$` and 53 characters.
fn is_bcrypt(text: &str) -> bool {
    let mut parts = text.split('$');
    let (first, version, cost, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
    first == Some("")
        && version.is_some_and(|version| version.starts_with('2'))
        && cost.is_some_and(|cost| cost.len() == 2 && matches!(cost.parse(), Ok(4..=31)))
        && rest.is_some_and(|rest| rest.len() == 53 && rest.chars().all(is_base64))
        && parts.next().is_none()
}

impl Text for ClientAuth {
    fn parse(text: &str) -> Result<Self, String> {
        let found = CLIENT_AUTHS.iter().find(|(name, _)| *name == text);
        match found {
            Some((_, auth)) => Ok(*auth),
            None if text.is_empty() => Ok(Self::None),
            None => Err(format!("Invalid ClientAuth: {text}")),
        }
    }

    fn print(&self) -> String {
        let found = CLIENT_AUTHS.iter().find(|(_, auth)| auth == self);
        found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }

    fn empty() -> Self {
        Self::None
    }
}

as_text!(ClientAuth);

impl Text for Cipher {
    fn parse(text: &str) -> Result<Self, String> {
        if CIPHERS.contains(&text) { Ok(Self(text.to_owned())) } else { Err(format!("unknown cipher: {text}")) }
    }

    fn print(&self) -> String {
        self.0.clone()
    }

    fn empty() -> Self {
        Self::default()
    }
}

as_text!(Cipher);

impl Text for Curve {
    fn parse(text: &str) -> Result<Self, String> {
        if CURVES.contains(&text) { Ok(Self(text.to_owned())) } else { Err(format!("unknown curve: {text}")) }
    }

    fn print(&self) -> String {
        self.0.clone()
    }

    fn empty() -> Self {
        Self::default()
    }
}

as_text!(Curve);
