//! How connections are secured.

use yaml::{At, Text, as_text, record};

use super::given;
use crate::values::{FilePath, Secret};

record! {
    /// How connections are secured. Each certificate and key is given as PEM, or in a file, or known to a secret manager.
    pub struct TlsSettings: plain "config.TLSConfig", check = validate {
        /// Certificates of the authorities to trust.
        pub ca: String,
        /// The client's own certificate.
        pub cert: String,
        /// The key of that certificate.
        pub key: Secret,
        /// The file with authorities.
        pub ca_file: FilePath,
        /// The file with the client's certificate.
        pub cert_file: FilePath,
        /// The file with its key.
        pub key_file: FilePath,
        /// The name of the authorities, for a secret manager.
        pub ca_ref: String,
        /// The name of the certificate, for a secret manager.
        pub cert_ref: String,
        /// The name of the key, for a secret manager.
        pub key_ref: String,
        /// The name to expect in the server's certificate.
        pub server_name: String,
        /// Whether any certificate is believed.
        pub insecure_skip_verify: bool => always,
        /// The oldest version to speak.
        pub min_version: TlsVersion,
        /// The newest version to speak.
        pub max_version: TlsVersion,
    }
}

impl TlsSettings {
    fn validate(&mut self, at: &mut At<'_>) {
        let ca = given(&[!self.ca.is_empty(), !self.ca_file.is_empty(), !self.ca_ref.is_empty()]);
        let cert = given(&[!self.cert.is_empty(), !self.cert_file.is_empty(), !self.cert_ref.is_empty()]);
        let key = given(&[!self.key.is_empty(), !self.key_file.is_empty(), !self.key_ref.is_empty()]);
        if ca > 1 {
            at.invalid("at most one of ca, ca_file & ca_ref must be configured");
        }
        if cert > 1 {
            at.invalid("at most one of cert, cert_file & cert_ref must be configured");
        }
        if key > 1 {
            at.invalid("at most one of key and key_file must be configured");
        }
        if cert > 0 && key == 0 {
            at.invalid("exactly one of key or key_file must be configured when a client certificate is configured");
        }
        if key > 0 && cert == 0 {
            at.invalid("exactly one of cert or cert_file must be configured when a client key is configured");
        }
    }
}

/// A version of TLS, written `TLS12`; none if the default counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsVersion(pub Option<http_client::TlsVersion>);

const VERSIONS: [(&str, http_client::TlsVersion); 4] = [
    ("TLS10", http_client::TlsVersion::Tls10),
    ("TLS11", http_client::TlsVersion::Tls11),
    ("TLS12", http_client::TlsVersion::Tls12),
    ("TLS13", http_client::TlsVersion::Tls13),
];

impl Text for TlsVersion {
    fn parse(text: &str) -> Result<Self, String> {
        let found = VERSIONS.iter().find(|(name, _)| *name == text);
        found.map(|(_, version)| Self(Some(*version))).ok_or_else(|| format!("unknown TLS version: {text}"))
    }

    fn print(&self) -> String {
        let found = VERSIONS.iter().find(|(_, version)| Some(*version) == self.0);
        found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }

    fn empty() -> Self {
        Self(None)
    }
}

as_text!(TlsVersion);
