//! What is asked for, and the answer.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::error::HttpError;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// With what: an absolute URL of scheme `http` or `https`. A name and password in it are used if the settings have none.
    pub uri: Uri,
    /// Headers beside those of the settings. Nothing is asked for compressed unless they say so.
    pub headers: HeaderMap,
    /// What to send.
    pub body: Bytes,
    /// The socket to connect to instead of the URL's host.
    pub unix_socket: Option<PathBuf>,
    /// How long everything may take: connecting, redirects, and reading the body.
    pub timeout: Duration,
    /// How many bytes the body of the answer may have, as it is sent.
    pub max_bytes: u64,
}

impl Request {
    /// Asks for what is at a URL, without a limit on its size.
    pub fn get(uri: Uri, timeout: Duration) -> Self {
        let headers = HeaderMap::new();
        Self { method: Method::GET, uri, headers, body: Bytes::new(), unix_socket: None, timeout, max_bytes: u64::MAX }
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// What became of the request.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The body as it was sent, maybe compressed: [`Response::decoded`].
    pub body: Bytes,
}

impl Response {
    /// The header `Content-Type`; empty if there is none, or none that is text.
    pub fn content_type(&self) -> &str {
        self.text_header(CONTENT_TYPE)
    }

    /// The body, decompressed if it is compressed with gzip.
    ///
    /// This is work for the processor, which decompresses some hundreds of megabytes a second: whoever expects large
    /// bodies calls it where such work belongs.
    ///
    /// # Errors
    /// [`HttpError::TooLarge`] if the result has more than `max_bytes`, of which no more are ever held in memory;
    /// [`HttpError::Decompress`] if it is not gzip; [`HttpError::Encoding`] if it is compressed otherwise.
    pub fn decoded(&self, max_bytes: u64) -> Result<Bytes, HttpError> {
        match self.text_header(CONTENT_ENCODING) {
            "" | "identity" if self.body.len() as u64 > max_bytes => Err(HttpError::TooLarge(max_bytes)),
            "" | "identity" => Ok(self.body.clone()),
            "gzip" => gunzip(&self.body, max_bytes),
            other => Err(HttpError::Encoding(other.to_owned())),
        }
    }

    fn text_header(&self, name: http::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

fn gunzip(compressed: &[u8], max_bytes: u64) -> Result<Bytes, HttpError> {
    // Pages compress about ten times. What is reserved is bounded by what was received.
    let expected = (compressed.len() as u64 * 10).min(max_bytes);
    let mut body = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    let mut decoder = MultiGzDecoder::new(compressed).take(max_bytes.saturating_add(1));
    decoder.read_to_end(&mut body).map_err(|error| HttpError::Decompress(Arc::new(error)))?;
    if body.len() as u64 > max_bytes { Err(HttpError::TooLarge(max_bytes)) } else { Ok(body.into()) }
}
