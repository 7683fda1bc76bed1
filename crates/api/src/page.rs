//! The page for people: everything in it is here.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use http::{StatusCode, header};

use crate::app::App;

/// `/query`
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

/// `/`: leads to the page, whose links are relative to it.
pub(crate) async fn home(State(app): State<Arc<App>>) -> Response {
    redirect(&app, "query")
}

/// `/graph`: where old links lead.
pub(crate) async fn graph(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    redirect(&app, &format!("query?{}", query.unwrap_or_default()))
}

fn redirect(app: &App, target: &str) -> Response {
    let prefix = app.config.route_prefix.trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    let target = format!("{slash}{prefix}/{target}");
    let link = format!("<a href=\"{}\">Found</a>.\n\n", escape_html(&target));
    (StatusCode::FOUND, [(header::LOCATION, target)], Html(link)).into_response()
}

/// Text as it may stand in an attribute.
fn escape_html(text: &str) -> String {
    let escape = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&#34;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}
