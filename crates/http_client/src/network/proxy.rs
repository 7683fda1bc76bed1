//! Which requests go through a proxy.

use std::fmt;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::config::Proxy;
use crate::error::HttpError;
use crate::source::Source;

/// Which requests go through a proxy, and through which one.
pub(super) struct Proxies {
    matcher: Option<Matcher>,
    /// Whether this machine is always reached without a proxy: in Go wherever exceptions are possible.
    skips_local: bool,
    /// Headers for proxies that are asked for a tunnel.
    connect_headers: Vec<(HeaderName, Source)>,
}

impl Proxies {
    pub(super) fn new(settings: &Proxy) -> Result<Self, HttpError> {
        let (matcher, skips_local, headers) = match settings {
            Proxy::None => return Ok(Self { matcher: None, skips_local: false, connect_headers: Vec::new() }),
            Proxy::FromEnvironment { connect_headers } => (Matcher::from_env(), true, connect_headers),
            Proxy::Url { url, no_proxy, connect_headers } => {
                check(url)?;
                let matcher = Matcher::builder().all(url.as_str()).no(no_proxy.as_str()).build();
                (matcher, !no_proxy.is_empty(), connect_headers)
            }
        };
        let mut connect_headers = Vec::new();
        for (name, sources) in headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HttpError::Header(name.clone()))?;
            connect_headers.extend(sources.iter().map(|source| (header.clone(), source.clone())));
        }
        Ok(Self { matcher: Some(matcher), skips_local, connect_headers })
    }

    /// The proxy for requests to a URL, if they go through one.
    pub(super) fn intercept(&self, uri: &Uri) -> Option<Intercept> {
        if self.skips_local && is_local(uri.host()?) {
            return None;
        }
        self.matcher.as_ref()?.intercept(uri)
    }

    /// Headers for a proxy that is asked for a tunnel.
    pub(super) async fn connect_headers(&self) -> Result<HeaderMap, HttpError> {
        let mut headers = HeaderMap::new();
        for (name, source) in &self.connect_headers {
            let text = source.text("proxy header file").await?;
            headers.append(name.clone(), crate::credentials::secret_value(name.as_str(), &text)?);
        }
        Ok(headers)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the matcher, whose proxy may have a password.
        f.debug_struct("Proxies").field("is_set", &self.matcher.is_some()).finish_non_exhaustive()
    }
}

/// Refuses URLs that the matcher would ignore, since then requests would go without the proxy.
fn check(url: &str) -> Result<(), HttpError> {
    let uri: Uri = url.parse().map_err(|error| HttpError::Proxy(format!("parse proxy_url: {error}")))?;
    match uri.scheme_str() {
        Some("http" | "https" | "socks5" | "socks5h") => Ok(()),
        scheme => Err(HttpError::Proxy(format!("unsupported scheme {:?} in proxy_url", scheme.unwrap_or_default()))),
    }
}

fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
