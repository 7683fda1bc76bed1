//! HTTP requests with Prometheus' client settings.

mod config;

pub use config::{Authentication, HttpClientConfig, OAuth2Config, Proxy, Source, TlsConfig, TlsVersion};
