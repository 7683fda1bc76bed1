//! Pages of other servers that ask the API.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::lifecycle::NoOrigins;

/// Which origins pages may come from.
#[derive(Clone, Debug)]
pub(crate) struct AllowedOrigins(Arc<re2::Regex>);

impl AllowedOrigins {
    /// Those that match a regular expression as a whole.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn new(pattern: &str) -> Result<Self, re2::Error> {
        Ok(Self(Arc::new(re2::Regex::anchored(pattern)?)))
    }

    fn allow(&self, origin: HeaderValue) -> Option<HeaderValue> {
        let is_allowed = origin.to_str().is_ok_and(|text| self.0.is_match(text));
        is_allowed.then_some(origin)
    }

    fn add_headers(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin else { return };
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(allowed) = self.allow(origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
    }
}

/// Says which origins are allowed, and answers `OPTIONS` itself.
pub(crate) async fn cors(State(origins): State<AllowedOrigins>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).filter(|origin| !origin.is_empty()).cloned();
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    if response.extensions().get::<NoOrigins>().is_none() {
        origins.add_headers(origin, response.headers_mut());
    }
    response
}
