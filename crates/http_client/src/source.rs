//! Texts that settings give or point to.

use std::fmt;
use std::path::PathBuf;

use crate::error::HttpError;

/// A text that is given, or stands in a file that is read again whenever it is used.
///
/// White space around a file's text does not count.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The text.
    Text(String),
    /// The file it stands in.
    File(PathBuf),
}

impl fmt::Debug for Source {
    /// Does not show the text, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("<secret>"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl Source {
    /// The text. `what` says in errors what it is for.
    pub(crate) async fn text(&self, what: &'static str) -> Result<String, HttpError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => match tokio::fs::read_to_string(path).await {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(HttpError::file(what, path.clone(), error)),
            },
        }
    }
}
