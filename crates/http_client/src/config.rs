//! The settings of a client, already valid.

use crate::source::Source;

/// How a client talks to servers.
///
/// [`Default`] is Prometheus' for scraping: no credentials, the system's certificate authorities, redirects followed,
/// HTTP/2 where the server offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpClientConfig {
    /// How the client says who it is.
    pub authentication: Authentication,
    /// How connections are secured.
    pub tls: TlsConfig,
    /// Whether redirects are followed, without credentials once they lead to another host.
    pub follow_redirects: bool,
    /// Whether HTTP/2 may be agreed on.
    pub enable_http2: bool,
    /// Through what requests go.
    pub proxy: Proxy,
    /// Headers added to each request, with their values.
    pub headers: Vec<(String, Vec<Source>)>,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            authentication: Authentication::None,
            tls: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy: Proxy::None,
            headers: Vec::new(),
        }
    }
}

/// How a client says who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// With a name and a password.
    Basic {
        /// The name; without one it is empty.
        username: Option<Source>,
        /// The password; without one it is empty.
        password: Option<Source>,
    },
    /// With a header `Authorization: <scheme> <credentials>`.
    Credentials {
        /// Usually `Bearer`.
        scheme: String,
        /// What follows it.
        credentials: Option<Source>,
    },
    /// With a token that another server hands out.
    OAuth2(Box<OAuth2Config>),
}

/// Where tokens come from, with the grant `client_credentials` of RFC 6749.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2Config {
    /// Who asks.
    pub client_id: String,
    /// The secret that proves it.
    pub client_secret: Option<Source>,
    /// What the token shall be good for.
    pub scopes: Vec<String>,
    /// Where to ask.
    pub token_url: String,
    /// Further parameters of the request.
    pub endpoint_params: Vec<(String, String)>,
    /// How the connection to the token server is secured.
    pub tls: TlsConfig,
    /// Through what requests to the token server go.
    pub proxy: Proxy,
}

/// How connections are secured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificates of the authorities to trust, as PEM; without them, the system's.
    pub ca: Option<Source>,
    /// The client's own certificate and its key, as PEM.
    pub identity: Option<(Source, Source)>,
    /// The name to expect in the server's certificate, if it is not that in the URL.
    pub server_name: Option<String>,
    /// Whether to believe any certificate.
    pub insecure_skip_verify: bool,
    /// The oldest version to agree on. Versions before 1.2 are never agreed on.
    pub min_version: Option<TlsVersion>,
    /// The newest version to agree on.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// 1.0, no longer safe and not spoken.
    Tls10,
    /// 1.1, no longer safe and not spoken.
    Tls11,
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// Through what requests go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// Straight to the server.
    #[default]
    None,
    /// Through what the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
    FromEnvironment {
        /// Headers sent to the proxy when it is asked to connect.
        connect_headers: Vec<(String, Vec<Source>)>,
    },
    /// Through one proxy.
    Url {
        /// The proxy: `http://`, `https://` or `socks5://`.
        url: String,
        /// Hosts to talk to without it, separated by commas.
        no_proxy: String,
        /// Headers sent to the proxy when it is asked to connect.
        connect_headers: Vec<(String, Vec<Source>)>,
    },
}
