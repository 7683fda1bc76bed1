//! Where an answer sends us instead.

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION,
};
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use url::Url;

use crate::error::HttpError;
use crate::request::Request;

/// How many redirects are followed: Go's number.
pub(crate) const MAX_REDIRECTS: usize = 10;

/// The place that an answer redirects to, if it does.
pub(crate) fn location<B>(response: &Response<B>) -> Option<&str> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(LOCATION).filter(|_| is_redirect)?.to_str().ok()
}

/// Turns a request into the one that follows a redirect of this status to `location`, as Go does it: other methods than
/// GET and HEAD stay only if the status says so.
pub(crate) fn follow(request: &mut Request, status: StatusCode, location: &str) -> Result<(), HttpError> {
    let next = resolve(&request.uri, location)?;
    if !is_same_host(&request.uri, &next) {
        remove_credentials(&mut request.headers);
    }
    let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if !keeps_method && request.method != Method::HEAD && request.method != Method::GET {
        request.method = Method::GET;
        request.body.clear();
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH] {
            request.headers.remove(name);
        }
    }
    request.uri = next;
    Ok(())
}

/// Whether two URLs are about one host, whatever the scheme and the port.
pub(crate) fn is_same_host(one: &Uri, other: &Uri) -> bool {
    match (one.host(), other.host()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    }
}

fn remove_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
}

fn resolve(base: &Uri, location: &str) -> Result<Uri, HttpError> {
    let fail = |problem: String| HttpError::Url { url: location.to_owned(), problem };
    let base = Url::parse(&base.to_string()).map_err(|error| fail(error.to_string()))?;
    let mut url = base.join(location).map_err(|error| fail(error.to_string()))?;
    url.set_fragment(None);
    url.as_str().parse().map_err(|error: http::uri::InvalidUri| fail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_relative_to_the_request() {
        for (base, location, expected) in [
            ("http://a/b/c?d", "e", "http://a/b/e"),
            ("http://a/b", "/e?f#g", "http://a/e?f"),
            ("http://a/b", "//c/d", "http://c/d"),
            ("http://a/b", "https://c:1", "https://c:1/"),
        ] {
            assert_eq!(resolve(&base.parse().unwrap(), location).unwrap().to_string(), expected, "{location}");
        }
        assert!(resolve(&"http://a".parse().unwrap(), "http://[").is_err());
    }
}
