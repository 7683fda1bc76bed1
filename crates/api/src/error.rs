//! Why a request has no answer.

use axum::response::{IntoResponse, Response};
use engine::InvalidQuery;
use http::{StatusCode, header};
use model::quote;
use series::QueryError;

use crate::json::{Json, ToJson, to_bytes};

/// Why a request has no answer: what clients tell apart, and a text for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ApiError {
    kind: ErrorKind,
    message: String,
}

/// What clients tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    BadData,
    Execution,
    Canceled,
    Timeout,
    Internal,
    Unavailable,
}

impl ApiError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The request makes no sense.
    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadData, message)
    }

    /// A parameter makes no sense.
    pub(crate) fn parameter(name: &str, fault: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {}: {fault}", quote(name)))
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl ErrorKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            // What nginx made the usual code for a client that went away.
            Self::Canceled => StatusCode::from_u16(499).expect("499 has three digits"),
            Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal | Self::Unavailable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let kind = match error {
            QueryError::Timeout { .. } => ErrorKind::Timeout,
            QueryError::Canceled { .. } => ErrorKind::Canceled,
            QueryError::TooManySamples | QueryError::OverBudget { .. } | QueryError::Execution(_) => {
                ErrorKind::Execution
            }
            QueryError::Unavailable(_) | QueryError::Corrupt(_) => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<InvalidQuery> for ApiError {
    fn from(error: InvalidQuery) -> Self {
        Self::parameter("query", error)
    }
}

impl ToJson for ApiError {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("status", "error");
            json.member("errorType", self.kind.as_str());
            json.member("error", &self.message);
        });
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.kind.status(), [(header::CONTENT_TYPE, "application/json")], to_bytes(self)).into_response()
    }
}
