//! From what users write to what a client takes.

use std::collections::BTreeMap;

use http_client::{Authentication, HttpClientConfig, OAuth2Config, Proxy, Source, TlsConfig};

use super::{HttpSettings, OAuth2, ProxySettings, TlsSettings};
use crate::values::{FilePath, Secret};

impl HttpSettings {
    /// The settings as a client takes them.
    ///
    /// What only a secret manager knows is left out: there is none, which a notice of the configuration says.
    pub fn client(&self) -> HttpClientConfig {
        HttpClientConfig {
            authentication: self.authentication(),
            tls: self.tls_config.client(),
            follow_redirects: self.follow_redirects,
            enable_http2: self.enable_http2,
            proxy: self.proxy.client(),
            headers: self
                .http_headers
                .iter()
                .flatten()
                .map(|(name, header)| (name.clone(), header.sources()))
                .collect(),
        }
    }

    fn authentication(&self) -> Authentication {
        if let Some(basic) = &self.basic_auth {
            let username = source(&basic.username, &basic.username_file);
            return Authentication::Basic { username, password: secret(&basic.password, &basic.password_file) };
        }
        if let Some(authorization) = &self.authorization {
            let credentials = secret(&authorization.credentials, &authorization.credentials_file);
            return Authentication::Credentials { scheme: authorization.scheme.clone(), credentials };
        }
        self.oauth2.as_ref().map_or(Authentication::None, |oauth2| Authentication::OAuth2(Box::new(oauth2.client())))
    }
}

impl OAuth2 {
    fn client(&self) -> OAuth2Config {
        OAuth2Config {
            client_id: self.client_id.clone(),
            client_secret: secret(&self.client_secret, &self.client_secret_file),
            scopes: self.scopes.clone(),
            token_url: self.token_url.clone(),
            endpoint_params: self.endpoint_params.clone().into_iter().collect(),
            tls: self.tls_config.client(),
            proxy: self.proxy.client(),
        }
    }
}

impl TlsSettings {
    /// The settings as a client takes them.
    pub fn client(&self) -> TlsConfig {
        TlsConfig {
            ca: source(&self.ca, &self.ca_file),
            identity: source(&self.cert, &self.cert_file).zip(secret(&self.key, &self.key_file)),
            server_name: (!self.server_name.is_empty()).then(|| self.server_name.clone()),
            insecure_skip_verify: self.insecure_skip_verify,
            min_version: self.min_version.0,
            max_version: self.max_version.0,
        }
    }
}

impl ProxySettings {
    fn client(&self) -> Proxy {
        let connect_headers = connect_headers(&self.proxy_connect_header);
        if self.proxy_from_environment {
            return Proxy::FromEnvironment { connect_headers };
        }
        if self.proxy_url.is_empty() {
            return Proxy::None;
        }
        Proxy::Url { url: self.proxy_url.as_str().to_owned(), no_proxy: self.no_proxy.clone(), connect_headers }
    }
}

impl super::Header {
    /// The values, in the order in which they are sent.
    fn sources(&self) -> Vec<Source> {
        let values = self.values.iter().map(|value| Source::Text(value.clone()));
        let secrets = self.secrets.iter().map(|secret| Source::Text(secret.reveal().to_owned()));
        let files = self.files.iter().filter_map(FilePath::to_path).map(Source::File);
        values.chain(secrets).chain(files).collect()
    }
}

fn connect_headers(headers: &BTreeMap<String, Vec<Secret>>) -> Vec<(String, Vec<Source>)> {
    let values = |secrets: &[Secret]| secrets.iter().map(|secret| Source::Text(secret.reveal().to_owned())).collect();
    headers.iter().map(|(name, secrets)| (name.clone(), values(secrets))).collect()
}

fn secret(text: &Secret, file: &FilePath) -> Option<Source> {
    source(text.reveal(), file)
}

fn source(text: &str, file: &FilePath) -> Option<Source> {
    if text.is_empty() { file.to_path().map(Source::File) } else { Some(Source::Text(text.to_owned())) }
}
