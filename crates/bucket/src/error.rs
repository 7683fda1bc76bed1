//! What can go wrong.

use std::sync::Arc;
use std::time::Duration;

use block::MetaError;
use series::QueryError;

/// What was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Opening the bucket.
    Open,
    /// Writing a small object, if there is none.
    Create,
    /// Writing a large object that is named by its content.
    Upload,
    /// Reading an object or a part of one.
    Read,
    /// Looking how long an object is.
    Head,
    /// Listing objects.
    List,
    /// Deleting an object.
    Delete,
}

impl Operation {
    /// As messages and metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Upload => "upload",
            Self::Read => "read",
            Self::Head => "head",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

/// What a caller would do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// There is no such object.
    NotFound,
    /// There is an object with this key, and it has other bytes.
    AlreadyExists,
    /// The store did not answer as it should, though it was asked several times. A write may have been done or not:
    /// repeating it later is harmless.
    Unavailable,
    /// The store will not do it: credentials, permissions, a key or a setting that makes no sense.
    Rejected,
    /// What is there is not what must be there.
    Corrupt,
}

impl ErrorKind {
    /// As messages and metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
            Self::Corrupt => "corrupt",
        }
    }
}

/// Why something could not be done in a bucket.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} {key:?} in {url}: {}", .operation.as_str(), .kind.as_str())]
pub struct BucketError {
    kind: ErrorKind,
    operation: Operation,
    url: Arc<str>,
    key: String,
    source: Arc<Failure>,
}

impl BucketError {
    pub(crate) fn new(url: &Arc<str>, operation: Operation, key: &str, failure: Failure) -> Self {
        let (url, key) = (url.clone(), key.to_owned());
        Self { kind: failure.kind(), operation, url, key, source: Arc::new(failure) }
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was to be done.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// With which object, or folder.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// A query needs the object: that it is not there is as bad as that the store is not.
impl From<BucketError> for QueryError {
    fn from(error: BucketError) -> Self {
        let message = format!("{error}: {}", error.source);
        match error.kind {
            ErrorKind::Corrupt => Self::Corrupt(message),
            _ => Self::Unavailable(message),
        }
    }
}

/// What happened in one try.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error("it took longer than {0:?}")]
    TimedOut(Duration),
    #[error("the answer has {found} bytes instead of {expected}")]
    Short { found: u64, expected: u64 },
    #[error("a test says so: {0}")]
    Injected(&'static str),
    #[error("a key has no empty parts")]
    Key,
    #[error("it is said to be there and then is not")]
    Vanished,
    #[error("it has {found} bytes, and at most {limit} are read")]
    TooLarge { found: u64, limit: u64 },
    #[error("{0}")]
    Setting(String),
    #[error("the object has other bytes")]
    OtherBytes,
    #[error("the object has {found} bytes, not {expected}")]
    Size { found: u64, expected: u64 },
    #[error("the object hashes to {found:032x}, not {expected:032x}")]
    Hash { found: u128, expected: u128 },
    #[error(transparent)]
    Meta(#[from] MetaError),
    #[error("{0}")]
    Contents(String),
}

impl Failure {
    fn kind(&self) -> ErrorKind {
        use object_store::Error;
        match self {
            Self::Store(Error::NotFound { .. }) => ErrorKind::NotFound,
            Self::Store(Error::AlreadyExists { .. } | Error::Precondition { .. }) | Self::OtherBytes => {
                ErrorKind::AlreadyExists
            }
            Self::Store(
                Error::InvalidPath { .. }
                | Error::NotSupported { .. }
                | Error::NotImplemented { .. }
                | Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }
                | Error::UnknownConfigurationKey { .. },
            )
            | Self::Setting(_)
            | Self::Key
            | Self::TooLarge { .. } => ErrorKind::Rejected,
            Self::Store(_) | Self::TimedOut(_) | Self::Short { .. } | Self::Injected(_) | Self::Vanished => {
                ErrorKind::Unavailable
            }
            Self::Size { .. } | Self::Hash { .. } | Self::Meta(_) | Self::Contents(_) => ErrorKind::Corrupt,
        }
    }
}
