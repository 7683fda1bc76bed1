//! Why a request failed.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A cause that several parts of a failed request may hold.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Why there is no answer to a request.
///
/// Where users of Prometheus know a text, it is that text. The causes are not part of it: [`HttpError::message`] adds them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HttpError {
    /// The request took longer than it may.
    #[error("context deadline exceeded")]
    Timeout,
    /// No connection could be made.
    #[error("dial {address}")]
    Dial {
        /// Host and port, or the path of a socket.
        address: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The connection could not be secured: often a certificate that is not trusted.
    #[error("tls handshake with {server}")]
    Tls {
        /// The name that was expected in the certificate.
        server: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The settings for TLS cannot be used.
    #[error("tls settings: {0}")]
    TlsSettings(String),
    /// A file that the settings name cannot be read.
    #[error("unable to read {what} {path}")]
    File {
        /// What the file is for.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// A setting holds something that a header cannot hold.
    #[error("invalid value for header {0}")]
    Header(String),
    /// The URL, or the one that a redirect leads to, cannot be requested.
    #[error("unsupported URL {url}: {problem}")]
    Url {
        /// The URL, without a password.
        url: String,
        /// Why.
        problem: String,
    },
    /// The proxy's settings cannot be used.
    #[error("proxy: {0}")]
    Proxy(String),
    /// No token could be got.
    #[error("oauth2: {0}")]
    OAuth2(String),
    /// Redirects led to redirects.
    #[error("stopped after {0} redirects")]
    Redirects(usize),
    /// The connection broke, or what came over it is not HTTP.
    #[error("exchange with {server}")]
    Exchange {
        /// Whom we talked to.
        server: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The body is larger than it may be, in bytes.
    #[error("body size limit exceeded")]
    TooLarge(u64),
    /// The body is compressed in a way that nobody asked for.
    #[error("unsupported content encoding {0:?}")]
    Encoding(String),
    /// The body cannot be decompressed.
    #[error("decompress body")]
    Decompress(#[source] Cause),
}

impl HttpError {
    /// The error with its causes in one line, as pages about targets show it.
    pub fn message(&self) -> String {
        let mut message = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // The operating system's number says nothing that the words before it do not.
            let text = text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words);
            // Some libraries repeat their cause.
            if !message.contains(text) {
                message = format!("{message}: {}", lower_first(text));
            }
            source = cause.source();
        }
        message
    }

    pub(crate) fn dial(address: impl Into<String>, cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Dial { address: address.into(), cause: Arc::new(cause) }
    }

    pub(crate) fn tls(server: &str, cause: io::Error) -> Self {
        Self::Tls { server: server.to_owned(), cause: Arc::new(cause) }
    }

    pub(crate) fn file(what: &'static str, path: PathBuf, cause: io::Error) -> Self {
        Self::File { what, path, cause: Arc::new(cause) }
    }

    pub(crate) fn exchange(server: &str, cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Exchange { server: server.to_owned(), cause: Arc::new(cause) }
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}
