//! Where tokens come from.

use std::collections::BTreeMap;

use yaml::{At, Node, Output, Reader, Value, record};

use super::{ProxySettings, TlsSettings, given};
use crate::values::{FilePath, Secret};

record! {
    /// Where tokens come from: from a server that is shown a secret, or an assertion signed with a key.
    pub struct OAuth2: plain "config.OAuth2", check = validate_proxy {
        /// Who asks.
        pub client_id: String,
        /// The secret that proves it.
        pub client_secret: Secret,
        /// The file with the secret.
        pub client_secret_file: FilePath,
        /// The name of the secret, for a secret manager.
        pub client_secret_ref: String,
        /// Which key signs assertions.
        pub client_certificate_key_id: String,
        /// That key, as PEM.
        pub client_certificate_key: Secret,
        /// The file with the key.
        pub client_certificate_key_file: FilePath,
        /// The name of the key, for a secret manager.
        pub client_certificate_key_ref: String,
        /// `client_credentials`, which is the default, or [`JWT_BEARER`].
        pub grant_type: String,
        /// How assertions are signed.
        pub signature_algorithm: String,
        /// Who issues assertions.
        pub iss: String,
        /// Whom they are for.
        pub audience: String,
        /// What else they claim.
        pub claims: BTreeMap<String, Anything>,
        /// What the token shall be good for.
        pub scopes: Vec<String>,
        /// Where to ask.
        pub token_url: String,
        /// Further parameters of the request.
        pub endpoint_params: BTreeMap<String, String>,
        /// How the connection to the token server is secured.
        pub tls_config: TlsSettings,
        /// Through what requests to the token server go.
        pub proxy: ProxySettings => inline,
    }
}

/// The grant of RFC 7523.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

impl OAuth2 {
    fn validate_proxy(&mut self, at: &mut At<'_>) {
        self.proxy.validate(at);
    }

    /// Checks what is checked with the rest of a client's settings.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        if self.client_id.is_empty() {
            return Err("oauth2 client_id must be configured");
        }
        if self.token_url.is_empty() {
            return Err("oauth2 token_url must be configured");
        }
        let secrets =
            [!self.client_secret.is_empty(), !self.client_secret_file.is_empty(), !self.client_secret_ref.is_empty()];
        let keys = [
            !self.client_certificate_key.is_empty(),
            !self.client_certificate_key_file.is_empty(),
            !self.client_certificate_key_ref.is_empty(),
        ];
        if self.grant_type != JWT_BEARER {
            return if given(&secrets) > 1 {
                Err(
                    "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials",
                )
            } else {
                Ok(())
            };
        }
        if given(&keys) > 1 {
            return Err(
                "at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer",
            );
        }
        if !matches!(self.signature_algorithm.as_str(), "" | "RS256" | "RS384" | "RS512") {
            return Err("valid signature algorithms are RS256, RS384 and RS512");
        }
        Ok(())
    }
}

/// A value of any kind, kept as it was written: the claims of an assertion are the token server's business.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Anything(Option<Node>);

impl Value for Anything {
    fn read(&mut self, node: &Node, _reader: &mut Reader) {
        self.0 = Some(node.clone());
    }

    fn clear(&mut self) {
        self.0 = None;
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn write(&self) -> Output {
        self.0.as_ref().map_or_else(|| Output::Plain("null".to_owned()), Output::from_node)
    }

    fn go_type(&self) -> String {
        "interface {}".to_owned()
    }
}
