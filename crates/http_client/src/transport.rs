//! The seam between what a request means and how it travels.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;

use crate::error::HttpError;

/// The body of an answer while it arrives.
pub type Body = UnsyncBoxBody<Bytes, HttpError>;

/// A request that is complete: it has its credentials and headers.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The request, with an absolute URL.
    pub request: http::Request<Full<Bytes>>,
    /// The socket to connect to instead of the URL's host.
    pub unix_socket: Option<PathBuf>,
}

/// What carries one request to a server and the answer back, without following redirects.
///
/// The network is one; tests and simulations bring their own, so that everything above it is the same for them.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request and returns the answer as soon as its headers are there.
    fn round_trip(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Body>, HttpError>>;
}
