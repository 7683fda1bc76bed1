//! Connections: straight, to a socket of this machine, or through a proxy; secured or not.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::proxy::Proxies;
use super::socket::{Socket, Stream};
use crate::error::HttpError;
use crate::tls::server_name;

/// How often the operating system checks that the other side of an idle connection is still there: Go's interval.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Makes connections for a pool.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) route: Route,
    /// How connections are secured that must be; a pool for plain ones has none.
    pub(super) security: Option<Security>,
}

/// Where connections lead.
#[derive(Clone)]
pub(super) enum Route {
    /// To the URL's host, maybe through a proxy.
    Network(Arc<Proxies>),
    /// To a socket of this machine.
    Unix(Arc<Path>),
}

/// How connections are secured.
#[derive(Clone)]
pub(super) struct Security {
    pub(super) config: Arc<ClientConfig>,
    /// The name to expect instead of the URL's.
    pub(super) server_name: Option<String>,
}

impl Service<Uri> for Connector {
    type Response = Socket;
    type Error = HttpError;
    type Future = BoxFuture<'static, Result<Socket, HttpError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        async move { connector.connect(uri).await }.boxed()
    }
}

impl Connector {
    async fn connect(self, uri: Uri) -> Result<Socket, HttpError> {
        let socket = match &self.route {
            Route::Unix(path) => Socket::new(unix(path).await?),
            Route::Network(proxies) => match proxies.intercept(&uri) {
                None => dial(&uri).await?,
                Some(proxy) => self.connect_through(proxies, &proxy, &uri).await?,
            },
        };
        if uri.scheme() == Some(&Scheme::HTTPS) { self.secure(socket, &uri).await } else { Ok(socket) }
    }

    /// A connection to a URL's host through a proxy, or to the proxy itself if that passes plain requests on.
    async fn connect_through(&self, proxies: &Proxies, proxy: &Intercept, uri: &Uri) -> Result<Socket, HttpError> {
        let failed = |error: &dyn std::error::Error| HttpError::Proxy(format!("{}: {error}", address(proxy.uri())));
        if proxy.uri().scheme_str().is_some_and(|scheme| scheme.starts_with("socks")) {
            let mut socks = SocksV5::new(with_port(proxy.uri(), 1080)?, Dial(self.clone()));
            if let Some((name, password)) = proxy.raw_auth() {
                socks = socks.with_auth(name.to_owned(), password.to_owned());
            }
            return socks.call(with_port(uri, default_port(uri))?).await.map_err(|error| failed(&error));
        }
        if uri.scheme() != Some(&Scheme::HTTPS) {
            let socket = Dial(self.clone()).connect(proxy.uri()).await?;
            return Ok(Socket { is_proxied: true, ..socket });
        }
        let mut headers = proxies.connect_headers().await?;
        if let Some(authorization) = proxy.basic_auth() {
            headers.insert(http::header::PROXY_AUTHORIZATION, authorization.clone());
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), Dial(self.clone())).with_headers(headers);
        tunnel.call(uri.clone()).await.map_err(|error| failed(&error))
    }

    /// Secures a connection.
    async fn secure(&self, socket: Socket, uri: &Uri) -> Result<Socket, HttpError> {
        let host = uri.host().unwrap_or_default();
        let Some(security) = &self.security else {
            return Err(HttpError::tls(host, io::Error::other("connections of this pool are not secured")));
        };
        let expected = security.server_name.as_deref().unwrap_or(host);
        let name = server_name(expected).map_err(|error| HttpError::tls(expected, error))?;
        let connector = TlsConnector::from(security.config.clone());
        let stream = connector
            .connect(name, socket.stream.into_inner())
            .await
            .map_err(|error| HttpError::tls(expected, error))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let stream: Box<dyn Stream> = Box::new(stream);
        Ok(Socket { stream: TokioIo::new(stream), is_http2, is_proxied: false })
    }
}

/// Connects to proxies, secured if their URL says so.
#[derive(Clone)]
struct Dial(Connector);

impl Dial {
    async fn connect(&self, proxy: &Uri) -> Result<Socket, HttpError> {
        let socket = dial(proxy).await?;
        if proxy.scheme() != Some(&Scheme::HTTPS) {
            return Ok(socket);
        }
        // Proxies are spoken to with HTTP/1 only, and `server_name` is not their name.
        let security = self.0.security.as_ref().map(|security| {
            let mut config = ClientConfig::clone(&security.config);
            config.alpn_protocols.clear();
            Security { config: Arc::new(config), server_name: None }
        });
        Connector { route: self.0.route.clone(), security }.secure(socket, proxy).await
    }
}

impl Service<Uri> for Dial {
    type Response = Socket;
    type Error = HttpError;
    type Future = BoxFuture<'static, Result<Socket, HttpError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let dial = self.clone();
        async move { dial.connect(&proxy).await }.boxed()
    }
}

/// A connection to a URL's host; of its addresses of both families the one that answers first.
async fn dial(uri: &Uri) -> Result<Socket, HttpError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEP_ALIVE));
    let uri = with_port(uri, default_port(uri))?;
    match connector.call(uri.clone()).await {
        Ok(stream) => Ok(Socket::new(stream.into_inner())),
        Err(error) => Err(HttpError::dial(format!("tcp {}", address(&uri)), error)),
    }
}

#[cfg(unix)]
async fn unix(path: &Path) -> Result<tokio::net::UnixStream, HttpError> {
    let failed = |error| HttpError::dial(format!("unix {}", path.display()), error);
    tokio::net::UnixStream::connect(path).await.map_err(failed)
}

#[cfg(not(unix))]
async fn unix(path: &Path) -> Result<tokio::net::TcpStream, HttpError> {
    let error = io::Error::new(io::ErrorKind::Unsupported, "this system has no such sockets");
    Err(HttpError::dial(format!("unix {}", path.display()), error))
}

fn default_port(uri: &Uri) -> u16 {
    if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 }
}

/// A URL with its port written out.
fn with_port(uri: &Uri, port: u16) -> Result<Uri, HttpError> {
    if uri.port().is_some() {
        return Ok(uri.clone());
    }
    let fail = |problem: String| HttpError::Url { url: address(uri), problem };
    let mut parts = uri.clone().into_parts();
    let authority = format!("{}:{port}", uri.host().unwrap_or_default());
    parts.authority = Some(authority.parse().map_err(|error: http::uri::InvalidUri| fail(error.to_string()))?);
    parts.path_and_query.get_or_insert_with(|| http::uri::PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|error| fail(error.to_string()))
}

/// Host and port of a URL, without a password.
fn address(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
