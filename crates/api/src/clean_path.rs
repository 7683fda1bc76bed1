//! Paths that are not written as they should be.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};

/// Sends clients to the path that they mean, as Go's servers do: without empty or dotted parts, which joined URLs often have,
/// and with a slash behind the API's root, which is given without one.
pub(crate) async fn clean_path(State(api_root): State<Arc<str>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let clean = if path == &*api_root { Some(format!("{path}/")) } else { cleaned(path) };
    let Some(clean) = clean else { return next.run(request).await };
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    // What is in a URI is valid in a header, and has neither quotes nor brackets that HTML would mistake.
    let location = [(header::LOCATION, clean.clone() + &query)];
    let status = StatusCode::TEMPORARY_REDIRECT;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (status, location).into_response();
    }
    let target = (clean + &query).replace('&', "&amp;").replace('\'', "&#39;");
    let page = format!("<a href=\"{target}\">Temporary Redirect</a>.\n\n");
    (status, location, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// The path without empty and dotted parts; `None` if it has none. A slash at the end stays.
fn cleaned(path: &str) -> Option<String> {
    let is_odd = |part: &str| matches!(part, "" | "." | "..");
    let parts = path.strip_prefix('/')?;
    let (last, inner) = match parts.rsplit_once('/') {
        Some((inner, last)) => (last, Some(inner)),
        None => (parts, None),
    };
    let is_clean = !inner.is_some_and(|inner| inner.split('/').any(is_odd)) && !matches!(last, "." | "..");
    if is_clean {
        return None;
    }
    let mut clean: Vec<&str> = Vec::new();
    for part in parts.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    let end = if path.ends_with('/') && !clean.is_empty() { "/" } else { "" };
    Some(format!("/{}{end}", clean.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_parts_are_left_out() {
        for path in ["/", "/a", "/a/", "/a/b", "/a/.b", "*", "/%2e%2e/"] {
            assert_eq!(cleaned(path), None, "{path}");
        }
        for (path, expected) in [
            ("//", "/"),
            ("//a", "/a"),
            ("/a//b", "/a/b"),
            ("/a//", "/a/"),
            ("/a/./b/", "/a/b/"),
            ("/a/../b", "/b"),
            ("/../..", "/"),
            ("/a/.", "/a"),
        ] {
            assert_eq!(cleaned(path).as_deref(), Some(expected), "{path}");
        }
    }
}
