//! Requests over the network.

mod connect;
mod proxy;
mod socket;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::PROXY_AUTHORIZATION;
use http::uri::Scheme;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;

use crate::config::{self, TlsConfig};
use crate::error::HttpError;
use crate::tls::{Pem, client_config, has_files, versions};
use crate::transport::{Body, Outgoing, Transport};
use connect::{Connector, Route, Security};
use proxy::Proxies;

/// How long a connection without requests is kept: Prometheus' time, which is that of most scrape intervals.
const IDLE_TIME: Duration = Duration::from_secs(5 * 60);
/// How often an HTTP/2 connection without traffic is asked whether it still is one, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(15);

type Pool = Client<Connector, Full<Bytes>>;

/// The network, with settings of TLS, HTTP/2 and proxies. Keeps connections open for the next request.
///
/// We do not use `reqwest`: it can neither tell a server the name that `server_name` says, nor connect to a different socket
/// for each request. It is made of the same parts as this.
pub(crate) struct Network {
    tls: TlsConfig,
    enable_http2: bool,
    proxies: Arc<Proxies>,
    /// The connections that are not secured, which need nothing of the settings for TLS.
    plain: Pool,
    secure: Mutex<Option<Arc<Secure>>>,
}

/// Secured connections, and what they were secured with.
struct Secure {
    pem: Pem,
    security: Security,
    pool: Pool,
}

impl Network {
    /// The network. Settings are checked as far as they do not stand in files.
    pub(crate) fn new(tls: &TlsConfig, proxy: &config::Proxy, enable_http2: bool) -> Result<Self, HttpError> {
        let proxies = Arc::new(Proxies::new(proxy)?);
        let plain = pool(Connector { route: Route::Network(proxies.clone()), security: None });
        let network = Self { tls: tls.clone(), enable_http2, proxies, plain, secure: Mutex::new(None) };
        versions(tls)?;
        // Only what can be built without files, the system's among them, which a client for plain requests never reads.
        if (tls.ca.is_some() || tls.insecure_skip_verify) && !has_files(tls) {
            let secure = Secure::new(tls, Pem::read(tls)?, enable_http2, network.proxies.clone())?;
            *network.secure.lock() = Some(Arc::new(secure));
        }
        Ok(network)
    }

    /// The secured connections, made anew if the files have changed.
    async fn secure(&self) -> Result<Arc<Secure>, HttpError> {
        let current = self.secure.lock().clone();
        if let Some(current) = &current
            && !has_files(&self.tls)
        {
            return Ok(current.clone());
        }
        // Off the runtime: files are read here, and the first time the system's authorities.
        let (tls, enable_http2, proxies) = (self.tls.clone(), self.enable_http2, self.proxies.clone());
        let build = move || {
            let pem = Pem::read(&tls)?;
            match current.filter(|current| current.pem == pem) {
                Some(current) => Ok(current),
                None => Secure::new(&tls, pem, enable_http2, proxies).map(Arc::new),
            }
        };
        let built = tokio::task::spawn_blocking(build)
            .await
            .map_err(|_| HttpError::TlsSettings("the runtime is shutting down".to_owned()))??;
        *self.secure.lock() = Some(built.clone());
        Ok(built)
    }

    async fn send(&self, outgoing: Outgoing) -> Result<http::Response<Body>, HttpError> {
        let Outgoing { mut request, unix_socket } = outgoing;
        let server = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let is_plain = request.uri().scheme() != Some(&Scheme::HTTPS);
        let pool = if let Some(path) = unix_socket {
            self.one_off(path, is_plain).await?
        } else {
            let proxy = self.proxies.intercept(request.uri());
            if let Some(authorization) = proxy.as_ref().and_then(|proxy| proxy.basic_auth()).filter(|_| is_plain) {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
            let needs_tls = proxy.is_some_and(|proxy| proxy.uri().scheme() == Some(&Scheme::HTTPS));
            if is_plain && !needs_tls { self.plain.clone() } else { self.secure().await?.pool.clone() }
        };
        let response = pool.request(request).await.map_err(|error| explain(&server, error))?;
        Ok(response.map(|body| body.map_err(move |error| HttpError::exchange(&server, error)).boxed_unsync()))
    }

    /// A pool for one request to a socket of this machine. Connecting to it costs next to nothing, and a pool that outlives
    /// the request would have to tell sockets apart that have the same URL.
    async fn one_off(&self, path: PathBuf, is_plain: bool) -> Result<Pool, HttpError> {
        let security = if is_plain { None } else { Some(self.secure().await?.security.clone()) };
        Ok(pool(Connector { route: Route::Unix(Arc::from(Path::new(&path))), security }))
    }
}

impl Secure {
    fn new(tls: &TlsConfig, pem: Pem, enable_http2: bool, proxies: Arc<Proxies>) -> Result<Self, HttpError> {
        let config = Arc::new(client_config(tls, &pem, enable_http2)?);
        let security = Security { config, server_name: tls.server_name.clone() };
        let pool = pool(Connector { route: Route::Network(proxies), security: Some(security.clone()) });
        Ok(Self { pem, security, pool })
    }
}

impl Transport for Network {
    fn round_trip(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        self.send(outgoing).boxed()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("tls", &self.tls).field("proxies", &self.proxies).finish_non_exhaustive()
    }
}

fn pool(connector: Connector) -> Pool {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector)
}

/// The error of the connector if that is what failed.
fn explain(server: &str, error: Error) -> HttpError {
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if let Some(known) = cause.downcast_ref::<HttpError>() {
            return known.clone();
        }
        source = cause.source();
    }
    HttpError::exchange(server, error)
}
