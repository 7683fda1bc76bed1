//! Requests with one set of settings.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, Uri};
use http_body_util::{BodyExt, Full};
use stdx::Clock;

use crate::config::{Authentication, HttpClientConfig};
use crate::credentials::{add_headers, move_user, secret_value};
use crate::error::HttpError;
use crate::network::Network;
use crate::oauth2::TokenSource;
use crate::redirect::{MAX_REDIRECTS, follow, is_same_host, location};
use crate::request::{Request, Response};
use crate::transport::{Body, Outgoing, Transport};

/// Sends requests with one set of settings. Clones share connections and tokens.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    config: HttpClientConfig,
    clock: Clock,
    transport: Arc<dyn Transport>,
    tokens: Option<TokenSource>,
}

impl HttpClient {
    /// A client that uses the network. Nothing is connected and no file is read before the first request.
    ///
    /// # Errors
    /// [`HttpError::TlsSettings`] or [`HttpError::Proxy`] if a setting that stands in the configuration itself cannot be
    /// used.
    pub fn new(config: HttpClientConfig, clock: Clock) -> Result<Self, HttpError> {
        let network = Network::new(&config.tls, &config.proxy, config.enable_http2)?;
        let tokens = match &config.authentication {
            Authentication::OAuth2(oauth2) => {
                let network = Network::new(&oauth2.tls, &oauth2.proxy, config.enable_http2)?;
                Some(TokenSource::new(oauth2, Self::bare(Arc::new(network), clock.clone()), clock.clone()))
            }
            _ => None,
        };
        Ok(Self(Arc::new(Inner { config, clock, transport: Arc::new(network), tokens })))
    }

    /// A client that uses `transport`, to which settings of TLS, HTTP/2 and proxies mean nothing.
    pub fn with_transport(config: HttpClientConfig, clock: Clock, transport: Arc<dyn Transport>) -> Self {
        let tokens = match &config.authentication {
            Authentication::OAuth2(oauth2) => {
                Some(TokenSource::new(oauth2, Self::bare(transport.clone(), clock.clone()), clock.clone()))
            }
            _ => None,
        };
        Self(Arc::new(Inner { config, clock, transport, tokens }))
    }

    fn bare(transport: Arc<dyn Transport>, clock: Clock) -> Self {
        Self(Arc::new(Inner { config: HttpClientConfig::default(), clock, transport, tokens: None }))
    }

    /// Sends a request, follows redirects if the settings say so, and reads the whole answer.
    ///
    /// Credentials and headers of the settings go to the host of the request only, never to another that it redirects to.
    ///
    /// # Errors
    /// If there is no answer, or not all of it, in time and within the limits. A status such as 404 is an answer.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let timeout = request.timeout;
        self.0.clock.timeout(timeout, self.follow(request)).await.unwrap_or(Err(HttpError::Timeout))
    }

    async fn follow(&self, mut request: Request) -> Result<Response, HttpError> {
        let asked = request.uri.clone();
        let mut is_at_home = true;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(&request, is_at_home).await?;
            match location(&response).filter(|_| self.0.config.follow_redirects) {
                None => return collect(response, &request).await,
                Some(location) => follow(&mut request, response.status(), location)?,
            }
            // Whoever led us away may not lead us back with credentials either, as in Go.
            is_at_home &= is_same_host(&asked, &request.uri);
        }
        Err(HttpError::Redirects(MAX_REDIRECTS))
    }

    /// One request and the beginning of its answer.
    async fn exchange(&self, request: &Request, is_at_home: bool) -> Result<http::Response<Body>, HttpError> {
        check_url(&request.uri)?;
        let mut headers = request.headers.clone();
        let mut uri = request.uri.clone();
        move_user(&mut uri, &mut headers)?;
        if is_at_home {
            add_headers(&self.0.config, &mut headers).await?;
            self.add_token(&mut headers).await?;
        }
        let mut outgoing = http::Request::new(Full::new(request.body.clone()));
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = headers;
        outgoing.headers_mut().remove(HOST);
        self.0.transport.round_trip(Outgoing { request: outgoing, unix_socket: request.unix_socket.clone() }).await
    }

    async fn add_token(&self, headers: &mut HeaderMap) -> Result<(), HttpError> {
        if let Some(tokens) = &self.0.tokens
            && !headers.contains_key(AUTHORIZATION)
        {
            headers.insert(AUTHORIZATION, secret_value("Authorization", &tokens.authorization().await?)?);
        }
        Ok(())
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("config", &self.0.config).field("transport", &self.0.transport).finish()
    }
}

fn check_url(uri: &Uri) -> Result<(), HttpError> {
    let problem = match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => return Ok(()),
        (Some("http" | "https"), _) => "no host in request URL".to_owned(),
        (scheme, _) => format!("unsupported protocol scheme {:?}", scheme.unwrap_or_default()),
    };
    // Without what precedes the host, which may be a password.
    Err(HttpError::Url { url: format!("{}{}", uri.host().unwrap_or_default(), uri.path()), problem })
}

/// Reads the body of an answer, and gives up as soon as it is too large.
async fn collect(response: http::Response<Body>, request: &Request) -> Result<Response, HttpError> {
    let (parts, mut body) = response.into_parts();
    let mut first = Bytes::new();
    let mut collected = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len() as u64;
        if length > request.max_bytes {
            return Err(HttpError::TooLarge(request.max_bytes));
        }
        // Most answers are one piece, which need not be copied.
        if first.is_empty() && collected.is_empty() {
            first = data;
        } else {
            collected.extend_from_slice(&std::mem::take(&mut first));
            collected.extend_from_slice(&data);
        }
    }
    let body = if collected.is_empty() { first } else { collected.freeze() };
    Ok(Response { status: parts.status, headers: parts.headers, body })
}
