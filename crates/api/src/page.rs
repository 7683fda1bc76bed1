//! The page for people: everything in it is here.

use axum::extract::RawQuery;
use axum::response::{Html, IntoResponse, Response};
use http::{StatusCode, header};

/// `/`
pub(crate) async fn page() -> Html<&'static str> {
    Html(include_str!("page/page.html"))
}

/// `/page.css`
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page/page.css")).into_response()
}

/// `/page.js`
pub(crate) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page/page.js")).into_response()
}

/// `/favicon.svg` and `/favicon.ico`
pub(crate) async fn icon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("page/icon.svg")).into_response()
}

/// `/graph`: where old links lead.
pub(crate) async fn graph(RawQuery(query): RawQuery) -> Response {
    let target = format!("query?{}", query.unwrap_or_default());
    (StatusCode::FOUND, [(header::LOCATION, target)]).into_response()
}
