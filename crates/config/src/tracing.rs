//! Where our own traces go.

use std::collections::BTreeMap;
use std::time::Duration;

use yaml::{At, Text, as_text, record};

use crate::http::TlsSettings;
use crate::remote_write::check_headers;

record! {
    /// Where our own traces go; nowhere without an endpoint.
    pub struct Tracing: plain "config.TracingConfig", check = validate {
        /// The protocol.
        pub client_type: ClientType,
        /// Host and port.
        pub endpoint: String,
        /// The share of traces to send, from 0 to 1.
        pub sampling_fraction: f64,
        /// Whether to do without TLS.
        pub insecure: bool,
        /// How connections are secured.
        pub tls_config: TlsSettings,
        /// Headers of each request.
        pub headers: BTreeMap<String, String>,
        /// `gzip`, or empty for none.
        pub compression: String,
        /// How long a request may take.
        pub timeout: Duration,
    }
}

/// A protocol for traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientType {
    /// None was said; once read, it is gRPC.
    #[default]
    Unset,
    /// gRPC.
    Grpc,
    /// HTTP.
    Http,
}

impl Text for ClientType {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "grpc" => Ok(Self::Grpc),
            "http" => Ok(Self::Http),
            _ => Err(format!("expected tracing client type to be to be http or grpc, but got {text}")),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Unset => "",
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
        .to_owned()
    }

    fn empty() -> Self {
        Self::Unset
    }
}

as_text!(ClientType);

impl Tracing {
    fn validate(&mut self, at: &mut At<'_>) {
        if at.node().get("client_type").is_none() {
            self.client_type = ClientType::Grpc;
        }
        check_headers(&self.headers, "custom authorization header configuration is not yet supported", at);
        if self.endpoint.is_empty() {
            at.invalid_key("endpoint", "tracing endpoint must be set");
        }
        if !matches!(self.compression.as_str(), "" | "gzip") {
            let message = format!("invalid compression type {} provided, valid options: gzip", self.compression);
            at.invalid_key("compression", message);
        }
    }
}
