//! HTTP requests with Prometheus' client settings: credentials, TLS, proxies, redirects, limits.
//!
//! A client is made once for all requests that share settings and keeps connections open between them. Files with
//! credentials and certificates are read whenever a request needs them, so that a change counts at once.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use http_client::{HttpClient, HttpClientConfig, Request};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = HttpClient::new(HttpClientConfig::default(), stdx::Clock::system())?;
//! let request = Request::get("http://localhost:9090/metrics".parse()?, Duration::from_secs(10));
//! let response = client.send(request).await?;
//! println!("{}: {} bytes", response.status, response.body.len());
//! # Ok(())
//! # }
//! ```

mod client;
mod config;
mod credentials;
mod error;
mod network;
mod oauth2;
mod redirect;
mod request;
mod source;
mod tls;
mod transport;

pub use client::HttpClient;
pub use config::{Authentication, HttpClientConfig, OAuth2Config, Proxy, TlsConfig, TlsVersion};
pub use error::HttpError;
pub use http::{HeaderMap, Method, StatusCode, Uri};
pub use request::{Request, Response};
pub use source::Source;
pub use transport::{Body, Outgoing, Transport};
